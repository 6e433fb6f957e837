#!/usr/bin/env bash
# Run the notebooks and write reports/index.html. ./run_all.sh --help explains the options.
set -euo pipefail
self="${BASH_SOURCE[0]}"
while [ -L "$self" ]; do # called through a link
  link="$(readlink "$self")"
  case "$link" in /*) self="$link" ;; *) self="$(dirname -- "$self")/$link" ;; esac
done
source "$(dirname -- "$self")/lib/python.sh"
for word in "$@"; do
  case "$word" in -h | --help) exec "$bare_python" -m diffused_redundancy run --help ;; esac
done
python="$("$bare_python" "$root/lib/bootstrap.py")"
exec "$python" -m diffused_redundancy run "$@"
