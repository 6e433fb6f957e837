"""Parameters of notebooks: what each may be, and one check for the command line, presets and
notebooks alike.
"""

from __future__ import annotations

import ast
import itertools
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .devices import DEVICES
from .errors import InputError, unknown
from .nets import names as nets
from .nets.networks import PENULTIMATE
from .nets.protocols import COMPUTE, protocol
from .store import paths
from .tasks import SCHEMES, TASKS
from .texts.docstrings import LABELS

NAME = re.compile(r"[A-Z][A-Z0-9_]*$")


@dataclass(frozen=True)
class Parameter:
    """What a parameter may be.

    Attributes
    ----------
    kind : type
        Of the value, or of each entry of a list.
    many : bool
        Whether it is a list, without repeats.
    check : callable
        Raises InputError unless a value (an entry) is allowed.
    allowed : str
        The rule in words.
    empty : str
        What an empty list means; "": it is not allowed.
    """

    kind: type
    many: bool
    check: Callable[[Any], object]
    allowed: str
    empty: str = ""


def _one_of(kind: str, names: Any, schemes: Any = ()) -> Callable[[str], None]:
    def check(value: str) -> None:
        scheme, colon, path = value.partition(":")
        if colon and scheme in schemes:
            _exists(path)
        elif value not in names:
            raise unknown(kind, value, [*names, *(f"{scheme}:PATH" for scheme in schemes)])

    return check


def _exists(path: str) -> None:
    if not os.path.exists(paths.of_user(path)):  # false of one that is too long, too
        raise InputError(f"there is no {path!r}")


PRESET_SELECTIONS = ("random", "pca", "pca_least")
"""Selections that presets name: known here, so that listing presets does not take torch."""


def _selection(value: str) -> None:
    if value in PRESET_SELECTIONS:
        return
    from .measures.selections import SELECTIONS  # brings torch

    _one_of("selection", SELECTIONS)(value)


def _between(low: float, high: float, *, open_low: bool = False) -> Callable[[float], None]:
    def check(value: float) -> None:
        if not (low < value <= high if open_low else low <= value <= high):
            nearest = min(max(value, low), high)
            hint = "" if open_low and nearest == low else f" (nearest: {nearest:g})"
            raise InputError(
                f"{value:g} is out of range: allowed is {'above' if open_low else 'from'} "
                f"{low:g} to {high:g}{hint}"
            )

    return check


def _anything(value: Any) -> None:
    """Layers are checked against the networks, by :meth:`Net.layers`."""


def _net(value: str) -> None:
    if nets.expanded([value]) == [value]:
        nets.check(value)


PARAMETERS: dict[str, Parameter] = {
    "NETS": Parameter(
        str, True, _net, "names of networks, or patterns such as miniature_resnet.dropout_*"
    ),
    "TASKS": Parameter(str, True, _one_of("task", TASKS, SCHEMES), "names of downstream tasks"),
    "TEXTS": Parameter(str, True, _one_of("task of texts", LABELS), "names of tasks of texts"),
    "LAYERS": Parameter(
        str,
        True,
        _anything,
        "stages (the end of every stage of a network), penultimate, or names of submodules",
    ),
    "PROBE": Parameter(str, False, _one_of("probe", ("ridge", "logistic")), "a probe"),
    "LAYER": Parameter(str, False, _anything, "penultimate, or the name of a submodule"),
    "SELECTIONS": Parameter(str, True, _selection, "names of selections"),
    "SEEDS": Parameter(int, True, _between(0, 2**31), "whole numbers from 0"),
    "ORDERS": Parameter(int, False, _between(2, 10_000), "a whole number from 2 to 10000"),
    "FRACTIONS": Parameter(
        float,
        True,
        _between(0, 1, open_low=True),
        "fractions of the layer, above 0 to 1",
        empty="every size",
    ),
    "DELTAS": Parameter(
        float, True, _between(0, 1, open_low=True), "shares of the full layer's value, above 0 to 1"
    ),
    "TARGET": Parameter(int, False, _between(1, 2**31), "a whole number of images, from 1"),
    "IMAGES": Parameter(int, False, _between(0, 2**31), "a whole number from 0, which means all"),
    "PROTOCOL": Parameter(str, False, protocol, "clean, augmented, or augmented:N"),
    "COMPUTE": Parameter(
        str, False, _one_of("way to compute features", COMPUTE), "a way to compute features"
    ),
    "DEVICE": Parameter(str, False, _one_of("device", DEVICES), "a device"),
}
"""Every parameter a notebook may declare."""

