"""The files that people hold: what is in them is measured, or one line says what to do."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import make_layer
from diffused_redundancy.__main__ import main
from diffused_redundancy.commands import arrays as command
from diffused_redundancy.store.featurefile import contents, read_features

X, Y = make_layer(n=90, d=12, classes=3, dtype="float32")
WORDS = np.array(["ant", "bee", "cat"])


def npz(path, **arrays):
    np.savez(path.with_suffix(".npz"), **arrays)
    return path.with_suffix(".npz")


def npy(path, array):
    np.save(path.with_suffix(".npy"), array)
    return path.with_suffix(".npy")


def shards(path, array=X, names="part{:02}"):
    path.mkdir()
    for i, part in enumerate(np.array_split(array, 12)):
        npy(path / names.format(i), part)
    return path


def torch_file(path, held):
    torch.save(held, path.with_suffix(".pt"))
    return path.with_suffix(".pt")


def parquet(path, features=None, labels=WORDS[Y], rows=40):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"emb": list(X) if features is None else features, "label": labels})
    frame.to_parquet(path.with_suffix(".parquet"), row_group_size=rows)
    return path.with_suffix(".parquet")


def hdf5(path, features=X):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path.with_suffix(".h5"), "w") as stored:
        stored["layer/X"], stored["layer/y"] = features, WORDS[Y].tolist()
    return path.with_suffix(".h5")


def named(path):
    path.mkdir()
    npy(path / "features", X)
    npy(path / "labels", Y)
    return path


BOTH = ("--features", "features", "--labels", "labels")
TAKEN = {
    "names": (lambda path: npz(path, features=X, labels=Y), BOTH),
    "numbered": (lambda path: npz(path, arr_0=X, arr_1=Y), ("--features=arr_0", "--labels=arr_1")),
    "capitals": (lambda path: npz(path, X_train=X, y_train=Y).rename(path.with_suffix(".NPZ")), ()),
    "one-hot": (lambda path: npz(path, X_train=X, y_train=np.eye(3)[Y]), ()),
    "a column": (lambda path: npz(path, X_train=X, y_train=Y[:, None]), ()),
    "floats": (lambda path: npz(path, X_train=X, y_train=Y.astype("f4")), ()),
    "a folder of arrays": (named, BOTH),
    "torch": (
        lambda path: torch_file(path, {"features": torch.tensor(X), "labels": Y.tolist()}),
        BOTH,
    ),
    "a pair": (
        lambda path: torch_file(path, (torch.tensor(X), torch.tensor(Y))),
        ("--features=0", "--labels=1"),
    ),
    "parquet": (parquet, ("--features=emb", "--labels=label")),
    "categories": (
        lambda path: parquet(path, labels=pd.Categorical(WORDS[Y])),
        ("--features=emb", "--labels=label"),
    ),
    "hdf5": (hdf5, ("--features=layer/X", "--labels=layer/y")),
    "big-endian": (
        lambda path: hdf5(path, X.astype(">f8")),
        ("--features=layer/X", "--labels=layer/y"),
    ),
    "maps": (
        lambda path: npz(path, X_train=np.stack([X - 1, X + 1], 2)[..., None], y_train=Y),
        ("--pool", "mean"),
    ),
    "tokens": (lambda path: npz(path, X_train=np.stack([X, X * 0], 1), y_train=Y), ("--pool=cls",)),
    "npy": (lambda path: npy(path, X), "labels"),
    "shards": (shards, "labels"),
    "a tensor": (lambda path: torch_file(path, torch.tensor(X, requires_grad=True)), "labels"),
}


@pytest.mark.parametrize("in_slices", [False, True])
@pytest.mark.parametrize("kind", TAKEN)
def test_what_people_hold_is_measured(tmp_path, capsys, monkeypatch, kind, in_slices):
    make, words = TAKEN[kind]
    path = make(tmp_path / "given")
    if words == "labels":
        words = ("--labels", str(npy(tmp_path / "labels", Y)))
    if in_slices:
        monkeypatch.setattr(
            command, "read_features", lambda path, names: read_features(path, names, whole_below=0)
        )
    out = tmp_path / "out"
    assert main(["measure", str(path), "--out", str(out), "--seeds", "1", *words]) == 0
    values = pd.read_csv(out / "curves.csv")["value"]
    expected = dr.measure(X, Y, seeds=1).to_frame()["value"]
    assert np.allclose(values, expected, atol=1e-5)
    said = capsys.readouterr().out
    for name in ("features", "layer/X", "arr_0", "emb"):
        assert (f"{name} as X_train" in said) == (f"--features={name}" in "=".join(words))


def test_a_test_part_has_the_name_of_the_train_part(tmp_path, capsys):
    path = npz(tmp_path / "a", x_train=X[:60], Y_train=Y[:60], x_test=X[60:], Y_test=Y[60:])
    words = ["--features", "x_train", "--labels", "Y_train", "--seeds", "1"]
    assert main(["measure", str(path), "--out", str(tmp_path / "out"), *words]) == 0
    assert "x_test as X_test, Y_test as y_test" in capsys.readouterr().out
    expected = dr.measure(X[:60], Y[:60], X[60:], Y[60:], seeds=1).to_frame()["value"]
    assert np.allclose(pd.read_csv(tmp_path / "out" / "curves.csv")["value"], expected)


def test_labels_that_were_not_named_are_said(tmp_path, capsys):
    path = npz(tmp_path / "a", features=X, labels=Y)
    words = ["--features", "features", "--out", str(tmp_path / "out"), "--seeds", "1"]
    assert main(["measure", str(path), *words]) == 0
    assert "a.npz also holds labels: --labels NAME takes them" in capsys.readouterr().out


def empty(path):
    path.with_suffix(".pt").touch()
    return path.with_suffix(".pt")


def pointer(path):
    path.with_suffix(".npy").write_text("version https://git-lfs.github.com/spec/v1\n")
    return path.with_suffix(".npy")


def pickled(path):
    path.with_suffix(".pkl").write_bytes(pickle.dumps({"X_train": X}))
    return path.with_suffix(".pkl")


def folder(path):
    path.mkdir()
    return path


LISTED = (
    "it holds features (90, 12) float32, labels (90,) int64; say --features features "
    "--labels labels"
)
REFUSED = {
    "names": (lambda path: npz(path, features=X, labels=Y), (), LISTED),
    "folder": (named, (), LISTED),
    "case": (
        lambda path: npz(path, x_train=X, Y_train=Y),
        (),
        "say --features x_train --labels Y_train",
    ),
    "numbered": (
        lambda path: npz(path, arr_0=X, arr_1=Y),
        (),
        "say --features arr_0 --labels arr_1",
    ),
    "near": (lambda path: npz(path, a=X, feats=X), ("--features", "feat"), "say --features feats"),
    "labels": (
        lambda path: npz(path, X_train=X, labels=Y),
        ("--labels", "lables"),
        "has no array 'lables' for --labels, and there is no such file",
    ),
    "none": (lambda path: npz(path, y=Y), (), "none of them can be features"),
    "unnamed": (lambda path: npy(path, X), ("--features", "x"), "leave out --features"),
    "objects": (
        lambda path: npz(path, X_train=X, y_train=WORDS[Y].astype(object)),
        (),
        "y_train of {path} holds Python objects, which would have to run code to be read: refused",
    ),
    "object": (lambda path: npy(path, np.array([{}], object)), (), "array.astype(str)"),
    "pickle": (pickled, (), "is a pickle, which runs code when it is read: refused"),
    "code": (
        lambda path: torch_file(path, {"a": Path("b")}),
        (),
        "torch.load(..., weights_only=False)",
    ),
    "arrays": (lambda path: torch_file(path, {"a": X}), (), "torch.load(..., weights_only=False)"),
    "sparse": (
        lambda path: torch_file(path, torch.tensor(X).to_sparse()),
        (),
        "give X_train.to_dense()",
    ),
    "bfloat16": (
        lambda path: npz(path, X_train=X.view("u4").astype("u2").view("V2")),
        (),
        "X_train holds |V2, bare pairs of bytes, as which NumPy stores JAX's bfloat16",
    ),
    "one image": (lambda path: npz(path, X_train=X[:1]), (), "X_train holds one image"),
    "unlabelled": (lambda path: npz(path, X_train=X, y_train=Y - 1), (), "holds -1 for"),
    "order": (lambda path: shards(path, names="p{}"), (), "by name p11.npy comes before p2.npy"),
    "empty": (empty, (), "is empty"),
    "pointer": (pointer, (), "run git lfs pull"),
    "no shards": (folder, (), "holds no .npy, .safetensors, .parquet file"),
    "tokens": (lambda path: npz(path, X_train=X[:, None]), (), "pool 'mean' or 'max' reduces maps"),
    "uneven": (
        lambda path: parquet(path, [*X[:-1], X[0, :3]]),
        ("--features", "emb"),
        "lists that differ in length (from row 80 on)",
    ),
    "null": (
        lambda path: parquet(path, [*X[:-1], None]),
        ("--features", "emb"),
        "is null at row 89",
    ),
    "null label": (
        lambda path: parquet(path, labels=pd.Series([1, None] * 45)),
        ("--features", "emb", "--labels", "label"),
        "y_train has no label for 45 of 90 images (first: row 1",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_measured_is_one_line(tmp_path, capsys, kind):
    make, words, expected = REFUSED[kind]
    path = make(tmp_path / "given")
    assert main(["measure", str(path), "--out", str(tmp_path / "out"), *words]) == 2
    said = capsys.readouterr().err
    assert expected.format(path=path) in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix, extra", [(".parquet", "parquet"), (".h5", "hdf5")])
def test_a_format_whose_package_is_missing(tmp_path, monkeypatch, suffix, extra):
    (tmp_path / f"a{suffix}").write_bytes(b"something")
    for package in ("pyarrow", "h5py"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(dr.InputError, match=rf"pip install 'diffused-redundancy\[{extra}\]'"):
        contents(tmp_path / f"a{suffix}")


def test_rows_of_shards_and_groups_are_those_of_the_whole(tmp_path):
    for path, name in ((shards(tmp_path / "s"), "x"), (parquet(tmp_path / "p"), "emb")):
        rows = read_features(path, (name,), whole_below=0)[name]
        assert rows.shape == X.shape and rows.dtype == X.dtype
        for start, stop in ((0, 90), (5, 8), (39, 41), (70, 200), (3, 3)):
            assert np.array_equal(rows[start:stop], X[start:stop])


def test_a_path_is_no_array():
    with pytest.raises(dr.InputError, match="X is the path a.npz: give the array that it holds"):
        dr.measure("a.npz")
