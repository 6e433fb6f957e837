"""Where the source of a page is to be found."""

from __future__ import annotations

import subprocess

import pytest
from diffused_redundancy.store import paths
from diffused_redundancy.store.provenance import commit, forge_address, source_address


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one commit, and a function that runs git in it."""

    def git(*words):
        ran = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout.strip()

    git("init", "-q")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_cka.py").write_text("1")
    git("add", ".")
    git("commit", "-qm", "one")
    monkeypatch.setattr(paths, "repository", lambda: tmp_path)
    return tmp_path, git


def test_the_address_of_a_source_is_of_this_commit(checkout):
    folder, git = checkout
    assert source_address("notebooks/01_cka.py") == ""  # no remote
    git("remote", "add", "origin", "git@github.com:some.one/dr.git")
    revision = git("rev-parse", "--short=12", "HEAD")
    where = f"https://github.com/some.one/dr/blob/{revision}/notebooks/01_cka.py"
    assert source_address("notebooks/01_cka.py") == where
    (folder / "notebooks" / "01_cka.py").write_text("2")  # no commit holds this
    assert commit() == f"{revision}+changes" and source_address("notebooks/01_cka.py") == ""


def test_without_a_checkout_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "repository", lambda: tmp_path)
    assert commit() == "not a git checkout" and source_address("a") == ""


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/a/b", "https://github.com/a/b"),
        ("https://github.com/a/b.git/", "https://github.com/a/b"),
        ("ssh://git@gitlab.com/a/b/c.git", "https://gitlab.com/a/b/c"),
        ("https://user:secret@github.com/a/b.git", "https://github.com/a/b"),
        ("https://git.example.org/a/b", ""),
        ("https://github.com.example.org/a/b", ""),
        ("https://evil@example.org/github.com/a/b", ""),
        ("/srv/git/b.git", ""),
        ('https://github.com/a/b"><script>', ""),
        ("", ""),
    ],
)
def test_only_addresses_of_public_forges_are_shown(remote, address):
    assert forge_address(remote) == address
