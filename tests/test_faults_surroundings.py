"""Surroundings that a run may meet: names, users, locales, small machines, no network. In each the
numbers are the same.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from small_run import SmallRun, as_root, copy_checkout, numbers

NAME = 'it\'s "100%" #1 & gäbe ?a=b'
"""A name with all that shells, addresses, formats and configurations treat in their own ways."""

UNPRIVILEGED = (
    *("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"),
    # it may read what root may, as the interpreter can be in a folder of root's; and nothing else
    *("--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"),
    *("--bounding-set", "-all,+dac_read_search"),
)
"""Words before the command of a user who has no name, no home and no rights."""

WITHOUT_SHARED_MEMORY = ("unshare", "-m", "sh", "-c", 'umount -l /dev/shm; exec "$@"', "sh")

SMALL_MACHINE = (
    *(sys.executable, "-c"),
    "import os, resource, sys\n"
    "if hasattr(os, 'sched_setaffinity'):\n"
    "    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
    "os.execv(sys.argv[1], sys.argv[1:])",
)
"""Words before a command that then has one core and 64 file descriptors."""

GUARD = """
import os, sys

def refuse(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto"):
        host = arguments[1][0] if isinstance(arguments[1], tuple) else None
    elif event in ("socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost", "::1", "0.0.0.0") or str(host).startswith("127."):
        return
    with open(os.environ["TRIED"], "a") as tried:
        tried.write(f"{event} {host} {sys.argv}\\n")
    raise OSError(101, "Network is unreachable")

sys.addaudithook(refuse)
"""
"""A ``sitecustomize`` that notes and refuses what would leave this machine."""

NO_NETWORK = (
    *("unshare", "-rn", sys.executable, "-c"),
    "import fcntl, os, socket, struct, sys\n"
    "with socket.socket() as one:\n"  # kernels are talked to on the loopback, which begins down
    "    fcntl.ioctl(one, 0x8914, struct.pack('16sH', b'lo', 0x41))\n"
    "os.execv(sys.argv[1], sys.argv[1:])",
)
"""Words before a command that then has no network but itself."""


pytestmark = pytest.mark.skipif(os.name == "nt", reason="these surroundings are POSIX's")


def can(before: tuple[str, ...]) -> bool:
    """Whether these words can be put before a command here."""
    if shutil.which(before[0]) is None:
        return False
    command = [*before, sys.executable, "-c", "pass"]
    return subprocess.run(command, capture_output=True).returncode == 0


def assert_same(small: SmallRun, done: subprocess.CompletedProcess[str], out: Path) -> None:
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    small.assert_whole(out)


@pytest.mark.slow
def test_paths_of_any_name(small, tmp_path):
    """Of the checkout, the cache, the temporary folder and the reports, whose links lead to them;
    by the script, as a user would.
    """
    root = tmp_path / NAME
    root.mkdir()
    copy_checkout(root)
    shutil.copytree(small.cache, root / "cache")
    (root / "tmp").mkdir()
    done = subprocess.run(
        ["bash", str(root / "run_all.sh"), "--out", str(root / "reports of it")],
        env={
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "DIFFUSED_REDUNDANCY_CACHE": str(root / "cache"),
            "DIFFUSED_REDUNDANCY_ENVIRONMENT": "active",
            "VIRTUAL_ENV": sys.prefix,
            "TMPDIR": str(root / "tmp"),
        },
        capture_output=True,
        text=True,
        cwd="/",
    )
    out = root / "reports of it"
    assert_same(small, done, out)
    assert {path.name for path in tmp_path.iterdir()} == {NAME}
    pages = [out / "index.html", out / "miniature" / "01_small.html"]
    for page in pages:
        for link in re.findall(r'(?:href|src)="([^"#:]+)[#"]', page.read_text(encoding="utf-8")):
            path = unquote(urlsplit(link.replace("&amp;", "&")).path)
            assert (page.parent / path).exists(), f"{page.name}: {link}"


@pytest.mark.slow
def test_no_home_and_the_c_locale(small, tmp_path):
    """The environment has a PATH, the C locale and nothing else."""
    bare = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    assert_same(small, small.run(tmp_path / "gäbe", around=bare), tmp_path / "gäbe")


@pytest.mark.slow
def test_one_core_and_few_file_descriptors(small, tmp_path):
    assert_same(small, small.run(tmp_path, before=SMALL_MACHINE), tmp_path)


@pytest.mark.slow
def test_no_shared_memory(small, tmp_path):
    as_root("take /dev/shm away from a process")
    if not can(WITHOUT_SHARED_MEMORY):
        pytest.skip("no permission to take /dev/shm away")
    assert_same(small, small.run(tmp_path, before=WITHOUT_SHARED_MEMORY), tmp_path)


@pytest.fixture
def unprivileged():
    """Words before the command of a user without rights; the variables such a user has."""
    as_root("become another user")
    if not can(UNPRIVILEGED):
        pytest.skip("no permission to become another user")
    keep = {name: value for name, value in os.environ.items() if name not in ("HOME", "TMPDIR")}
    return {"before": UNPRIVILEGED, "around": keep}


@pytest.mark.slow
def test_a_user_without_rights_name_or_home(small, tmp_path, unprivileged):
    out, cache = tmp_path / "reports", tmp_path / "cache"
    shutil.copytree(small.cache, cache)
    out.mkdir()
    for path in (out, cache, *cache.rglob("*")):
        os.chown(path, 54321, 54321)
    assert_same(small, small.run(out, cache=cache, **unprivileged), out)


@pytest.mark.slow
def test_what_a_user_without_rights_or_home_is_told(small, tmp_path, unprivileged):
    """One line each: which folder may not be written to, which variable names another."""
    done = small.run(tmp_path / "reports", **unprivileged)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]  # matplotlib says before that it has no home
    assert f"cannot write to {tmp_path / 'reports'}: no write permission" in last
    code = (
        "import diffused_redundancy as dr, sys\n"
        "try: dr.Cache()\n"
        "except dr.InputError as error: sys.exit(str(error))\n"
    )
    around = {"PATH": os.environ["PATH"], "PYTHONPATH": str(small.root / "lib")}
    asked = subprocess.run(
        [*UNPRIVILEGED, sys.executable, "-c", code], env=around, capture_output=True, text=True
    )
    said = "this user has no home folder: set DIFFUSED_REDUNDANCY_CACHE to a folder\n"
    assert asked.stderr == said


@pytest.fixture
def guarded(tmp_path):
    """The environment of processes that are watched, and the file that tells what they tried."""
    place, tried = tmp_path / "guard", tmp_path / "tried"
    place.mkdir()
    (place / "sitecustomize.py").write_text(GUARD)
    return {**os.environ, "PYTHONPATH": str(place), "TRIED": str(tried)}, tried


def test_the_guard_sees_what_leaves_this_machine(guarded):
    environment, tried = guarded
    code = (
        "import socket, urllib.request, contextlib\n"
        "for one in ('http://192.0.2.1/', 'http://example.org/'):\n"
        "    with contextlib.suppress(OSError): urllib.request.urlopen(one, timeout=1)\n"
        "with socket.create_server(('127.0.0.1', 0)) as here:\n"
        "    socket.create_connection(here.getsockname()).close()\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    noted = tried.read_text()
    assert "192.0.2.1" in noted and "example.org" in noted and "127.0.0.1" not in noted


@pytest.mark.slow
def test_a_run_from_nothing_needs_and_tries_no_network(small, tmp_path, guarded):
    """From an empty cache: no download, no telemetry, no look for a newer version. What Python
    tries is noted in every process; where this system allows, there is no network either.
    """
    environment, tried = guarded
    out, cache = tmp_path / "reports", tmp_path / "cache"
    before = NO_NETWORK if can(NO_NETWORK) else ()
    done = small.run(out, cache=cache, around=environment, before=before)
    assert done.returncode == 0, done.stderr
    assert not tried.exists(), tried.read_text()
    assert numbers(out) == small.numbers
