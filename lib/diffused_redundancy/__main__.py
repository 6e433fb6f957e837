"""The command line: ``python -m diffused_redundancy COMMAND``.

Each command is a module of ``commands/`` with ``add_arguments(parser)`` and ``run(options)``. It is
imported only when asked for: a command pays only for what it needs.
"""

from __future__ import annotations

import argparse
import importlib
import locale
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from .errors import InputError

COMMANDS = {
    "run": "run notebooks and write their reports",
    "measure": "measure the redundancy of your own embeddings",
    "merge": "measure what measure --shard has summed up",
    "course": "build notebooks, solutions, slides and graded assignments for teaching",
    "pretrain": "pre-train networks of the miniature zoo",
    "assets": "weights and data sets of others: list, fetch, verify, import",
    "execute": "",
    "features": "",
}
"""What each does; the runner starts those that say nothing."""


def _options(words: Sequence[str]) -> argparse.Namespace:
    """The options of the command that is asked for, ``run`` of its module among them."""
    parser = argparse.ArgumentParser(
        prog="python -m diffused_redundancy",
        description="Diffused redundancy in pre-trained representations.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, says in COMMANDS.items():
        shown: dict[str, Any] = {"help": says} if says else {}  # without help it is not listed
        of_command = commands.add_parser(name, **shown)
        if words and words[0] == name:
            module = importlib.import_module(f"{__package__}.commands.{name}")
            module.add_arguments(of_command)
            of_command.set_defaults(run=module.run)
    return parser.parse_args(words)


def _with_utf8(words: Sequence[str] | None) -> None:
    """Start this process again in Python's UTF-8 mode, where names of files would be read in
    another encoding: its children, which are in that mode, would see other names.
    """
    mode = ["-X", "utf8"]
    encodings = {sys.getfilesystemencoding(), locale.getencoding().lower()}
    if words is None and not encodings <= {"utf-8", "utf8"} and sys.orig_argv[1:3] != mode:
        again = [sys.executable, *mode, *sys.orig_argv[1:]]
        if sys.platform == "win32":  # its execv returns to the prompt while the command still runs
            sys.exit(subprocess.call(again))
        os.execv(sys.executable, again)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; errors of the user are one line and exit status 2."""
    _with_utf8(words)
    os.environ.pop("MPLBACKEND", None)  # figures become files: no backend of a screen is wanted
    try:
        options = _options(sys.argv[1:] if words is None else words)
        status: int = options.run(options)
        return status
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "stopped: what was computed is in the cache, and the same command resumes from there",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
