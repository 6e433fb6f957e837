"""Labelled texts that every environment has: what the libraries of this package say of themselves.

One text for each documented function, class and method: the first paragraph of its docstring. Three
tasks ask different things of them: which module a text is from, which library, and what kind of
thing it describes.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import unknown

if TYPE_CHECKING:
    import pandas as pd

MODULES = {
    "matplotlib": "artist axes axis cbook collections colors container figure image legend lines "
    "patches path projections pyplot scale spines text ticker transforms widgets",
    "numpy": "* fft linalg ma polynomial.chebyshev polynomial.polynomial random testing",
    "pandas": "* api.extensions api.indexers api.types errors plotting tseries.offsets",
    "scipy": "cluster.hierarchy constants fft integrate interpolate io linalg ndimage optimize "
    "signal sparse sparse.csgraph sparse.linalg spatial spatial.distance spatial.transform special "
    "stats stats.mstats",
    "sklearn": "calibration cluster covariance datasets decomposition ensemble "
    "feature_extraction.text feature_selection linear_model manifold metrics metrics.pairwise "
    "model_selection multiclass neighbors pipeline preprocessing svm tree utils",
    "torch": "* autograd cuda distributions fft jit linalg nn nn.functional nn.init nn.utils optim "
    "overrides profiler special utils.data",
    "": "argparse ast asyncio base64 bisect calendar cmath codecs collections configparser "
    "contextlib copy csv datetime decimal difflib email.message enum fractions functools gettext "
    "hashlib heapq html.parser http.client http.cookiejar inspect io ipaddress itertools json "
    "logging mailbox math mimetypes multiprocessing os os.path pathlib pickle platform pprint "
    "queue random re select shelve shlex shutil signal smtplib socket sqlite3 ssl statistics "
    "string struct subprocess sys tarfile tempfile textwrap threading time tokenize traceback "
    "types typing unittest unittest.mock urllib.parse urllib.request uuid warnings weakref "
    "xml.dom.minidom xml.etree.ElementTree zipfile",
}
"""Where things are looked for, by library: its modules, ``*`` being itself. That without a name is
Python's own.
"""

PYTHON = "python"

FEWEST_WORDS = 4
"""Shorter paragraphs are no text."""

FEWEST, MOST = 40, 1000
"""Texts of a class: those with fewer are left out; of more, some are drawn."""

HELD_OUT = 0.25
"""Share of the texts that is the test part, about (seed 0)."""

ALIKE = 0.7
"""Texts whose word counts have a larger cosine (TF-IDF) stay in one part."""

_MARKUP = re.compile(r":\w+(?::\w+)?:`~?([^`<]*)[^`]*`|[`*|]+")
_SIGNATURE = re.compile(r"\w[\w.]*\(.*(\)|->.*|,)$")
_NAMES = re.compile(
    r"\b(numpy|scipy|pandas|sklearn|scikit-learn|matplotlib|pytorch|torch|python|np|pd|plt)\b"
    r"(\.\w+)*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Text:
    """The first paragraph of a docstring.

    Attributes
    ----------
    text : str
        Without markup; libraries that it names are "it".
    library, module, kind : str
        Where what it describes is from, such as ``scipy`` and ``scipy.stats``, and whether that is
        a ``function``, a ``class`` or a ``method``.
    """

    text: str
    library: str
    module: str
    kind: str


@dataclass(frozen=True)
class TextTask:
    """Texts with labels and a fixed split.

    Attributes
    ----------
    name, title : str
    classes : tuple of str
    train, test : tuple of str
        n and m texts, no two alike.
    y_train, y_test : ndarray (n,) and (m,), int64
        Class indices from 0.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    train: tuple[str, ...]
    y_train: np.ndarray
    test: tuple[str, ...]
    y_test: np.ndarray


LABELS: dict[str, tuple[str, Callable[[Text], str]]] = {
    "module": ("Module of origin", lambda one: one.module),
    "library": ("Library of origin", lambda one: one.library),
    "kind": ("Kind of thing", lambda one: one.kind),
}
"""Titles and labels of tasks, by name."""


def text_task(name: str) -> TextTask:
    """The task of a name in :data:`LABELS`.

    Parameters
    ----------
    name : str

    Returns
    -------
    TextTask

    Raises
    ------
    InputError
        If there is no such task, with the nearest name.

    Examples
    --------
    >>> task = text_task("kind")
    >>> task.classes, len(task.train) > 2 * len(task.test) > 1000
    (('class', 'function', 'method'), True)
    """
    if name not in LABELS:
        raise unknown("task of texts", name, LABELS)
    title, label_of = LABELS[name]
    rng = np.random.default_rng(0)
    texts = [every_text()[i] for i in rng.permutation(len(every_text()))]
    counts = Counter(label_of(one) for one in texts)
    classes = tuple(sorted(label for label, count in counts.items() if count >= FEWEST))
    chosen: list[tuple[str, int]] = []
    for index, label in enumerate(classes):
        chosen += [(one.text, index) for one in texts if label_of(one) == label][:MOST]
    like = near_copies([text for text, _ in chosen])
    order = rng.permutation(like.max() + 1)[like]  # copies of one text have one place
    held_out = np.argsort(order, kind="stable")[: round(HELD_OUT * len(chosen))]
    in_test = np.isin(order, order[held_out])
    parts = [[chosen[i] for i in np.flatnonzero(part)] for part in (~in_test, in_test)]
    (train, y_train), (test, y_test) = (
        (tuple(text for text, _ in part), np.array([index for _, index in part])) for part in parts
    )
    return TextTask(name, title, classes, train, y_train, test, y_test)


