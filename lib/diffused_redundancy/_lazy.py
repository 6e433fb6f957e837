"""Names of a package that are imported when first used, so that a command pays only for what it
needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def exports(
    package: str, homes: dict[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    homes : dict
        From a submodule (relative, such as ``.cka``) to the names it holds, separated by blanks;
        without names the submodule itself.
    """
    home = {
        name: module
        for module, names in homes.items()
        for name in (names.split() or [module.lstrip(".")])
    }

    def find(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(home[name], package)
        return module if not homes[home[name]] else getattr(module, name)

    return find, lambda: sorted(home), sorted(home)
