"""Files and cache: nothing half-written, nothing corrupt believed, nothing computed twice."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
import time

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.store import atomic_path, code_digest, make_folder, write_json, write_text
from diffused_redundancy.store import files as files_module
from diffused_redundancy.store.featurefile import read_features

KEY = {"kind": "test", "a": 1}


def test_a_write_is_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]
    assert stat.S_IMODE(target.stat().st_mode) & 0o444 == 0o444


@pytest.mark.parametrize(
    "number, words",
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "no write permission"),
        (errno.EIO, "cannot write"),
    ],
)
def test_what_the_system_refuses_is_one_line(tmp_path, monkeypatch, number, words):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files_module.os, "replace", refuse)
    with pytest.raises(dr.InputError, match=words) as caught:
        write_json(tmp_path / "a.json", {})
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(
        dr.InputError,
        match="cannot write to .*: (part of the path is a file|a file of that name is in the way)",
    ):
        make_folder(tmp_path / "a" / "b")
    with pytest.raises(dr.InputError, match="a file of that name is in the way"):
        make_folder(tmp_path / "a")


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="permissions of a folder do not bind here"
)
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(dr.InputError, match="no write permission"):
        make_folder(tmp_path / "a")


def test_cache_computes_once(tmp_path):
    cache = dr.Cache(tmp_path)
    calls = []

    def compute():
        calls.append(1)
        return {"x": np.arange(5.0), "empty": np.zeros((0, 3))}

    one, two = cache.get_or_compute(KEY, compute), dr.Cache(tmp_path).get_or_compute(KEY, compute)
    assert len(calls) == 1
    assert np.array_equal(one["x"], two["x"]) and two["empty"].shape == (0, 3)
    cache.get_or_compute({**KEY, "a": 2}, compute)
    assert len(calls) == 2


def test_what_is_computed_together_is_complete(tmp_path):
    cache = dr.Cache(tmp_path)
    keys = {"one": KEY, "two": {**KEY, "a": 2}}
    with pytest.raises(ValueError, match="asked for one, two, compute gave one"):
        cache.get_or_compute_all(keys, lambda names: {"one": {"x": np.ones(2)}}, lock=KEY)
    assert cache.get(KEY) is None  # nothing half done is kept


@pytest.mark.parametrize("harm", ["truncate", "flip", "empty", "other"])
def test_a_corrupt_entry_is_reported_and_rebuilt(tmp_path, caplog, harm):
    cache = dr.Cache(tmp_path)
    expected = {"x": np.arange(1000.0)}
    cache.put(KEY, expected)
    path = cache.path(KEY)
    content = bytearray(path.read_bytes())
    if harm == "truncate":
        content = content[:-100]
    elif harm == "flip":
        content[-50] ^= 1
    elif harm == "empty":
        content = bytearray()
    else:
        cache.put({**KEY, "a": 3}, expected)
        content = bytearray(cache.path({**KEY, "a": 3}).read_bytes())
    path.write_bytes(bytes(content))
    arrays = cache.get_or_compute(KEY, lambda: expected)
    assert np.array_equal(arrays["x"], expected["x"])
    assert "it is rebuilt" in caplog.text
    assert cache.misses == 1
    assert cache.get(KEY) is not None


def test_refreshing_makes_old_entries_anew_once(tmp_path):
    cache = dr.Cache(tmp_path)
    cache.put(KEY, {"x": np.zeros(1)})
    later = dr.Cache(tmp_path, refresh_before=time.time() + 5)
    assert later.get_or_compute(KEY, lambda: {"x": np.ones(1)})["x"][0] == 1
    now = dr.Cache(tmp_path, refresh_before=time.time() - 60)
    assert now.get_or_compute(KEY, lambda: {"x": np.full(1, 2.0)})["x"][0] == 1


def test_two_at_once_compute_once(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        time.sleep(0.2)
        return {"x": np.ones(3)}

    threads = [
        threading.Thread(target=lambda: dr.Cache(tmp_path).get_or_compute(KEY, compute))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_a_change_of_code_changes_the_key():
    assert code_digest("measures") != code_digest("tasks")
    assert code_digest("measures", "tasks") == code_digest("measures", "tasks")


def test_provenance_names_no_path_of_the_machine():
    about = dr.provenance()
    assert about["torch"] and about["commit"]
    assert str(os.path.expanduser("~")) not in json.dumps(about)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("whole_below", [0, 10**9])
def test_feature_files_in_slices(tmp_path, suffix, whole_below):
    X = np.random.default_rng(0).standard_normal((1000, 8)).astype("float32")
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez_compressed(path, X_train=X, y_train=np.arange(1000))
    else:
        from safetensors.numpy import save_file

        save_file({"X_train": X, "y_train": np.arange(1000)}, path)
    arrays = read_features(path, ("X_train", "y_train", "X_test"), whole_below=whole_below)
    assert set(arrays) == {"X_train", "y_train"}
    for rows in (
        slice(0, 10),
        slice(500, 600),
        slice(20, 30),
        slice(990, 1000),
    ):  # forwards and back
        assert np.array_equal(np.asarray(arrays["X_train"][rows]), X[rows])
    a = dr.SufficientStatistics.from_features(arrays["X_train"]).gram
    assert np.allclose(a, dr.SufficientStatistics.from_features(X).gram)


def test_feature_files_that_cannot_be_read(tmp_path):
    with pytest.raises(dr.InputError, match="no file"):
        read_features(tmp_path / "none.npz", ("X_train",))
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(dr.InputError, match="are read from .npz, .npy, .* files, not '.csv'"):
        read_features(tmp_path / "a.csv", ("X_train",))
    for suffix in (".npz", ".safetensors"):
        (tmp_path / f"b{suffix}").write_bytes(b"not what it says")
        with pytest.raises(dr.InputError, match="cannot be read"):
            read_features(tmp_path / f"b{suffix}", ("X_train",))
    np.savez(tmp_path / "c.npz", X_train=np.array([{}], dtype=object))
    with pytest.raises(dr.InputError, match="holds Python objects"):
        read_features(tmp_path / "c.npz", ("X_train",))
