#!/usr/bin/env bash
# Set up the environment if need be and run the tests. Arguments go to pytest, such as: tests/run.sh -k cka
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../lib/python.sh"
python="$("$bare_python" "$root/lib/bootstrap.py")"
cd "$root"
exec "$python" -m pytest "$@"