def samples_table(names: Sequence[str], most: int = 3) -> pd.DataFrame:
    """For reading: what each task is, its classes and numbers, and some of its texts with their
    labels.
    """
    import pandas as pd  # not where parameters are only checked

    rows = []
    for name in names:
        task = text_task(name)
        some = {
            task.classes[label]: text
            for text, label in zip(task.train, task.y_train, strict=True)
            if len(text) < 80
        }
        rows.append(
            {
                "task": task.title,
                "classes": len(task.classes),
                "train texts": len(task.train),
                "test texts": len(task.test),
                "such as": "; ".join(
                    f"{text} → {label}" for label, text in list(some.items())[:most]
                ),
            }
        )
    return pd.DataFrame(rows)


def near_copies(texts: Sequence[str]) -> np.ndarray:
    """A number for each text, (n,), the same for texts that are nearly alike: those that are linked
    by pairs whose TF-IDF vectors of words and pairs of words have a cosine above :data:`ALIKE`.

    >>> near_copies(["fit the model to x", "invert a matrix", "fit the model to x and y"]).tolist()
    [0, 1, 0]
    """
    from scipy.sparse.csgraph import connected_components
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts)
    cosines = vectors @ vectors.T
    cosines.data[cosines.data <= ALIKE] = 0
    cosines.eliminate_zeros()
    return np.asarray(connected_components(cosines, directed=False)[1])


@cache
def every_text() -> tuple[Text, ...]:
    """All texts that the installed libraries have, in an order that depends on nothing else; one
    that comes with more than one label is left out.
    """
    found: dict[str, list[Text]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is deprecated
        for library, modules in MODULES.items():
            for name in modules.split():
                module = f"{library}.{name}".strip(".").removesuffix(".*")
                for kind, thing in _things(module):
                    text = first_paragraph(getattr(thing, "__doc__", None))
                    if text:
                        one = Text(text, library or PYTHON, module, kind)
                        found.setdefault(text, []).append(one)
    return tuple(some[0] for _, some in sorted(found.items()) if len(set(some)) == 1)


def _things(module: str) -> Iterator[tuple[str, Any]]:
    """What a module has for others, and methods of its classes, with the kind of each."""
    content = vars(importlib.import_module(module))
    for name, thing in sorted(content.items()):
        home = str(getattr(thing, "__module__", ""))
        own = name in content.get("__all__", ()) or f"{home}.".startswith(f"{module}.")
        if name.startswith("_") or inspect.ismodule(thing) or not callable(thing) or not own:
            continue
        if not inspect.isclass(thing):
            # not what is called like one: distributions of scipy.stats, forms of typing
            if inspect.isroutine(thing) or isinstance(thing, np.ufunc):
                yield "function", thing
            continue
        yield "class", thing
        for of_class, member in sorted(vars(thing).items()):
            method = getattr(member, "__func__", member)
            if of_class.startswith("_") or not callable(method) or inspect.isclass(method):
                continue
            if _library(method) in (_library(thing), ""):  # not one that another package put there
                yield "method", method


def _library(thing: Any) -> str:
    """Where something is from, as far as it says so: a library, :data:`PYTHON`, or nothing."""
    library = str(getattr(thing, "__module__", None) or "").partition(".")[0]
    return PYTHON if library in sys.stdlib_module_names else library


def first_paragraph(docstring: object) -> str:
    """The first paragraph of prose, on one line, without markup and the names of libraries; empty
    if there is none.

    >>> first_paragraph("f(x)\\n\\nReturn the *sine* of `numpy.ndarray` x.\\n\\nMore.")
    'Return the sine of it x.'
    """
    if not isinstance(docstring, str):
        return ""
    for paragraph in inspect.cleandoc(docstring).split("\n\n"):
        lines = [line.strip() for line in paragraph.splitlines()]
        while lines and _SIGNATURE.match(lines[0]):
            lines = lines[1:]
        if not lines or not lines[0] or not lines[0][0].isalnum():
            continue
        if len(lines) > 1 and set(lines[1]) <= set("-=~"):  # a heading
            return ""
        plain = _MARKUP.sub(lambda match: match[1] or "", " ".join(lines))
        plain = " ".join(_NAMES.sub("it", plain).split())
        return plain if len(plain.split()) >= FEWEST_WORDS else ""
    return ""
