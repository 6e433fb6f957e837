#!/usr/bin/env bash
# Set up the environment if need be, check code, format and types, and run the tests.
# With arguments only the tests run, and these go to pytest, such as: tests/run.sh -k cka
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../lib/python.sh"
python="$("$bare_python" "$root/lib/bootstrap.py")"
cd "$root"
[ $# -eq 0 ] || exec "$python" -m pytest "$@"
failed=""
for check in "ruff check" "ruff format --check" mypy pytest; do
  # shellcheck disable=SC2086
  "$python" -m $check || failed="$failed $check;"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