_EXAMPLES = {str: '"..."', int: "1, 2, 3", float: "0.1, 0.9"}
_WORDS = {str: "text", int: "a whole number", float: "a number"}


def checked(name: str, value: Any) -> Any:
    """A parameter's value in its proper type.

    Raises
    ------
    InputError
        Naming the parameter, the value and what is allowed.
    """
    rule = PARAMETERS[name]
    if not rule.many:
        return _entry(name, rule, value)
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        raise InputError(
            f"{name} is {value!r}: it must be a list, such as [{_EXAMPLES[rule.kind]}] "
            f"({rule.allowed})"
        )
    if not value and not rule.empty:
        raise InputError(f"{name} is empty: it must hold at least one entry ({rule.allowed})")
    entries = [_entry(name, rule, entry) for entry in value]
    repeated = next((entry for i, entry in enumerate(entries) if entry in entries[:i]), None)
    if repeated is not None:
        raise InputError(f"{name} holds {repeated!r} twice: its entries must differ")
    return entries


def _entry(name: str, rule: Parameter, value: Any) -> Any:
    number = (
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    )
    whole = number and value == int(value)
    fits = {str: isinstance(value, str), int: whole, float: number}[rule.kind]
    if not fits:
        raise InputError(
            f"{name} holds {value!r}: each entry must be {_WORDS[rule.kind]} ({rule.allowed})"
        )
    value = rule.kind(value)
    try:
        rule.check(value)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    return value


def absolute(name: str, value: Any) -> Any:
    """A value whose paths, in ``TAG@PATH`` and ``SCHEME:PATH``, are made absolute: a notebook runs
    in another folder.
    """
    sign = {"NETS": "@", "TASKS": ":"}.get(name)
    if sign is None or not isinstance(value, list):
        return value
    parts = [entry.partition(sign) for entry in value]
    return [
        f"{head}{sign}{paths.of_user(path).absolute()}" if path else head + found
        for head, found, path in parts
    ]


