"""Input that was made to do harm: nothing of it runs, leaves its folder, fills the memory or
passes for something else.

Other kinds have their tests beside what they attack: objects in files (test_feature_files.py),
files in the place of weights (test_weights.py), damaged archives (test_datasets.py), names in HTML
of single pages (test_explorer.py, test_index.py).
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import tarfile
import time
import tracemalloc
import zipfile

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import pytest
import torch
from browser import needs_chromium, opened
from diffused_redundancy import parameters, presets
from diffused_redundancy.__main__ import main
from diffused_redundancy.nets import weightfiles
from diffused_redundancy.pipeline import index
from diffused_redundancy.report.explorer import explorer_page
from diffused_redundancy.report.html import markdown, page
from diffused_redundancy.report.notebook_page import notebook_page
from diffused_redundancy.store import Cache, assets, featurefile
from diffused_redundancy.store.csvfile import csv_text, harmless_json
from diffused_redundancy.store.featurefile import contents, read_features
from diffused_redundancy.tasks.files import npz_images
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from test_datasets import cifar, place  # noqa: F401

X = np.arange(24, dtype="f4").reshape(6, 4)
VALUES = X.tobytes()


class Bomb:
    """What makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


# Code


def with_code(path, kind, ran):
    """A file that would run code."""
    bomb = Bomb(ran)
    if kind in (".npy", ".npz"):
        array = np.array([bomb, bomb], object)
        np.save(path, array) if kind == ".npy" else np.savez(path, X_train=array, y_train=array)
    elif kind in (".pt", ".pth", ".bin", ".ckpt"):
        torch.save({"X_train": torch.ones(2, 2), "state_dict": {"a": bomb}}, path)
    elif kind == ".tar":
        torch.save(bomb, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps(bomb))


