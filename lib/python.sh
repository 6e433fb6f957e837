# Sourced by run_all.sh and tests/run.sh: sets `root`, and finds a Python 3.11 or newer as `bare_python`.
unset CDPATH # with it, cd prints the folder it finds
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
bare_python=""
seen=""
newer=""
for candidate in "${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/python}" "${CONDA_PREFIX:+$CONDA_PREFIX/bin/python}" \
  python3 python3.13 python3.12 python3.11 python; do
  [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
  version="$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" || continue
  case "$version" in
    3.11 | 3.12 | 3.13)
      bare_python="$candidate"
      break
      ;;
    3.1[4-9] | 3.[2-9][0-9]) newer="${newer:-$candidate}" ;;
    *) seen="$seen $candidate is $version;" ;;
  esac
done
if [ -z "$bare_python" ] && [ -n "$newer" ]; then
  echo "note: only a Python newer than 3.13 was found; the packages are tested on 3.11 to 3.13." >&2
  bare_python="$newer"
fi
if [ -z "$bare_python" ]; then
  echo "error: Python 3.11 or newer is needed, and none was found.${seen:+ Found:$seen} install it, or activate an environment that has it." >&2
  exit 3
fi
# The modules of this checkout, and none of the working folder (where a queue.py may lie): not its own entry, nor an
# empty one of a PYTHONPATH. Names of files are UTF-8 in every locale.
while :; do
  case "${PYTHONPATH:-}" in
    :*) PYTHONPATH="${PYTHONPATH#:}" ;;
    *:) PYTHONPATH="${PYTHONPATH%:}" ;;
    *::*) PYTHONPATH="${PYTHONPATH%%::*}:${PYTHONPATH#*::}" ;;
    *) break ;;
  esac
done
export PYTHONPATH="$root/lib${PYTHONPATH:+:$PYTHONPATH}" PYTHONSAFEPATH=1 PYTHONUTF8=1
# Let processes reuse up to 1 GiB of freed memory instead of returning it page by page (glibc): measured, a tenth off
# the time of a ResNet18 on a CPU. Arrays above 32 MiB are still returned.
export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-1073741824}" MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-33554432}"
