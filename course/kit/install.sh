#!/bin/bash
# Installs the course into the folder redundancy-course of your home folder. No network is needed.
set -euo pipefail
cd "$(dirname "$0")"
place="$HOME/redundancy-course"
for python in python3.12 python3 python ""; do
  [ -n "$python" ] || { echo "Python 3.12 is needed and was not found. Install it, then run this again." >&2; exit 1; }
  [ "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "3.12" ] && break
done
"$python" -m venv "$place/python"
"$place/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --find-links wheels -r requirements.txt
[ -e "$place/student" ] || cp -R student "$place/student"
echo "Installed. Now: bash start.sh opens the notebooks, in $place/student."
