#!/usr/bin/env bash
# Set up the environment if need be, check code, format and types, and run the tests, in parallel.
# With arguments only the tests run, and these go to pytest, such as: tests/run.sh -m "not slow", tests/run.sh -k cka
# (-n 0 runs them in one process, for --pdb).
set -euo pipefail
self="${BASH_SOURCE[0]}"
while [ -L "$self" ]; do # called through a link
  link="$(readlink "$self")"
  case "$link" in /*) self="$link" ;; *) self="$(dirname -- "$self")/$link" ;; esac
done
source "$(dirname -- "$self")/../lib/python.sh"
python="$("$bare_python" "$root/lib/bootstrap.py")"
cd "$root"
cores="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)"
workers=$((cores < 4 ? cores : 4)) # each holds 1 to 2 GiB
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$((cores / workers))}" # more threads than cores wait for one another
pytest="pytest -n $workers --dist loadfile"
# shellcheck disable=SC2086
[ $# -eq 0 ] || exec "$python" -m $pytest "$@"
failed=""
for check in "ruff check" "ruff format --check" mypy "$pytest"; do
  # shellcheck disable=SC2086
  "$python" -m $check || failed="$failed $check;"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
