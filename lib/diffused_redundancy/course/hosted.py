"""Badges that open notebooks in hosted services, and the cell that Colab needs for them."""

from __future__ import annotations

import re

from ..errors import InputError
from ..store.provenance import forge_address

WANTED = "https://github.com/OWNER/REPOSITORY"

ARTIFACT_ON_COLAB = """\
# Only Google Colab needs this cell, to install the library; it does nothing elsewhere.
import sys

if "google.colab" in sys.modules:
    import subprocess
    from pathlib import Path

    if not Path("artifact").is_dir():
        clone = ["git", "clone", "--quiet", "--depth", "1", "{address}", "artifact"]
        subprocess.run(clone, check=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--editable", "artifact"]
    subprocess.run(install, check=True)
    sys.path.insert(0, str(Path("artifact/lib").resolve()))"""


def on_github(remote: str) -> str:
    """``OWNER/REPOSITORY`` of an address. Colab and Codespaces open nothing but GitHub.

    Raises
    ------
    InputError
        Where it is no repository on GitHub. The message does not repeat what was given: a remote
        may hold a password.

    Examples
    --------
    >>> on_github("git@github.com:someone/redundancy.git")
    'someone/redundancy'
    """
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)", forge_address(remote))
    if not found:
        forge = re.match(r"https://([\w.-]+)", forge_address(remote))
        raise InputError(
            f"{f'a repository on {forge[1]}' if forge else 'this'} is no repository on GitHub, "
            f"the only place from which Colab and Codespaces open notebooks: give {WANTED}"
        )
    return found[1]


def notebook_badges(repository: str, path: str) -> str:
    """Markdown: links that open a notebook in Colab and in Binder.

    Parameters
    ----------
    repository : str
        ``OWNER/REPOSITORY`` on GitHub.
    path : str
        Of the notebook in it.
    """
    colab = f"https://colab.research.google.com/github/{repository}/blob/HEAD/{path}"
    binder = f"https://mybinder.org/v2/gh/{repository}/HEAD?labpath={path}"
    return "\n".join(
        (
            f"[![Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab})",
            f"[![Binder](https://mybinder.org/badge_logo.svg)]({binder})",
        )
    )


def repository_badges(repository: str, path: str) -> str:
    """Markdown: as :func:`notebook_badges`, and a link that opens the repository in Codespaces."""
    codespaces = f"https://codespaces.new/{repository}"
    badge = f"[![Codespaces](https://github.com/codespaces/badge.svg)]({codespaces})"
    return f"{notebook_badges(repository, path)}\n{badge}"
