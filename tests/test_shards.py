"""``measure --shard`` and ``merge``: the numbers of one pass, whatever the number of shards and
whatever happens to a process, and one line for what cannot be merged.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import plain
import pytest
from conftest import ROOT, make_layer
from diffused_redundancy.__main__ import main
from diffused_redundancy.cluster import summed_shards
from diffused_redundancy.commands import measure as measuring
from diffused_redundancy.commands import merge as merging
from diffused_redundancy.measures import tree
from diffused_redundancy.measures.statistics import SufficientStatistics
from diffused_redundancy.store import tensors
from diffused_redundancy.store.featurefile import read_features
from sklearn.linear_model import RidgeClassifier

N, D = 90_001, 12  # six leaves, the last of which is short
FSSPEC = "memory://shards-of-a-test"


def layer(dtype="float32"):
    X, y = make_layer(n=N + 500, d=D, classes=4, dtype=dtype)
    return X[:N], y[:N], X[N:], y[N:]


def save_shards(folder, parts, suffix=".npy", count=5):
    """X_train, y_train, X_test and y_test as folders of shards, or as files that hold both."""
    for part, X, y in (("train", *parts[:2]), ("test", *parts[2:])):
        pieces = zip(np.array_split(X, count), np.array_split(y, count), strict=True)
        for i, (some, labels) in enumerate(pieces):
            if suffix == ".npy":
                for name, array in (("X", some), ("y", labels)):
                    (folder / f"{name}_{part}").mkdir(parents=True, exist_ok=True)
                    np.save(folder / f"{name}_{part}" / f"{i:03}.npy", array)
                continue
            (folder / part).mkdir(parents=True, exist_ok=True)
            path = folder / part / f"part-{i:03}{suffix}"
            if suffix == ".safetensors":
                tensors.write(path, {"emb": some, "label": labels}, {})
            else:
                pytest.importorskip("pyarrow")
                frame = pd.DataFrame({"emb": list(some), "label": labels})
                frame.to_parquet(path, row_group_size=5000)
    return folder


NAMED = ("--features", "train/emb", "--labels", "train/label")


def sum_up(source, out, of, *words):
    for i in range(1, of + 1):
        assert (
            main(["measure", str(source), "--shard", f"{i}/{of}", "--out", str(out), *words]) == 0
        )
    return out


@pytest.fixture(autouse=True)
def result(monkeypatch):
    """What the last ``merge`` measured; figures take longer than all the rest and are not drawn."""

    def last():
        return last.result

    def written(request, result, cost):
        last.result, last.cost = result, cost
        return "\n".join(result.notes)

    monkeypatch.setattr(merging, "written", written)
    return last


@pytest.mark.parametrize("dtype, suffix", [("float32", ".npy"), ("float64", ".safetensors")])
def test_the_numbers_are_those_of_one_pass_to_the_bit_for_any_number_of_shards(
    tmp_path, result, dtype, suffix
):
    parts = layer(dtype)
    source = save_shards(tmp_path / "given", parts, suffix)
    words = () if suffix == ".npy" else NAMED
    how = ["--seeds", "2", "--penalty", "0.01"]
    results = []
    for of in (1, 2, 3, 7):
        assert main(["merge", str(sum_up(source, tmp_path / str(of), of, *words)), *how]) == 0
        results.append(result())
    whole = dr.measure(*parts, seeds=2, penalty=0.01)
    assert list(results[0].curves) == list(whole.curves)
    for name, curve in whole.curves.items():
        ours = [one.curves[name].values for one in results]
        assert all(np.array_equal(one, other) for one, other in pairwise(ours))
        assert np.abs(ours[0] - curve.values).max() <= (0 if "ridge" in name[0] else 1e-12)
    assert {**results[0].about, "diagonal_share": 0} == {**whole.about, "diagonal_share": 0}
    assert results[0].classes == whole.classes


def test_against_plain_computation(tmp_path, result):
    X, y, X_test, y_test = layer("float64")
    source = save_shards(tmp_path / "given", (X, y, X_test, y_test))
    out = sum_up(source, tmp_path / "out", 3)
    assert (
        main(["merge", str(out), "--seeds", "1", "--penalty", "0.1", "--selection", "first"]) == 0
    )
    strength = 0.1 * N * X.var(0).mean()
    for k in (1, 5, D):
        assert result().curve("cka").at(k)[0] == pytest.approx(plain.cka(X[:, :k], X), abs=1e-12)
        theirs = RidgeClassifier(alpha=strength).fit(X[:, :k], y)
        assert result().accuracy.at(k)[0] == theirs.score(X_test[:, :k], y_test)


def test_the_penalty_is_chosen_by_images_left_out_of_all(tmp_path, result, monkeypatch, capsys):
    monkeypatch.setattr(summed_shards, "MOST_KEPT", 3000)
    parts = layer()
    out = sum_up(save_shards(tmp_path / "given", parts), tmp_path / "out", 2)
    assert main(["merge", str(out), "--seeds", "1"]) == 0
    assert "leaving 2904 of 90001 train images, one in 31, out of all" in capsys.readouterr().out
    whole = dr.measure(*parts, seeds=1)
    grid = dr.RidgeProbe(dr.Features(*parts)).choose_penalty().grid
    places = [grid.index(one.penalties["ridge"]) for one in (result(), whole)]
    assert abs(places[0] - places[1]) <= 1


def test_few_images_have_the_penalty_and_intervals_of_one_pass(tmp_path, result):
    X, y = make_layer(n=450, d=D, classes=3)
    parts = X[:400], y[:400], X[400:], y[400:]
    out = sum_up(save_shards(tmp_path / "given", parts), tmp_path / "out", 4)  # three are empty
    assert main(["merge", str(out), "--seeds", "2", "--standardize"]) == 0
    whole = dr.measure(*parts, seeds=2, standardize=True)
    assert result().penalties == whole.penalties and result().notes == whole.notes
    for measure in whole.measures:
        ours, theirs = (one.redundancy(0.9, measure) for one in (result(), whole))
        assert (ours.value, ours.low, ours.high) == pytest.approx(
            (theirs.value, theirs.low, theirs.high)
        )


@pytest.mark.parametrize("labels", ["words", "-1 and 1", "by class", "one-hot"])
def test_labels_of_all_kinds_and_orders(tmp_path, result, labels):
    X, y, X_test, y_test = layer()
    if labels == "-1 and 1":
        y, y_test = 2 * (y > 1) - 1, 2 * (y_test > 1) - 1
    if labels in ("by class", "-1 and 1"):  # leaves lack classes
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
    if labels == "words":
        y, y_test = (np.array(["bee", "ant", "a wasp", "fly"])[one] for one in (y, y_test))
    given = (X, y, X_test, y_test)
    if labels == "one-hot":
        given = (X, np.eye(4)[y], X_test, np.eye(4)[y_test])
    out = sum_up(save_shards(tmp_path / "given", given), tmp_path / "out", 2)
    assert main(["merge", str(out), "--seeds", "1", "--penalty", "0.01"]) == 0
    whole = dr.measure(X, y, X_test, y_test, seeds=1, penalty=0.01)
    assert np.array_equal(result().accuracy.values, whole.accuracy.values)
    assert result().classes == whole.classes


def test_labels_in_a_folder_of_their_own(tmp_path, result, monkeypatch):
    parts = layer()
    source = save_shards(tmp_path / "given", parts)
    (tmp_path / "labels").mkdir()
    for name in ("y_train", "y_test"):
        shutil.move(source / name, tmp_path / "labels" / name)
    monkeypatch.chdir(tmp_path)  # a path that counts from here is one from anywhere
    out = sum_up("given", tmp_path / "out", 2, "--labels", "labels")
    monkeypatch.chdir(source)
    assert main(["merge", str(out), "--seeds", "1", "--penalty", "0.01"]) == 0
    whole = dr.measure(*parts, seeds=1, penalty=0.01)
    assert np.array_equal(result().accuracy.values, whole.accuracy.values)


def test_constant_neurons_are_dropped(tmp_path, result, capsys):
    X, y, X_test, y_test = layer("float64")
    X[:, 3] = X_test[:, 3] = 0.1
    out = sum_up(save_shards(tmp_path / "given", (X, y, X_test, y_test)), tmp_path / "out", 2)
    assert main(["merge", str(out)]) == 2 and "(index 3)" in capsys.readouterr().err
    rule = {"seeds": 1, "penalty": 0.01, "constant": "drop"}
    words = [word for name, value in rule.items() for word in (f"--{name}", str(value))]
    assert main(["merge", str(out), *words]) == 0
    whole = dr.measure(X, y, X_test, y_test, **rule)
    for name, curve in whole.curves.items():
        assert np.abs(result().curves[name].values - curve.values).max() <= 1e-12


def test_the_files_are_those_of_measure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(merging, "written", measuring.written)
    source = save_shards(tmp_path / "given", layer())
    words = ["--seeds", "2", "--penalty", "0.01"]
    assert main(["merge", str(sum_up(source, tmp_path / "a", 2)), *words]) == 0
    assert "Report: " in capsys.readouterr().out and (tmp_path / "a" / "report.html").is_file()
    assert main(["measure", str(source), "--out", str(tmp_path / "b"), *words]) == 0
    ours, theirs = (json.loads((tmp_path / name / "summary.json").read_text()) for name in "ab")
    assert set(ours) - set(theirs) == {"shards", "seconds_of_shards", "seconds_of_longest_shard"}
    assert ours["shards"] == 2
    for name in ("features", "n_train", "n_test", "d", "classes", "penalties", "seeds"):
        assert ours[name] == theirs[name]
    assert [row["k"] for row in ours["DR"]] == [row["k"] for row in theirs["DR"]]
    curves = [(tmp_path / name / "curves.csv").read_text() for name in "ab"]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("leaves", [1, 2, 5, 13, 64, 1000])
def test_the_tree_is_the_same_for_all_shards(leaves):
    def fold(nodes):  # a leaf is its number, a node a pair
        return tree.root(leaves * tree.LEAF_ROWS, nodes, lambda node: nodes[node])

    class Pair(tuple):
        def __add__(self, other):
            return Pair((self, other))

    whole = None
    for of in (1, 2, 3, 7, 40):
        nodes, most, seen = {}, 0, []
        for i in range(1, of + 1):
            part = tree.shard_leaves(leaves * tree.LEAF_ROWS, i, of)
            some = dict(tree.sum_leaves(part, lambda leaf: Pair((leaf,))))
            nodes, most, seen = nodes | some, max(most, len(some)), [*seen, *part]
        assert seen == list(range(leaves)) and most <= 8
        whole = whole or fold(nodes)
        assert fold(nodes) == whole


def test_a_leaf_names_its_rows_and_gives_each_block_once(monkeypatch):
    monkeypatch.setattr(tree, "LEAF_ROWS", 8)
    monkeypatch.setattr(tree, "BLOCK_ROWS", 4)
    X, y = np.arange(28.0).reshape(14, 2), np.arange(14) % 3 * 10
    kept = []
    how = {"centre": None, "device": "cpu", "keep": lambda *given: kept.append(given)}
    part = tree.sum_leaf(X, y, 1, **how)
    assert part.classes.tolist() == [0, 10, 20] and part.statistics.n == 6
    assert [first for first, *_ in kept] == [8, 12]
    assert np.concatenate([some for *_, some in kept]).tolist() == y[8:].tolist()
    X[13, 1] = np.nan
    with pytest.raises(dr.InputError, match=r"in rows 8 to 13, from 0 there: X\[5, 1\] is nan"):
        tree.sum_leaf(X, y, 1, **how)


def test_labels_of_parts_that_do_not_go_together():
    statistics = SufficientStatistics.from_features(np.eye(3), [0, 1, 1], device="cpu")
    words, numbers = (tree.Part(statistics, np.array(c)) for c in (["cat", "dog"], [4, 7]))
    with pytest.raises(
        dr.InputError, match="words, others numbers, such as cat and 4: give all alike"
    ):
        words + numbers
    tree.check_marks(np.array([-1, 1]))
    with pytest.raises(dr.InputError, match="y_train holds -1, the mark of images without a label"):
        tree.check_marks(np.array([-1, 0, 1]))


def test_statistics_are_stored_and_narrowed(tmp_path):
    X, y, *_ = layer("float64")
    all_of_them = SufficientStatistics.from_features(X, y, device="cpu")
    tensors.write(tmp_path / "a", all_of_them.arrays(), {})
    again = SufficientStatistics.from_arrays(tensors.read(tmp_path / "a")[0], "cpu")
    some = SufficientStatistics.from_features(X[:, [4, 1]], y, device="cpu")
    for one, other in ((again, all_of_them), (again.columns([4, 1]), some)):
        assert one.n == other.n and one.d == other.d
        assert np.allclose(one.gram, other.gram) and np.allclose(one.mean, other.mean)
        assert np.allclose(one.class_sums, other.class_sums)
        assert one.num_classes == other.num_classes
        assert one.class_counts.tolist() == other.class_counts.tolist()
    bare = SufficientStatistics.from_arrays(SufficientStatistics.from_features(X).arrays())
    assert bare.num_classes is None and bare.class_counts is None and bare.n == len(X)


def test_a_pass_over_a_file_does_not_read_it_whole(tmp_path, monkeypatch):
    """CKA alone: one pass, and a few images for the interval."""
    X, *_ = layer()
    np.save(tmp_path / "a.npy", X)
    largest = []
    original = measuring.read_arrays

    def watched(place, *names):
        fetch = place._fetch
        place._fetch = lambda start, stop: largest.append(stop - start) or fetch(start, stop)
        return original(place, *names, whole_below=0)

    monkeypatch.setattr(measuring, "read_arrays", watched)
    assert main(["measure", str(tmp_path / "a.npy"), "--out", str(tmp_path / "out")]) == 0
    assert max(largest) <= 4000 * D * 4
    assert sum(largest) == json.loads((tmp_path / "out/summary.json").read_text())["bytes_read"]
    assert sum(largest) < 1.1 * X.nbytes


@pytest.mark.parametrize("suffix", [".npy", ".safetensors", ".parquet"])
def test_features_behind_a_url_are_read_once(tmp_path, result, suffix):
    import fsspec

    X, y, X_test, y_test = layer()
    local = save_shards(tmp_path / "given", (X, y, X_test, y_test), suffix)
    memory = fsspec.filesystem("memory")
    memory.put(str(local), "/shards-of-a-test", recursive=True)
    try:
        words = () if suffix == ".npy" else NAMED
        out = sum_up(FSSPEC, tmp_path / "out", 2, *words)
        assert main(["merge", str(out), "--seeds", "1", "--penalty", "0.01"]) == 0
        whole = dr.measure(X, y, X_test, y_test, seeds=1, penalty=0.01)
        for name, curve in whole.curves.items():
            assert np.abs(result().curves[name].values - curve.values).max() <= 1e-12
        stored = sum(
            file["size"] for file in memory.find("/shards-of-a-test", detail=True).values()
        )
        read = result.cost["bytes_read"]
        # besides, each shard reads the first 4,000 rows, 4% of these, and all three read headers
        headers = 3 * 10 * (2**16 if suffix == ".parquet" else 2 * 2 * 4096)
        assert 0.98 * stored < read < 1.3 * stored + headers
    finally:
        memory.rm("/shards-of-a-test", recursive=True)


def test_an_s3_server(tmp_path, result, monkeypatch):
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    import s3fs

    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
            ("AWS_ACCESS_KEY_ID", "any"),
            ("AWS_SECRET_ACCESS_KEY", "any"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ):
            monkeypatch.setenv(name, value)
        X, y, X_test, y_test = layer()
        local = save_shards(tmp_path / "given", (X, y, X_test, y_test), ".safetensors")
        remote = s3fs.S3FileSystem(skip_instance_cache=True)
        remote.mkdir("bucket")
        remote.put(str(local), "bucket/features", recursive=True)
        out = sum_up("s3://bucket/features/", tmp_path / "out", 2, *NAMED)
        assert main(["merge", str(out), "--seeds", "1", "--penalty", "0.01"]) == 0
        whole = dr.measure(X, y, X_test, y_test, seeds=1, penalty=0.01)
        assert np.array_equal(result().accuracy.values, whole.accuracy.values)
    finally:
        server.stop()


@pytest.mark.slow
def test_an_s3_server_that_uv_brings(tmp_path):
    """The same, where its packages are not installed: they are had for this test alone."""
    if find_spec("s3fs") and find_spec("moto"):
        pytest.skip("they are here")
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    install = [uv, "pip", "install", "--quiet", "--python", sys.executable]
    install += ["--target", str(tmp_path / "packages"), "s3fs>=2024.6", "moto[server]>=5"]
    try:
        subprocess.run(install, check=True, capture_output=True, timeout=900)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("s3fs and moto are not here, and cannot be had")
    name = test_an_s3_server.__name__
    paths = [str(tmp_path / "packages"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"{__file__}::{name}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout


@pytest.fixture
def given(tmp_path):
    """A folder of features without labels."""
    X, *_ = layer()
    (tmp_path / "given").mkdir()
    for i, part in enumerate(np.array_split(X, 3)):
        np.save(tmp_path / "given" / f"{i}.npy", part)
    return tmp_path / "given"


@pytest.mark.parametrize(
    "words, said",
    [
        (["--shard", "0/4"], "shards are numbered 1 to N"),
        (["--shard", "5/4"], "(nearest: 4/4)"),
        (["--shard", "1/0"], "(nearest: 1/1)"),
        (["--shard", "a/b"], "write I/N, whole numbers, such as 1/8"),
        (["--shard", "/4"], "write I/N"),
        (["--shard", "1/4", "--seeds", "3"], "--seeds with --shard: sums do not depend on it"),
        (["--shard", "1/4", "--selection", "pca"], "--selection with --shard"),
        (["--shard", "1/4", "--probe", "both"], "allowed: ridge, none"),
        (["--shard", "1/4", "--labels", "{labels}"], "there are labels, but no X_test and y_test"),
        (["--shard", "1/4", "--out", "{given}/out"], "is in the folder of the features"),
        (["--shard", "1/4", "--pool", "mean"], "leave it out"),
    ],
)
def test_bad_input_before_any_work(tmp_path, capsys, given, words, said):
    np.save(tmp_path / "labels.npy", np.arange(N) % 2)
    words = [word.format(labels=tmp_path / "labels.npy", given=given) for word in words]
    out = [] if "--out" in words else ["--out", str(tmp_path / "out")]
    assert main(["measure", str(given), *out, *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not list(tmp_path.rglob("*shards*"))


def test_what_is_not_read_from_any_row_on_is_refused(tmp_path, capsys):
    np.savez(tmp_path / "a.npz", X_train=np.ones((9, 3)))
    words = ["--shard", "1/2", "--out", str(tmp_path / "out")]
    assert main(["measure", str(tmp_path / "a.npz"), *words]) == 2
    assert "shards are read from .npy, .safetensors, .parquet" in capsys.readouterr().err


def test_a_shard_that_is_there_is_not_made_again(tmp_path, capsys, given, monkeypatch):
    out = sum_up(given, tmp_path / "out", 2)
    monkeypatch.setattr(summed_shards, "sum_leaf", None)
    reads = []
    monkeypatch.setattr("diffused_redundancy.store.places.LocalPlace._fetch", reads.append)
    assert not capsys.readouterr().out.count("it was there already")
    sum_up(given, out, 2)
    assert capsys.readouterr().out.count("it was there already") == 2 and not reads


def test_headers_are_parsed_in_one_thread_at_a_time(tmp_path, monkeypatch):
    """In two, Python 3.11 raises SystemError now and then."""
    for i in range(40):
        np.save(tmp_path / f"{i:03}.npy", np.ones((1, 2)))
    original, inside, most = np.lib.format.read_array_header_1_0, [], []

    def slow(stream):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)
        inside.pop()
        return original(stream)

    monkeypatch.setattr(np.lib.format, "read_array_header_1_0", slow)
    assert read_features(tmp_path, ("X",))["X"].shape == (40, 2)
    assert max(most) == 1


def test_a_missing_shard_is_named_with_the_command_that_makes_it(tmp_path, capsys, given):
    out = sum_up(given, tmp_path / "out here", 4)
    assert main(["merge", str(tmp_path / "none")]) == 2
    (out / "shards" / "00002-of-00004.safetensors").unlink()
    (out / "shards" / "00004-of-00004.safetensors").unlink()
    capsys.readouterr()
    assert main(["merge", str(out)]) == 2
    error = capsys.readouterr().err
    assert "2 of 4 shards are missing" in error and ": 2,4; make the first: " in error
    words = shlex.split(error.partition("make the first: ")[2])
    assert words[:3] == ["python", "-m", "diffused_redundancy"] and main(words[3:]) == 0
    assert main([word.replace("2/4", "4/4") for word in words[3:]]) == 0
    assert main(["merge", str(out), "--seeds", "1"]) == 0


def test_shards_that_were_not_made_alike_are_refused_by_name(tmp_path, capsys, given, monkeypatch):
    out = sum_up(given, tmp_path / "out", 3)
    third = ["measure", str(given), "--shard", "3/3", "--out", str(out)]
    name = "00003-of-00003.safetensors was made with other "

    def refused(*said):
        assert main(["merge", str(out)]) == 2
        error = capsys.readouterr().err
        assert all(part in error for part in (*said, "--shard 3/3")) and error.count("\n") == 1

    assert main([*third, "--probe", "none"]) == 0
    refused(f"{name}settings than 2 of 3 shards, such as 1")
    with monkeypatch.context() as patch:
        patch.setattr(summed_shards, "code_digest", lambda *names: "another")
        assert main(third) == 0
    refused(f"{name}code than 2 of 3 shards")
    with monkeypatch.context() as patch:
        patch.setattr(summed_shards, "versions", lambda *names: {"torch": "0"})
        assert main(third) == 0
    refused(f"{name}versions of packages")
    os.utime(given / "0.npy", (1, 1))
    assert main(third) == 0
    refused(f"{name}input")
    sum_up(given, out, 3)
    assert main(["merge", str(out), "--seeds", "1"]) == 0
    sum_up(given, out, 2)
    capsys.readouterr()
    assert main(["merge", str(out)]) == 2
    assert "holds shards of several runs, of 2-3 shards" in capsys.readouterr().err


def test_an_input_that_changed_before_the_merge_is_refused(tmp_path, capsys):
    source = save_shards(tmp_path / "given", layer())
    out = sum_up(source, tmp_path / "out", 2)
    os.utime(source / "X_test" / "000.npy", (1, 1))
    assert main(["merge", str(out)]) == 2
    assert "are not those that the shards were made of" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["start", "middle", "end", "cut"])
def test_a_damaged_shard_is_named_and_made_again(tmp_path, capsys, given, where):
    out = sum_up(given, tmp_path / "my out", 2)
    path = out / "shards" / "00002-of-00002.safetensors"
    content = bytearray(path.read_bytes())
    place = {"start": 300, "middle": len(content) - 2000, "end": len(content) - 1}.get(where)
    if place is None:
        del content[-100:]
    else:
        content[place] ^= 1
    path.write_bytes(content)
    assert main(["merge", str(out)]) == 2
    error = capsys.readouterr().err
    assert f"{path} is damaged" in error and "--shard 2/2" in error
    remove, _, command = error.partition("make it again: ")[2].partition("; ")
    assert shlex.split(remove) == ["rm", str(path)]
    assert main(shlex.split(command)[3:]) == 0  # without rm, too
    assert main(["merge", str(out), "--seeds", "1"]) == 0


def test_a_shard_under_another_name_is_refused(tmp_path, capsys, given):
    out = sum_up(given, tmp_path / "my out", 2)
    first, second = (out / "shards" / f"0000{i}-of-00002.safetensors" for i in (1, 2))
    second.write_bytes(first.read_bytes())
    assert main(["merge", str(out)]) == 2
    error = capsys.readouterr().err
    assert f"{second} holds shard 1: it was copied or renamed" in error
    assert main(shlex.split(error.partition("make it again: ")[2])[3:]) == 0
    assert main(["merge", str(out), "--seeds", "1"]) == 0


def test_labels_that_mark_none(tmp_path, capsys):
    X, y, X_test, y_test = layer()
    y[:20_000] = -1  # the first leaf might be of -1 and 1
    source = save_shards(tmp_path / "given", (X, y, X_test, y_test))
    codes = [
        main(["measure", str(source), "--shard", f"{i}/2", "--out", str(tmp_path / "out")])
        for i in (1, 2)
    ]
    assert 2 in codes or main(["merge", str(tmp_path / "out")]) == 2
    assert "-1" in capsys.readouterr().err


def command(given, out, shard):
    words = ["measure", str(given), "--shard", shard, "--out", str(out)]
    return subprocess.Popen(
        [sys.executable, "-m", "diffused_redundancy", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_two_processes_of_one_shard_do_no_harm(tmp_path, given):
    out = tmp_path / "out"
    both = [command(given, out, "1/1") for _ in range(2)]
    assert [one.communicate(timeout=300) and one.returncode for one in both] == [0, 0]
    assert len(list((out / "shards").iterdir())) == 1
    assert main(["merge", str(out), "--seeds", "1"]) == 0


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("moment", ["summing", "writing"])
def test_a_killed_process_leaves_nothing_that_counts(tmp_path, capsys, given, moment):
    out = tmp_path / "out"
    sum_up(given, out, 2)
    numbers = (out / "shards" / "00002-of-00002.safetensors").read_bytes()
    (out / "shards" / "00002-of-00002.safetensors").unlink()
    stop = tmp_path / "stop"
    stop.mkdir()
    spot = "summed_shards.sum_leaf" if moment == "summing" else "summed_shards.tensors.write"
    (stop / "stopped.py").write_text(
        "import sys, time\n"
        "from diffused_redundancy.cluster import summed_shards\n"
        "from diffused_redundancy.__main__ import main\n"
        "def wait(*words, **more):\n"
        f"    if {moment == 'writing'}: open(words[0], 'wb').write(b'half')\n"
        f"    open({str(stop / 'there')!r}, 'w').close(); time.sleep(60)\n"
        f"{spot} = wait\n"
        "main(sys.argv[1:])\n"
    )
    words = ["measure", str(given), "--shard", "2/2", "--out", str(out)]
    process = subprocess.Popen([sys.executable, str(stop / "stopped.py"), *words])
    try:
        for _ in range(600):
            if (stop / "there").exists():
                break
            time.sleep(0.1)
        assert (stop / "there").exists()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=300)
    left = [path.name for path in (out / "shards").iterdir()]
    assert len(left) == (2 if moment == "writing" else 1)
    assert main(["merge", str(out)]) == 2 and "1 of 2 shards is missing" in capsys.readouterr().err
    assert main(words) == 0
    again = (out / "shards" / "00002-of-00002.safetensors").read_bytes()
    shutil.copy(out / "shards" / "00002-of-00002.safetensors", tmp_path / "again")
    (tmp_path / "before").write_bytes(numbers)
    ours, theirs = (tensors.read(tmp_path / name)[0] for name in ("again", "before"))
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs) and again
    assert main(["merge", str(out), "--seeds", "1"]) == 0


@pytest.mark.parametrize(
    "url, said",
    [
        ("s3://bucket/x.npy", "pip install 'diffused-redundancy[cloud]'"),
        ("nothing://bucket/x.npy", "nothing://bucket/x.npy cannot be read: Protocol not known"),
        ("memory://not-there", "no file memory://not-there"),
        ("s3://me:secret@bucket/x.npy", "give credentials as the file system takes them"),
        ("memory://of-a-test/a.npz", "through a URL .npy, .safetensors, .parquet files are read"),
    ],
)
def test_urls_that_cannot_be_read_are_one_line(tmp_path, capsys, monkeypatch, url, said):
    import fsspec

    if url.startswith("s3://b") and find_spec("s3fs"):
        pytest.skip("s3fs is here")
    fsspec.filesystem("memory").pipe("/of-a-test/a.npz", b"something")
    assert main(["measure", url, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and "secret" not in error
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    if url.startswith("s3://b"):
        assert main(["measure", url, "--out", str(tmp_path / "out")]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "names, said",
    [
        (
            ["a.npy", "b.safetensors"],
            "holds .npy and .safetensors files: put each kind in a folder",
        ),
        (
            ["p1.safetensors", "p10.safetensors", "p2.safetensors"],
            "write numbers with leading zero",
        ),
        (["test-0.safetensors", "train-0.safetensors"], "put them in folders train and test"),
        (["p0.safetensors", "wide.safetensors"], "shards differ in their rows only"),
    ],
)
def test_folders_whose_order_or_parts_are_not_clear(tmp_path, capsys, names, said):
    (tmp_path / "given").mkdir()
    for name in names:
        X = np.ones((5, 4 if name.startswith("wide") else 3))
        if name.endswith(".npy"):
            np.save(tmp_path / "given" / name, X)
        else:
            tensors.write(tmp_path / "given" / name, {"X_train": X}, {})
    words = [str(tmp_path / "given"), "--out", str(tmp_path / "out")]
    assert main(["measure", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_the_array_of_the_documents(tmp_path, monkeypatch):
    """The script for Slurm, with a number of the array and a folder put in."""
    page = (ROOT / "docs" / "measure.md").read_text(encoding="utf-8")
    (line,) = (line for line in page.splitlines() if "$SLURM_ARRAY_TASK_ID" in line)
    (last,) = (line for line in page.splitlines() if "diffused-redundancy merge" in line)
    assert "#SBATCH --array=1-8" in page
    for number in (tree.LEAF_ROWS, tree.BLOCK_ROWS, summed_shards.MOST_KEPT):
        assert f"{number:,}" in page
    X, y, X_test, y_test = layer()
    source = save_shards(tmp_path / "given", (X, y, X_test, y_test))
    monkeypatch.chdir(tmp_path)
    for number in range(1, 9):
        words = shlex.split(line.replace("$SLURM_ARRAY_TASK_ID", str(number)))[1:]
        words[words.index("measure") + 1] = str(source)
        assert main(words) == 0
    assert main(shlex.split(last.partition("diffused-redundancy ")[2].strip(" '\"`"))) == 0
