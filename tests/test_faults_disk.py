"""Disks that are full or read-only, cache entries that are damaged, clocks that are set back: one
line, nothing half-written, nothing wrong believed.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import diffused_redundancy as dr
import numpy as np
import pytest
from small_run import leftovers, mounted

KEY = {"kind": "test", "a": 1}
ENTRY = {"x": np.arange(1000.0)}


def fill(folder: Path, *, free: int = 0) -> None:
    """Fill a disk but for some bytes."""
    about = os.statvfs(folder)
    (folder / "filler").write_bytes(bytes(about.f_bavail * about.f_frsize - free))


@pytest.mark.slow
def test_a_disk_that_is_full_under_the_cache(small, tmp_path):
    out = tmp_path / "reports"
    with mounted(tmp_path / "disk", "size=1m") as disk:
        fill(disk, free=8 << 10)
        done = small.run(out, cache=disk)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        assert "01_small: FAILED" in done.stderr and "the disk is full" in done.stderr
        assert not leftovers(disk) and not list(disk.rglob("*.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("free", [0, 24 << 10], ids=["nothing", "a little"])
def test_a_disk_that_is_full_under_the_reports(small, tmp_path, free):
    """What was computed is in the cache, and with room the same command goes on."""
    with mounted(tmp_path / "disk", "size=4m") as disk:
        fill(disk, free=free)
        done = small.run(disk / "reports")
        assert done.returncode in (1, 2) and "Traceback" not in done.stderr, done.stderr
        assert "the disk is full" in done.stderr.lower()
        assert not leftovers(disk)
        for path in disk.rglob("*.json"):
            json.loads(path.read_text())
        if free:
            return
        (disk / "filler").unlink()
        done = small.run(disk / "reports")
        assert done.returncode == 0, done.stderr
        small.assert_whole(disk / "reports")


@pytest.mark.slow
def test_a_disk_that_is_full_under_the_temporary_folder(small, tmp_path):
    """A run needs none of it."""
    with mounted(tmp_path / "disk", "size=64k") as disk:
        fill(disk)
        done = small.run(tmp_path / "reports", around={**os.environ, "TMPDIR": str(disk)})
        assert done.returncode == 0, done.stderr
        small.assert_whole(tmp_path / "reports", disk)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["cache", "reports"])
def test_a_folder_that_is_read_only(small, tmp_path, what):
    """One line and status 2, before anything is computed."""
    with mounted(tmp_path / "disk") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        places = {"reports": tmp_path / "reports", "cache": small.cache, what: disk / what}
        done = small.run(places["reports"], cache=places["cache"])
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert f"cannot write to {disk / what}: the file system is read-only" in done.stderr


def damaged(content: bytes, how: str) -> bytes:
    """A file of the cache that is not what it was."""
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    if how == "of another version":
        header["__metadata__"] = {"format": "2"}
    elif how == "without notes":
        del header["__metadata__"]
    elif how == "of another type":
        header["x"] |= {"dtype": "BF16", "shape": [len(data) // 2]}
    elif how == "of an unknown type":
        header["x"]["dtype"] = "F4096"
    elif how == "other numbers":
        data = bytes(len(data))
    elif how == "too long":
        data += b"more"
    elif how == "half":
        return content[: len(content) // 2]
    elif how == "a huge header":
        return struct.pack("<Q", 1 << 60) + content[8:]
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


HARM = (
    *("of another version", "without notes", "of another type", "of an unknown type"),
    *("other numbers", "too long", "half", "a huge header"),
)


@pytest.mark.parametrize("mapped", [False, True], ids=["read", "mapped"])
@pytest.mark.parametrize("how", HARM)
def test_a_damaged_entry_is_rebuilt(tmp_path, caplog, monkeypatch, how, mapped):
    if mapped:  # as of more than a gigabyte
        monkeypatch.setattr(dr.store.tensors.read, "__kwdefaults__", {"mapped": 0})
    cache = dr.Cache(tmp_path)
    cache.put(KEY, ENTRY)
    path = cache.path(KEY)
    path.write_bytes(damaged(path.read_bytes(), how))
    assert np.array_equal(cache.get_or_compute(KEY, lambda: ENTRY)["x"], ENTRY["x"])
    assert "it is rebuilt" in caplog.text and cache.misses == 1
    assert np.array_equal(cache.get(KEY)["x"], ENTRY["x"])


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are POSIX's")
@pytest.mark.parametrize("what", ["another entry", "nothing", "itself", "a device", "a pipe"])
def test_an_entry_replaced_by_a_link_is_rebuilt(tmp_path, what):
    """The link is replaced; what it leads to is left alone. Nothing waits for a pipe."""
    cache = dr.Cache(tmp_path)
    other = {**KEY, "a": 2}
    cache.put(other, {"x": np.zeros(3)})
    path = cache.path(KEY)
    targets = {"another entry": cache.path(other), "nothing": tmp_path / "none", "itself": path}
    if what == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(targets.get(what, Path("/dev/zero")))
    assert np.array_equal(cache.get_or_compute(KEY, lambda: ENTRY)["x"], ENTRY["x"])
    assert path.is_file() and not path.is_symlink()
    assert np.array_equal(cache.get(other)["x"], np.zeros(3))


@pytest.mark.parametrize("what", ["entry", "lock", "kind"])
def test_a_folder_or_a_file_in_the_way(tmp_path, what):
    """Said before anything is computed; nothing is removed that the cache did not make."""
    cache = dr.Cache(tmp_path)
    path = cache.path(KEY)
    places = {"entry": path, "lock": path.with_suffix(".lock"), "kind": path.parent}
    if what == "kind":
        places[what].write_text("mine")
    else:
        places[what].mkdir(parents=True)
        (places[what] / "mine").write_text("mine")
    with pytest.raises(dr.InputError, match="in the way|part of the path is a file") as caught:
        cache.get_or_compute(KEY, lambda: pytest.fail("computed in vain"))
    assert "\n" not in str(caught.value) and str(places[what]) in str(caught.value)
    mine = places[what] if what == "kind" else places[what] / "mine"
    assert mine.read_text() == "mine"


def test_a_clock_that_was_set_back(tmp_path):
    """Entries of a time to come are used, and --force makes them anew like all others."""
    cache = dr.Cache(tmp_path, refresh_before=0)
    cache.put(KEY, {"x": np.zeros(1)})
    later = time.time() + 86_400
    os.utime(cache.path(KEY), (later, later))
    assert cache.get_or_compute(KEY, lambda: pytest.fail("it is there"))["x"][0] == 0
    forced = dr.Cache(tmp_path, refresh_before=time.time() - 1)
    assert forced.get_or_compute(KEY, lambda: {"x": np.ones(1)})["x"][0] == 1
    assert forced.get_or_compute(KEY, lambda: pytest.fail("it was made in this run"))["x"][0] == 1


@pytest.mark.slow
def test_reports_of_a_time_to_come_are_up_to_date(small, tmp_path):
    out = tmp_path / "reports"
    shutil.copytree(small.out, out)
    later = time.time() + 86_400
    for path in [*out.rglob("*"), *small.cache.rglob("*")]:
        os.utime(path, (later, later))
    assert "01_small: up to date" in small.run(out).stderr
    small.assert_whole(out)