@pytest.mark.parametrize("kind", [".npy", ".npz", ".pt", ".pth", ".pkl", ".joblib"])
def test_pickled_code_in_features_does_not_run(tmp_path, capsys, kind):
    path, ran = tmp_path / f"given{kind}", tmp_path / "ran"
    with_code(path, kind, ran)
    assert main(["measure", str(path), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not ran.exists()


@pytest.mark.parametrize("kind", [".pt", ".pth", ".bin", ".ckpt", ".tar", ".npz"])
def test_pickled_code_in_weights_does_not_run(tmp_path, kind):
    path, ran = tmp_path / f"given{kind}", tmp_path / "ran"
    with_code(path, kind, ran)
    with pytest.raises(dr.InputError):
        weightfiles.read(path)
    assert not ran.exists()


def test_pickled_code_in_the_place_of_a_data_set_does_not_run(tmp_path, place, monkeypatch):  # noqa: F811
    cifar(place, monkeypatch, "cifar10")
    dr.task("cifar10")
    ran = tmp_path / "ran"
    batches = list((place / "cifar10").rglob("data_batch_*"))
    assert batches
    for batch in batches:
        with_code(batch, ".pickle", ran)
    (place / "cifar10" / "cifar-10-python.tar.gz").unlink()
    with pytest.raises(dr.InputError, match="cifar10 is not here"):
        dr.task("cifar10")
    assert not ran.exists()


def test_a_command_that_is_proposed_is_one_word_for_the_shell(tmp_path):
    """A pickle's own name goes into the command that turns it into another file."""
    import shlex

    path = tmp_path / "a'); import os; os.system('true') #\"$(true).pkl"
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(dr.InputError) as caught:
        contents(path)
    words = shlex.split(str(caught.value).partition("python -c ")[2])
    code = compile(words[0], "proposed", "exec")
    assert "system" not in code.co_names and path.name in code.co_consts


CODE = (
    "__import__('os').system('touch ran')",
    "'); __import__('os').system('touch ran') #",
    '"""\n__import__("os").system("touch ran")\n"""',
    "{__import__('os')}",
    "!!python/object/apply:os.system ['touch ran']",
    "$(touch ran)",
    "penultimate\\",
)


@pytest.mark.parametrize("code", CODE)
def test_parameters_that_try_to_be_code_are_text(tmp_path, monkeypatch, code):
    from papermill.translators import PythonTranslator

    monkeypatch.chdir(tmp_path)
    for name in ("NETS", "TASKS", "SEEDS", "DEVICE", "PROTOCOL", "IMAGES"):
        with pytest.raises(dr.InputError):
            parameters.checked(name, parameters.parse(name, code))
    value = parameters.checked("LAYER", code)  # the one that may be any text
    space: dict[str, object] = {}
    exec(PythonTranslator.codify({"LAYER": value}), space)  # as a notebook is given it
    assert space["LAYER"] == code and not (tmp_path / "ran").exists()


# YAML


def laughs(levels=12):
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    for i in range(1, levels):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]")
    return "\n".join([*lines, f"everywhere: {{TASKS: *a{levels - 1}}}"])


def merges(levels=25):
    lines = ["a0: &a0 {IMAGES: 5}"]
    for i in range(1, levels):
        lines.append(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}")
    return "\n".join([*lines, f"everywhere: *a{levels - 1}"])


@pytest.mark.parametrize(
    "text, words",
    [
        (laughs(), "values: at most 10,000 are allowed"),
        (merges(), "values: at most 10,000 are allowed"),
        ("everywhere: &a {TASKS: [*a]}", "holds itself"),
        ("everywhere: " + "[" * 50_000, "nested too deeply"),
        ("everywhere: {TASKS: [" + "a, " * 80_000 + "]}", "characters are too many"),
        ("everywhere: !!python/object/apply:os.system ['true']", "not valid YAML"),
        ("everywhere: {IMAGES: !!python/name:os.system }", "not valid YAML"),
        ("everywhere: {IMAGES: !!int [5]}", "not valid YAML"),
        ("everywhere: {LAYERS: [!!binary '%']}", "must be text"),
        ("? [a]\n: b", "not valid YAML"),
    ],
)
def test_yaml_that_is_a_bomb_or_has_tags(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    started = time.perf_counter()
    with pytest.raises(dr.InputError, match=words) as caught:
        presets.preset(str(path))
    assert time.perf_counter() - started < 5 and len(str(caught.value)) < 1000


def test_bombs_that_are_typed():
    for text in ("&a [1, *a]", "[" * 5000, f"{{{laughs().replace(chr(10), ', ')}}}"):
        with pytest.raises(dr.InputError):
            parameters.checked("SEEDS", parameters.parse("SEEDS", text))


def test_a_preset_s_name_leads_to_no_other_folder(tmp_path):
    (tmp_path / "...yaml").write_text("everywhere: {IMAGES: 5}")
    with pytest.raises(dr.InputError, match="must not begin with a dot"):
        presets.preset(str(tmp_path / "...yaml"))


# Headers that lie


def safetensors(header, data=bytes(96)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def about(shape=(6, 4), offsets=(0, 96), dtype="F32"):
    return {"X_train": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


LIES = {
    "longer than the file": struct.pack("<Q", 2**40) + b"{}",
    "longest": struct.pack("<Q", 2**64 - 1) + b"{}",
    "beyond the end": safetensors(about(offsets=(0, 2**40), shape=(2**36, 4))),
    "before the beginning": safetensors(about(offsets=(-96, 0))),
    "backwards": safetensors(about(offsets=(96, 0))),
    "another size": safetensors(about(shape=(600, 4))),
    "a shape whose size overflows": safetensors(about(shape=(2**32, 2**32), offsets=(0, 0))),
    "a negative shape": safetensors(about(shape=(-6, -4))),
    "fractions": safetensors(about(shape=(6.0, 4))),
    "truth values": safetensors(about(shape=(True, 24))),
    "no shape": safetensors({"X_train": {"dtype": "F32"}}),
    "no type": safetensors(about(dtype="F31")),
    "no mapping": safetensors({"X_train": [1, 2]}),
    "a list": safetensors([about()]),
    "no JSON": safetensors(b"{'a'"),
    "depth": safetensors(b"[" * 100_000),
}


@pytest.mark.parametrize("way", ["file", "url", "shards"])
@pytest.mark.parametrize("kind", LIES)
def test_safetensors_headers_that_lie(tmp_path, capsys, kind, way):
    import fsspec

    given = tmp_path / "x.safetensors"
    given.write_bytes(LIES[kind])
    where = str(given)
    if way == "url":
        where = "memory://lies/x.safetensors"
        fsspec.filesystem("memory").pipe("/lies/x.safetensors", LIES[kind])
    elif way == "shards":
        where = str(tmp_path / "shards")
        (tmp_path / "shards").mkdir()
        (tmp_path / "shards" / "0.safetensors").write_bytes(safetensors(about(), X.tobytes()))
        (tmp_path / "shards" / "1.safetensors").write_bytes(LIES[kind])
    tracemalloc.start()
    assert main(["measure", where, "--out", str(tmp_path / "out")]) == 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    error = capsys.readouterr().err
    assert error.startswith("error:") and error.count("\n") == 1 and peak < 64e6
    with pytest.raises(dr.InputError):
        weightfiles.read(given)


def npy(shape, data=VALUES, descr="'<f4'", fortran=False):
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize("kind", [".npy", ".npz"])
@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize(
    "shape",
    [
        *("(2**40, 4)", "(1099511627776, 4)", "(4294967296, 4294967296)", "(-6, -4)", "(True, 24)"),
        *(f"({'9' * 400},)", "(6", "[6, 4]", "__import__('os')"),
    ],
)
def test_npy_headers_that_lie(tmp_path, capsys, kind, fortran, shape):
    path = tmp_path / f"x{kind}"
    if kind == ".npy":
        path.write_bytes(npy(shape, fortran=fortran))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("X_train.npy", npy(shape, fortran=fortran))
    assert main(["measure", str(path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error:") and error.count("\n") == 1


# Bombs


def bomb(path, name, shape, descr="'<f4'", fortran=False):
    """An archive of many zeros."""
    size = int(np.prod(shape)) * int(descr.strip("'")[-1])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
            stream.write(npy(shape, b"", descr, fortran))
            for _ in range(0, size, 2**20):
                stream.write(bytes(min(2**20, size)))
        labels = io.BytesIO()
        np.save(labels, np.arange(shape[0]) % 2)
        archive.writestr("y_train.npy", labels.getvalue())
    return path


def test_zip_bombs_are_read_in_slices_or_refused(tmp_path, monkeypatch):
    path = bomb(tmp_path / "a.npz", "X_train", (2**16, 2**10))  # 256 MiB
    assert path.stat().st_size < 2**22
    tracemalloc.start()
    rows = read_features(path, ("X_train",), whole_below=2**20)["X_train"]
    assert rows[60_000:60_004].shape == (4, 2**10)
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()

    class Little:
        available = 2**20

    monkeypatch.setattr(featurefile.psutil, "virtual_memory", Little)
    with pytest.raises(dr.InputError, match="268,435,456 bytes of memory, of which 1,048,576 are"):
        read_features(path, ("X_train",))
    images = bomb(tmp_path / "b.npz", "X_train", (2**7, 2**6, 2**7, 3), "'|u1'")
    with pytest.raises(dr.InputError, match="of memory"):
        npz_images(str(images))
    turned = bomb(tmp_path / "c.npz", "X_train", (2**10, 2**9), fortran=True)
    with pytest.raises(dr.InputError, match="of memory"):
        read_features(turned, ("X_train",))


def png(width, height):
    """A PNG of so many pixels, all white, in few bytes."""
    import zlib

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    lines = zlib.compress(bytes(height * (1 + -(-width // 8))), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_image_bombs_are_refused_by_their_pixels(tmp_path, side):
    """Of the smaller one Pillow only warns."""
    images = tmp_path / "images"
    for name in ("a", "b"):
        (images / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(images / name / "0.png")
        Image.new("RGB", (4, 4)).save(images / name / "1.png")
    (images / "a" / "0.png").write_bytes(png(side, side))
    assert (images / "a" / "0.png").stat().st_size < 2e5
    splits = dr.task(f"folder:{images}").splits
    with pytest.raises(dr.InputError, match=r"0\.png .*pixels"):
        for split in splits.values():
            split.images.batch(0, len(split))


# Paths


NAMES = ("../evil", "/evil", "a/../../evil", "..", "a\\0b")


@pytest.mark.parametrize("name", NAMES)
def test_names_in_a_manifest_lead_nowhere_else(tmp_path, name):
    quoted = json.dumps(name).replace("\\\\0", "\\u0000")
    for kind, entry in (("file", f"file = {quoted}"), ("folder", f"file = 'a'\nfolder = {quoted}")):
        text = f"[weights.a]\n{entry}\nsource = ''\nlicense = ''\n"
        (tmp_path / "assets.toml").write_text(text)
        with pytest.raises(dr.InputError, match="outside of the folder"):
            assets.read_manifest(tmp_path / "assets.toml")
        assert kind
    (tmp_path / "assets.toml").write_text(f"[weights.{quoted}]\nfile='a'\nsource=''\nlicense=''\n")
    with pytest.raises(dr.InputError, match="outside of the folder"):
        assets.read_manifest(tmp_path / "assets.toml")


def test_an_archive_with_other_content_is_not_unpacked(tmp_path, place, monkeypatch):  # noqa: F811
    cifar(place, monkeypatch, "cifar10")
    archive = place / "cifar10" / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as made:
        about = tarfile.TarInfo("../../evil")
        about.size = 4
        made.addfile(about, io.BytesIO(b"evil"))
    monkeypatch.setattr(
        "torchvision.datasets.utils.urllib.request.urlopen",
        lambda *given, **more: (_ for _ in ()).throw(OSError("no network")),
    )
    with pytest.raises(dr.InputError, match="cannot be unpacked"):
        dr.task("cifar10")
    assert not list(tmp_path.parent.rglob("evil"))


def test_names_in_an_archive_of_arrays_are_names_alone(tmp_path):
    stored = io.BytesIO()
    np.save(stored, X)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in ("../evil.npy", "/evil.npy", "X_train.npy"):
            archive.writestr(name, stored.getvalue())
    assert set(contents(tmp_path / "a.npz")) == {"../evil", "/evil", "X_train"}
    assert not list(tmp_path.parent.rglob("evil*"))


def test_keys_of_the_cache_stay_in_its_folder(tmp_path):
    cache = Cache(tmp_path / "cache")
    cache.put({"kind": "a", "net": "../../evil", "task": "/evil"}, {"x": X})
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found and all(path.is_relative_to(tmp_path / "cache" / "a") for path in found)


# HTML


NAME = "<img src=x onerror=ran=1><script>ran=2</script></script><!--<script>"


def pages(folder):
    """Pages that hold the name wherever one can stand."""
    table = {
        "text/markdown": f"| network | {NAME} |\n|:--|:--|\n| {NAME} | [a](javascript:ran=3) |"
    }
    cells = [
        new_markdown_cell(f"# {NAME}\n\nText."),
        new_code_cell(
            "1",
            outputs=[
                new_output("display_data", table),
                new_output("stream", name="stdout", text=NAME),
                new_output("display_data", {"text/plain": NAME}),
                new_output("error", ename="E", evalue=NAME, traceback=[NAME]),
            ],
        ),
    ]
    case = {
        **{"net": NAME, "label": NAME, "task": NAME, "selection": NAME, "d": 1, "sizes": [1]},
        **{"accuracy": [1], "cka": [1], "worst": [1], "worst_class": [NAME], "full": 1},
    }
    data = {"cases": [case], "selections": {NAME: NAME}, "orders": {"1": [0]}}
    return {
        "notebook": notebook_page(new_notebook(cells=cells), NAME, footer=NAME, source=NAME),
        "explorer": explorer_page(data, [{NAME: NAME}]),
        "page": page(NAME, markdown(f"{NAME}\n\n# {NAME}\n\n$x{NAME}$"), footer=NAME, home=NAME),
    }


@pytest.mark.slow
@needs_chromium
def test_html_in_names_does_not_run(tmp_path, monkeypatch):
    made = pages(tmp_path)
    rng = np.random.default_rng(0)
    given = tmp_path / f"{NAME.replace('/', '')}.npz"
    features = rng.standard_normal((40, 4))
    np.savez(given, **{"X_train": features, "y_train": np.array([NAME, "b"])[np.arange(40) % 2]})
    assert main(["measure", str(given), "--out", str(tmp_path / "m"), "--seeds", "1"]) == 0
    made["measure"] = (tmp_path / "m" / "report.html").read_text("utf-8")
    monkeypatch.setattr(index, "kept_real", lambda: None)
    results = tmp_path / "reports" / NAME.replace("/", "") / "results"
    results.mkdir(parents=True)
    outcome = {"notebook": "02_probes", "title": NAME, "ok": True, "seconds": 1, "memory": 1}
    (results / "02_probes.outcome.json").write_text(json.dumps({**outcome, "error": NAME}))
    verdict = {"claim": 5, "kind": "holds", "verdict": NAME, "part": NAME, "analogue": True}
    verdict |= {"because": NAME, "tally": NAME, "notebook": "02_probes"}
    result = {"notebook": "02_probes", "answer": f"{NAME}. {NAME}", "verdicts": [verdict]}
    (results / "02_probes.json").write_text(json.dumps({**result, "provenance": {NAME: NAME}}))
    (results.parent / "run.json").write_text(json.dumps({"typed": {"TASKS": [NAME]}}))
    made["index"] = index.write_index(tmp_path / "reports").read_text("utf-8")
    for name, text in made.items():
        bare = text.replace('<meta http-equiv="Content-Security-Policy"', "<meta name=none")
        assert bare != text
        path = tmp_path / f"{name}.html"
        path.write_text(bare, "utf-8")  # escaped, whatever the policy
        with opened(path.as_uri(), tmp_path / "browser") as tab:
            assert tab.value("typeof ran") == "undefined", name
            assert not tab.value("document.querySelectorAll('[onerror]').length"), name
            assert not tab.value("document.querySelectorAll('a[href^=javascript]').length"), name
    # and the policy alone would be enough
    text = page("a", "x").replace("<main", "<img src=x onerror=ran=1><script>ran=2</script><main")
    (tmp_path / "bare.html").write_text(text, "utf-8")
    with opened((tmp_path / "bare.html").as_uri(), tmp_path / "browser") as tab:
        assert tab.value("typeof ran") == "undefined"
        assert tab.value("document.querySelectorAll('[onerror]').length") == 1


# CSV


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "-1+cmd|' /C calc'!A0"])
def test_cells_that_begin_as_formulas_do(start):
    name = f"{start}1+1"
    shown = "'" + name.replace("\r", " ")
    table = pd.DataFrame({name: [name, "plain"], "value": [-0.5, 2.0], "whole": [-3, 4]})
    again = pd.read_csv(io.StringIO(csv_text(table, "%.6g")))
    assert again.columns[0] == again.iloc[0, 0] == shown and again.iloc[1, 0] == "plain"
    assert again["value"].tolist() == [-0.5, 2.0] and again["whole"].tolist() == [-3, 4]


def test_numbers_in_text_stay_as_they_are():
    for text in ("-0.5", "+1e-5", "-3%", "+0.5 (-0.1 to +1.1)", "–", ""):
        assert pd.DataFrame({"a": [text]}).pipe(csv_text, "%g").splitlines()[1].strip('"') == text


def test_the_line_above_a_table_holds_no_cell_that_is_a_formula():
    given = {"TASKS": ["folder:/a,=1+1", "b;@c,-2"], "SEEDS": [1, 2]}
    line = harmless_json(json.dumps(given))
    assert json.loads(line) == given
    assert not [
        cell for cell in line.replace(";", ",").split(",") if cell[:1] in ("=", "+", "-", "@")
    ]
