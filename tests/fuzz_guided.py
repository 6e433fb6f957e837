"""Coverage-guided input to one target of fuzz.py, with atheris, which is installed apart:

    pip install atheris
    python tests/fuzz_guided.py "presets" 100000

What reaches new lines of the library (and of PyYAML) is kept and changed further. It ends at the
first finding.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["diffused_redundancy", "yaml"]):
    import fuzz


def main() -> None:
    name, count = sys.argv[1], int(sys.argv[2])
    logging.disable()
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    for number, data in enumerate(fuzz.TARGETS[name].seeds()):
        (corpus / str(number)).write_bytes(data)
    flags = [f"-runs={count}", f"-timeout={fuzz.SECONDS}", "-max_len=4096", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], lambda data: fuzz.give(name, data))
    with fuzz.offline():
        atheris.Fuzz()


if __name__ == "__main__":
    main()
