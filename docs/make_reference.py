"""Make docs/reference.md, the reference of the library, from its docstrings.

.venv/bin/python docs/make_reference.py
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import diffused_redundancy as dr

PAGE = Path(__file__).with_name("reference.md")
STUB = Path(dr.__file__).with_suffix(".pyi")

GROUPS = {
    "Measure a matrix of features": ["measure", "Result"],
    "Networks, tasks, features": (
        ["net", "Net", "task", "Task", "TASKS", "features", "Features", "forward", "zoo"]
    ),
    "Statistics": ["SufficientStatistics", "diagonal_share"],
    "Orders of neurons": (
        ["ordering", "orderings", "Ordering", "SELECTIONS", "sizes_of", "PAPER_FRACTIONS"]
    ),
    "Similarity": ["cka_curve", "closed_form"],
    "Probes": ["RidgeProbe", "LogisticProbe", "PenaltyChoice"],
    "Curves and redundancy": ["Curve", "MEASURES", "diffused_redundancy", "Redundancy", "fairness"],
    "Notebooks, cache, errors": ["begin", "run_on", "Cache", "provenance", "InputError"],
}
"""The public names, in the order in which a newcomer needs them."""

SECTION = re.compile(r"^([A-Z]\w+)\n-{3,}$", re.M)
ENTRIES = ("Parameters", "Attributes", "Returns", "Raises")
ROLE = re.compile(r":\w+:`\.?([^`]+)`")


def homes() -> dict[str, str]:
    """The module that each public name comes from, as the stub says; empty for a module."""
    imports = ast.parse(STUB.read_text(encoding="utf-8")).body
    return {
        alias.name: node.module or ""
        for node in imports
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def title(name: str) -> str:
    """The heading of a public name."""
    thing = getattr(dr, name)
    kinds = {type(inspect): "module dr.", type: "class dr."}
    return kinds.get(type if inspect.isclass(thing) else type(thing), "dr.") + name


def anchor(name: str) -> str:
    """The anchor that GitHub gives to that heading."""
    return title(name).lower().replace(".", "").replace(" ", "-")


def inline(text: str) -> str:
    """A paragraph in Markdown: literals as code, public names as links, nothing else as markup."""

    def span(piece: str) -> str:
        role = ROLE.fullmatch(piece)
        if role is None:
            return f"`{piece.strip('`')}`" if piece.startswith("``") else escaped(piece)
        linked = f"(#{anchor(role[1])})" if role[1] in homes() else ""
        return f"[`{role[1]}`]{linked}" if linked else f"`{role[1]}`"

    def escaped(piece: str) -> str:
        return re.sub(r"([*<\[\]])", r"\\\1", piece)

    pieces = re.split(r"(:\w+:`[^`]+`|``.+?``)", " ".join(text.split()))
    return "".join(span(piece) for piece in pieces)


def blocks(text: str) -> Iterator[str]:
    """Paragraphs in Markdown; what is indented, and examples, are code."""
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if paragraph.startswith(">>>"):
            yield "```python\n" + re.sub(r" +# doctest: \+.*", "", paragraph) + "\n```"
        elif paragraph.startswith("    "):
            yield "```text\n" + inspect.cleandoc(paragraph) + "\n```"
        elif paragraph.startswith("- "):
            yield "\n".join(
                f"- {inline(item)}" for item in re.split(r"^- ", paragraph, flags=re.M)[1:]
            )
        elif paragraph:
            yield inline(paragraph)


def entries(section: str, text: str) -> Iterator[str]:
    """The items of a section of a docstring: a name and type, or a type, and what it says."""
    for item in re.split(r"^(?=\S)", text.strip("\n"), flags=re.M):
        head, _, rest = item.partition("\n")
        if not head:
            continue
        name, _, kind = head.partition(" : ")
        told = " ".join(blocks(inspect.cleandoc(rest))) if rest.strip() else ""
        if section in ("Returns", "Raises") and not kind:
            shown = inline(f":class:`{head}`" if head in homes() else head)
        else:
            shown = f"**{inline(name)}**" + (f": {inline(kind)}" if kind else "")
        yield f"- {shown}" + (f". {told}" if told else "")


def described(docstring: str | None) -> Iterator[str]:
    """A docstring in NumPy's style as blocks of Markdown."""
    first, *sections = SECTION.split(docstring or "")
    yield from blocks(first)
    for name, text in zip(sections[::2], sections[1::2], strict=True):
        yield f"*{name}*"
        if name in ENTRIES:
            yield "\n".join(entries(name, text))
        else:
            yield from blocks(text)


