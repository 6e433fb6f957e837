#!/bin/bash
cd "$HOME/redundancy-course/student" || { echo "Run install.sh first." >&2; exit 1; }
exec ../python/bin/python -m jupyter lab