class _Written(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no hints
    """YAML whose scalars are texts as they were written: what YAML 1.1 would make of some of them
    (90 of ``1:30``, 8 of ``010``, truth of ``on``) surprises.
    """


def _as_written(loader: _Written, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


def _mapping(loader: _Written, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
    for key, count in keys.items():
        if count > 1 and key != "<<":
            raise InputError(f"{key} is given twice")
    loader.flatten_mapping(node)
    found: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return found


for _kind in ("int", "float", "bool", "timestamp"):
    _Written.add_constructor(f"tag:yaml.org,2002:{_kind}", _as_written)
_Written.add_constructor("tag:yaml.org,2002:map", _mapping)


MOST_NODES = 10_000
"""Most values that YAML may hold, those that it repeats (``*name``) counted each time."""

MOST_CHARACTERS = 200_000


def as_written(text: str) -> Any:
    """YAML, its numbers, truth values and dates as texts: :func:`meant` says what they are.

    Raises
    ------
    InputError
        If a key is given twice, or there is more than any preset needs: repeats of repeats make
        much of little, and what holds itself never ends.
    yaml.YAMLError
        If it is no YAML.
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{len(text):,} characters are too many: at most {MOST_CHARACTERS:,}")
    loader = _Written(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        count = _nodes(node, {})
        if count > MOST_NODES:
            raise InputError(f"it holds {count:,} values: at most {MOST_NODES:,} are allowed")
        return loader.construct_document(node)
    except RecursionError as error:
        raise InputError("it is nested too deeply, or holds itself") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise yaml.YAMLError(str(error)) from error  # of escapes that are no character
    finally:
        loader.dispose()


def _nodes(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node holds, repeats counted each time."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        inside = node.value if isinstance(node, yaml.SequenceNode) else itertools.chain(*node.value)
        known[id(node)] = 1 + sum(_nodes(one, known) for one in inside)
    return known[id(node)]


def meant(name: str, value: Any) -> Any:
    """What a value read by :func:`as_written` is for a parameter: text, or numbers.

    Raises
    ------
    InputError
        If a number can be read in two ways, such as ``010``.
    """
    if name not in PARAMETERS:
        return value
    if isinstance(value, list):
        return [meant(name, entry) for entry in value]
    rule = PARAMETERS[name]
    return value if rule.kind is str or not isinstance(value, str) else _number(name, value)


_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(_\d{3})+(\.\d*)?")
_GROUPED = re.compile(r"[-+]?\d[\d_]*(\.[\d_]*)?")
_TIME = re.compile(r"[-+]?[1-9]\d*(:[0-5]?\d)+(\.\d*)?")
_TRUTH = ("yes", "on", "true", "no", "off", "false")


def _number(name: str, text: str) -> Any:
    """The number that a text is; the text itself if it is none."""
    word = text.strip()
    digits = word.lstrip("+-")
    rule = PARAMETERS[name]
    or_list = f", or a list such as [{_EXAMPLES[rule.kind]}]" if rule.many else ""
    if word.lower() in _TRUTH:
        read, write = "a truth value", _WORDS[rule.kind]
    elif _TIME.fullmatch(word):
        seconds = str(yaml.safe_load(word))
        read, write = f"a time, {seconds}", f"{seconds} if that is meant{or_list}"
    elif len(digits) > 1 and digits.isdecimal() and digits.startswith("0"):
        decimal, octal = int(word), yaml.safe_load(word)
        differ = isinstance(octal, int) and octal != decimal
        read = f"an octal number, {octal}" if differ else "an octal number"
        write = f"{decimal} or {octal}" if differ else str(decimal)
    elif "_" in word and _GROUPED.fullmatch(word) and not _THOUSANDS.fullmatch(word):
        joined = word.replace("_", "")
        read, write = f"one number, {joined}", f"{joined} if that is meant{or_list}"
    else:
        for kind in (int, lambda given: int(given, 0), float):
            try:
                return kind(word)
            except ValueError:
                continue
        return text
    raise InputError(f"{name} holds {word}, which YAML reads as {read}: write {write}")


def parse(name: str, text: str) -> Any:
    """A value typed on the command line: YAML, with plain words where a list of one is meant.

    ``[1, 2]``, ``1``, ``digits`` and ``1e-3`` mean what they seem to.
    """
    try:
        value = meant(name, as_written(text))
    except yaml.YAMLError as error:
        raise InputError(
            f"{name} is {text!r}: it cannot be read as a value such as [1, 2] or digits"
        ) from error
    if name not in PARAMETERS or isinstance(value, (list, dict)):
        return value
    return [value] if PARAMETERS[name].many else value


@dataclass(frozen=True)
class Declared:
    """A parameter as a notebook declares it."""

    name: str
    default: Any
    help: str


def source(notebook: str) -> Path:
    """The percent script of a notebook; an unknown name raises InputError with the nearest one."""
    known = available()
    if notebook not in known:
        raise unknown("notebook", notebook, known)
    return paths.notebooks() / f"{notebook}.py"


def available() -> list[str]:
    """The names of all notebooks, in order."""
    return sorted(path.stem for path in paths.notebooks().glob("[0-9][0-9]_*.py"))


def declared(notebook: str) -> dict[str, Declared]:
    """The parameters of a notebook, read from the cell tagged ``parameters`` of its percent
    script.
    """
    text = source(notebook).read_text(encoding="utf-8")
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)
    cell = next((cell for cell in cells if '"parameters"' in cell.partition("\n")[0]), "")
    body = cell.partition("\n")[2]
    parameters = {}
    for node in ast.parse(body).body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.value is not None
        ):
            line = body.splitlines()[node.lineno - 1]
            parameters[node.target.id] = Declared(
                node.target.id, ast.literal_eval(node.value), line.partition("# ")[2].strip()
            )
    return parameters


def checked_all(notebook: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for some of a notebook's parameters, each checked; an undeclared one raises
    InputError.
    """
    known = declared(notebook)
    for name in values:
        if name not in known:
            raise unknown(f"parameter of {notebook}", name, known)
    return {name: checked(name, value) for name, value in values.items()}


def layers(values: Mapping[str, Any]) -> list[str]:
    """The layers that a notebook with these parameters measures: its one, those of its list, or the
    penultimate.
    """
    return [values["LAYER"]] if "LAYER" in values else list(values.get("LAYERS", [PENULTIMATE]))
