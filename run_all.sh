#!/usr/bin/env bash
# Run the notebooks and write reports/index.html. ./run_all.sh --help explains the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/python.sh"
for word in "$@"; do
  case "$word" in -h | --help) exec "$bare_python" -m diffused_redundancy run --help ;; esac
done
python="$("$bare_python" "$root/lib/bootstrap.py")"
exec "$python" -m diffused_redundancy run "$@"