def call(name: str, thing: Any) -> str:
    """How something is called: its parameters and their defaults, whose types are told below."""
    signature = inspect.signature(thing)
    plain = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in signature.parameters.values()
        if one.name != "self"
    ]
    bare = signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)
    return f"`{name}{bare}`"


def members(name: str, thing: type) -> Iterator[str]:
    """Properties and methods of a class, its bases in this library included."""
    properties, methods = [], []
    owned = {
        key: value
        for base in reversed(thing.__mro__)
        if base.__module__.startswith(dr.__name__)
        for key, value in vars(base).items()
        if not key.startswith("_")
    }
    for key, value in owned.items():
        if isinstance(value, property | cached_property):
            first = next(described(inspect.getdoc(value)), "")
            properties.append(f"- **{key}**: {first}")
        elif isinstance(value, classmethod) or inspect.isfunction(value):
            bound = getattr(thing, key)
            methods += [f"#### {call(f'{name}.{key}', bound)}", *described(inspect.getdoc(value))]
    if properties:
        yield "*Properties*"
        yield "\n".join(properties)
    yield from methods


def of_data(name: str, home: str) -> str:
    """The string below an assignment."""
    file = STUB.parent.joinpath(*home.split(".")).with_suffix(".py")
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for node, after in pairwise(body):
        target = getattr(node, "target", None) or next(iter(getattr(node, "targets", ())), None)
        if isinstance(target, ast.Name) and target.id == name and isinstance(after, ast.Expr):
            return inspect.cleandoc(ast.literal_eval(after.value))
    raise LookupError(f"{name} of {home} has no docstring")


def is_own(value: Any, module: ModuleType) -> bool:
    """Whether a module defines something public, rather than imports it."""
    public = not getattr(value, "__name__", "_").startswith("_")
    return public and getattr(value, "__module__", "") == module.__name__


def entry(name: str) -> Iterator[str]:
    """The blocks of one public name."""
    thing = getattr(dr, name)
    yield f"### {title(name)}"
    if isinstance(thing, ModuleType):
        yield from described(inspect.getdoc(thing))
        own = [key for key, value in vars(thing).items() if is_own(value, thing)]
        for key in getattr(thing, "__all__", own):
            value = getattr(thing, key)
            if inspect.isfunction(value):
                yield f"#### {call(f'dr.{name}.{key}', value)}"
                yield from described(inspect.getdoc(value))
    elif inspect.isclass(thing) or inspect.isfunction(thing):
        yield call(f"dr.{name}", thing)
        yield from described(inspect.getdoc(thing))
        if inspect.isclass(thing):
            yield from members(name, thing)
    else:
        yield from described(of_data(name, homes()[name]))
        names = [f"`{one}`" for one in thing]
        yield f"{'Names' if isinstance(thing, dict) else 'Values'}: {', '.join(names)}."


def reference() -> str:
    """The whole page."""
    told = [name for names in GROUPS.values() for name in names]
    if sorted(told) != sorted(homes()):
        raise LookupError(f"not once in GROUPS: {set(told) ^ set(homes())}")
    page = [
        "<!-- made from docstrings by docs/make_reference.py: change those -->",
        "# Reference",
        "The public names of the library, `import diffused_redundancy as dr`. Shapes of arrays "
        "stand in brackets; n is the number of images, d that of neurons.",
        "\n".join(
            f"- {group}: " + ", ".join(f"[`{name}`](#{anchor(name)})" for name in names)
            for group, names in GROUPS.items()
        ),
    ]
    for group, names in GROUPS.items():
        page += [f"## {group}", *(block for name in names for block in entry(name))]
    return "\n\n".join(page) + "\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
