"""What a notebook talks to: checked parameters, layers to measure, and places for figures, tables
and results.
"""

from __future__ import annotations

import base64
import difflib
import functools
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from . import parameters
from .errors import InputError, unknown
from .experiment.measurements import AllHits, Measurements, NetTaskLayer
from .experiment.probed_layer import ProbedLayer
from .findings.claims import CLAIMS, NOT_ASKED, SOURCES, Verdict
from .measures.features import Features
from .nets import PENULTIMATE, Net, features, net
from .nets.extraction import key_of
from .nets.names import expanded, labels, titles
from .nets.protocols import protocol
from .report.display import MARK, display, markdown_table, png, rounded, with_palette
from .report.panels import save_svg
from .report.provenance import describe_inputs, describe_machine, describe_parameters
from .store import Cache, atomic_path, make_folder, paths, provenance, write_json, write_text
from .store.csvfile import csv_text, harmless_json
from .tasks import Task
from .tasks import task as named_task
from .uncertainty.interval import WithInterval
from .zoo import ZOO

# No widgets here: they would not survive in a report.
warnings.filterwarnings("ignore", message="IProgress not found")

UNANSWERED = "This run cannot say"
"""How an answer begins where a run lacks what it takes."""

FEWEST_SEEDS, FEWEST_IMAGES = 3, 100
"""Seeds of the selection, and test images of each task, below which no verdict is given."""


class Session:
    """One run of one notebook. Made by :func:`begin`; its methods show things in the notebook and
    keep them on disk.

    Attributes
    ----------
    notebook : str
    parameters : dict
        The checked values.
    folder : path
        Where figures, tables and results go.
    nets, tasks : list of Net and Task
        Of the parameters NETS and TASKS.
    protocol : Protocol
        Of the parameter PROTOCOL.
    items : str
        What is embedded, in the plural; sentences that say "images" are shown with this word.
    """

    def __init__(self, notebook: str, values: Mapping[str, Any], items: str = "images") -> None:
        self.notebook, self.items = notebook, items
        self.parameters = dict(values)
        self.folder = self._make_folder()
        self.nets: list[Net] = [net(name) for name in expanded(values.get("NETS", []))]
        self.tasks: list[Task] = [
            named_task(name, images=values.get("IMAGES", 0)) for name in values.get("TASKS", [])
        ]
        self.protocol = protocol(values.get("PROTOCOL", "clean"))
        layers = parameters.layers(values)
        for network in self.nets:  # a misspelt layer is found before any image is looked at
            for layer in layers:
                network.layers(layer)
        self.cache = Cache()
        self._answer = ""
        self._hero = ""
        self._results: dict[str, Any] = {}
        self._verdicts: list[dict[str, Any]] = []
        self._not_asked: dict[int, list[str]] = {}
        self._layers: dict[tuple[str, str, str], ProbedLayer] = {}
        self._written: set[Path] = set()
        self._unshown: list[str] = []

    def _make_folder(self) -> Path:
        return make_folder(paths.report())

    def need(self, name: str, entry: str) -> None:
        """Say at once when a list parameter lacks an entry this notebook cannot do without."""
        if entry not in self.parameters[name]:
            raise InputError(
                f"{name} is {self.parameters[name]!r}: {self.notebook} needs {entry!r} among them"
            )

    def layers(self) -> Iterator[tuple[Net, Task, ProbedLayer]]:
        """Every network with every task, and the layer to measure."""
        for network in self.nets:
            for task in self.tasks:
                yield network, task, self.layer(network, task)

    def peers(self) -> list[NetTaskLayer]:
        """Every network with every task of the run, of which all networks of a task have one
        penalty: those of :meth:`layers`, also where a part of the run measures but some of these.
        """
        return list(self.layers())

    def layer(self, network: Net, task: Task, name: str | None = None) -> ProbedLayer:
        """A layer of one network on one task, by default that of the parameter LAYER; features are
        extracted when first needed.
        """
        name = name or self.parameters.get("LAYER", PENULTIMATE)
        names = parameters.layers(self.parameters)
        also = [layer for one in names for layer in network.layers(one)]
        layer = layer_of(network, task, name, self.parameters, self.cache, also=also)
        return self._layers.setdefault((network.name, task.name, name), layer)

    def title(self, network: Net, task: Task) -> str:
        """The title of a plot of one network and task: the network is named only where there are
        several; no two are alike.
        """
        title = _distinct(task, self.tasks, [one.title for one in self.tasks])
        if len(self.nets) == 1:
            return title
        return f"{title}, {labels([one.name for one in self.nets])[self.nets.index(network)]}"

    @property
    def unit(self) -> str:
        """What the cases of a verdict are, where each network on each task is one."""
        return "tasks" if len(self.nets) == 1 else "cases"

    def task_titles(self) -> dict[str, Task]:
        """The tasks by their titles, of which no two are alike."""
        titles = [task.title for task in self.tasks]
        return {_distinct(task, self.tasks, titles): task for task in self.tasks}

    def titles(self) -> dict[str, Net]:
        """The networks by their names for reading."""
        return dict(zip(titles([network.name for network in self.nets]), self.nets, strict=True))

    def figure(self, figure: Figure, name: str, alt: str, *, hero: bool = False) -> None:
        """Show a figure with its alternative text, and keep it as PNG and SVG.

        The ``hero`` of a notebook is the one figure that shows its answer: it stands at the top of
        the page.
        """
        drawn = png(figure)
        figure.set_layout_engine("none")  # it has been laid out; again takes as long as drawing
        with atomic_path(self._place("figures", f"{name}.png")) as temporary:
            temporary.write_bytes(drawn)
        with atomic_path(self._place("figures", f"{name}.svg")) as temporary:
            save_svg(figure, temporary)
        display(
            {"image/png": base64.b64encode(with_palette(drawn)).decode(), "text/plain": alt},
            {
                "image/png": {"alt": alt, "figure": f"{self.notebook}-{name}"},
                **self._marked("hero" if hero else "figure", f"figures/{self.notebook}-{name}"),
            },
        )
        if hero:
            self._hero = name

    def table(self, table: pd.DataFrame, name: str, *, show: bool = True) -> None:
        """Keep a tidy table as CSV, headed by the parameters that made it, and show it.

        Numbers are rounded to 12 decimals before their six digits are printed: a spread of 1e-16 is
        the order of a sum, which differs between runs of equal results.

        What is shown next, this table or a figure or another table made from it, is linked to the
        file.
        """
        values = harmless_json(json.dumps(self.parameters, ensure_ascii=False))
        head = f"# {self.notebook}, parameters: {values}\n"
        text = csv_text(rounded(table), "%.6g")
        write_text(self._place("tables", f"{name}.csv"), head + text)
        self._unshown.append(f"tables/{self.notebook}-{name}.csv")
        if show:
            self.say(markdown_table(table))

    def explorer(self, measurements: Measurements, hits: AllHits) -> None:
        """Write ``explorer.html``, where networks, tasks and sizes are looked up without a kernel,
        and link to it.
        """
        from .findings.explorer import explorer_data, explorer_rows
        from .report.explorer import explorer_page

        data = explorer_data(measurements, hits, self.parameters["SEEDS"][0])
        write_text(self.folder / "explorer.html", explorer_page(data, explorer_rows(data)))
        self.say(
            "**Explore:** [choose a network, a task and a number of neurons](explorer.html), and "
            f"see what is left ({len(data['cases'])} curves; a page beside this report)."
        )

    def _place(self, kind: str, name: str) -> Path:
        """The path of a figure or table of this notebook, which :meth:`finish` keeps."""
        path = self.folder / kind / f"{self.notebook}-{name}"
        self._written.add(path)
        return path

    def _marked(self, role: str, figure: str = "") -> dict[str, Any]:
        """Metadata of an output: what it is, and its files, with tables kept since the last one."""
        files = [f"{figure}.svg", f"{figure}.png"] if figure else []
        files += self._unshown
        self._unshown = []
        return {MARK: {"role": role, "files": files}}

    def say(self, text: str, *, linked: bool = False) -> None:
        """Show text, as Markdown; sentences that state a result are made from the numbers and said
        here.

        A table, and ``linked`` text, are linked to the tables kept since the last one.
        """
        linked = linked or text.lstrip().startswith("|")
        self._show(text, self._marked("table") if linked and self._unshown else {})

    def _show(self, text: str, metadata: dict[str, Any]) -> None:
        text = re.sub(r"[ \t]*\n[ \t]*", "\n", self._worded(text.strip()))
        display({"text/markdown": text, "text/plain": text}, metadata)

    def answer(self, text: str) -> None:
        """Show the answer to the question of the notebook, in a sentence or two made from the
        numbers: the page begins with it, and the index repeats it. From too few seeds or images for
        a verdict it is said to be no answer.
        """
        doubt = self._doubt()
        if doubt and not text.startswith(UNANSWERED):
            text = f"No answer yet. {doubt}. The numbers so far say: {text}"
        self._answer = self._worded(text.strip())
        self._show(f"**Answer.** {self._answer}", {MARK: {"role": "answer"}})

    def _worded(self, text: str) -> str:
        """A text about what this notebook embeds."""
        return re.sub(
            r"\b(image)(s?)\b", lambda match: self.items.removesuffix("s") + match[2], text
        )

    def result(self, **numbers: Any) -> None:
        """Hand key numbers to the summary and the tests; of an
        :class:`~.uncertainty.interval.WithInterval` the interval is kept, too.
        """
        self._results.update(numbers)

    def verdict(
        self,
        claim: int,
        verdict: Verdict,
        *,
        part: str = "",
        analogue: bool | None = None,
        source: str | None = None,
    ) -> None:
        """Show what the numbers say of one claim of the paper, and hand it to the index; one that
        was not asked waits for :meth:`say_not_asked`.

        Parameters
        ----------
        claim : int
        verdict : Verdict
        part : str
            Which part of the claim it is about.
        analogue : bool, optional
            Whether the claim is about other networks and tasks than these; by default it is where
            the paper says something and all networks are of the miniature zoo.
        source : str, optional
            Where this part comes from, a key of :data:`~.findings.claims.SOURCES`, if not where the
            claim does.
        """
        if claim not in CLAIMS:
            raise InputError(f"there is no claim {claim}: claims are {', '.join(map(str, CLAIMS))}")
        if verdict.kind == NOT_ASKED:
            self._not_asked.setdefault(claim, []).append(part)
            return
        source = CLAIMS[claim].source if source is None else source
        if source not in SOURCES:
            raise unknown("source of a claim", source, SOURCES)
        if analogue is None:
            analogue = (
                source != "C" and bool(self.nets) and all(one.name in ZOO for one in self.nets)
            )
        doubt = self._doubt()
        if doubt and verdict.kind != "undecided":
            because = f"{doubt}. The numbers so far say: {verdict.word}. {verdict.because}"
            verdict = Verdict("undecided", because, outcomes=verdict.outcomes, unit=verdict.unit)
        self._verdicts.append(
            {
                "claim": claim,
                "verdict": verdict.word,
                "kind": verdict.kind,
                "tally": verdict.tally,
                "everywhere": verdict.everywhere,
                "part": part,
                "analogue": analogue,
                "source": source,
                "because": self._worded(verdict.because),
                "notebook": self.notebook,
            }
        )
        said = SOURCES[source]
        if analogue:
            said += ", asked here of other networks and tasks"
        what = f"An analogue of claim {claim}" if analogue else f"Claim {claim}"
        self._show(
            f"**{what}{f', {part}' if part else ''}** ({said}). {CLAIMS[claim].text}\n\n"
            f"**{verdict.word.capitalize()}.** {verdict.because}",
            {MARK: {"role": "verdict", "verdict": self._verdicts[-1]}},
        )

    def say_not_asked(self) -> None:
        """Show which claims could not be asked of these networks, if any, unless they were said."""
        if self._not_asked:
            listed = "; ".join(
                f"claim {claim} ({'; '.join(parts)})" if any(parts) else f"claim {claim}"
                for claim, parts in self._not_asked.items()
            )
            self._not_asked.clear()
            self.say(
                f"**Not asked**, as `NETS` and `TASKS` leave nothing to compare for it: {listed}."
            )

    def _doubt(self) -> str:
        """Why this run cannot carry a verdict; empty if it can."""
        seeds = len(self.parameters.get("SEEDS", range(FEWEST_SEEDS)))
        return _too_little(seeds, self._test_images())

    def _test_images(self) -> Iterator[tuple[str, int]]:
        """Each task's title and number of test images."""
        for task in self.tasks:
            first, *_ = self.nets[0].layers(parameters.layers(self.parameters)[0])
            yield task.title, int(self.layer(self.nets[0], task, first).about["n_test"])

    def finish(self) -> None:
        """Write the results, and remove figures and tables that an earlier run left and this one
        did not write; the last call of a notebook.
        """
        self.say_not_asked()
        for kind in ("figures", "tables"):
            for old in set((self.folder / kind).glob(f"{self.notebook}-*")) - self._written:
                old.unlink(missing_ok=True)
        write_json(
            self.folder / "results" / f"{self.notebook}.json",
            {
                "notebook": self.notebook,
                "parameters": self.parameters,
                "answer": self._answer,
                "hero": self._hero,
                "results": self._results,
                "intervals": {
                    name: [one.low, one.high]
                    for name, one in self._results.items()
                    if isinstance(one, WithInterval) and one.has_interval
                },
                "verdicts": self._verdicts,
                "provenance": provenance(),
            },
        )
        self.say(
            f"Numbers saved in `results/{self.notebook}.json`: {len(self._results)}; verdicts "
            f"passed to the index: {len(self._verdicts)}."
        )

    def show_provenance(self) -> None:
        """Show the parameters in force and what made this page."""
        compute = self.parameters.get("COMPUTE", "float32")
        sentences = describe_inputs(self.nets, self.tasks, self.protocol, compute)
        if compute != "float32" and self.nets and self.tasks:
            from .experiment.mixed_precision import effect

            network, task = self.nets[0], self.tasks[0]
            measured = effect(network, task, compute, device=self.parameters["DEVICE"])
            sentences.append(
                f"{measured.sentence(compute)}: {paths.without_home(network.name)}, {task.title}."
            )
        sentences.append(describe_machine(provenance()))
        helps = {name: one.help for name, one in parameters.declared(self.notebook).items()}
        self._show(describe_parameters(self.parameters, helps), {MARK: {"role": "parameters"}})
        self.say("\n".join(f"- {sentence}" for sentence in sentences))


def layer_of(
    network: Net,
    task: Task,
    name: str,
    values: Mapping[str, Any],
    cache: Cache,
    *,
    also: Sequence[str] = (),
) -> ProbedLayer:
    """A layer of one network on one task, with some values of a notebook's parameters; its features
    are extracted when first needed, those of the layers ``also`` together with them.
    """
    how = {
        "device": values["DEVICE"],
        "protocol_name": protocol(values.get("PROTOCOL", "clean")).name,
        "compute": values["COMPUTE"],
    }

    def load() -> Features:
        return features(network, task, layer=name, also=also, cache=cache, **how)

    key = {**key_of(network, task, **how), "layer": name}
    return ProbedLayer(load, key=key, cache=cache, device=how["device"])


_measured: ContextVar[Mapping[str, Any] | None] = ContextVar("measured", default=None)
"""The parameters of the run of which a part is measured, if that is what is done."""


@contextmanager
def measuring(values: Mapping[str, Any]) -> Iterator[None]:
    """Within, :func:`begin` gives sessions that measure, for the cache, a part of a run with these
    parameters, and show and keep nothing.
    """
    token = _measured.set(values)
    try:
        yield
    finally:
        _measured.reset(token)


class _Part(Session):
    """A part of a run: some of its networks and tasks, measured without a word."""

    def _make_folder(self) -> Path:
        return paths.report()

    def need(self, name: str, entry: str) -> None:
        """Other parts have what this one lacks."""

    def peers(self) -> list[NetTaskLayer]:
        values = _measured.get() or self.parameters
        nets = [*self.nets, *(_peer(name) for name in expanded(values["NETS"]))]
        by_name = {network.name: network for network in nets[::-1]}
        return [
            (by_name[name], task, self.layer(by_name[name], task))
            for name in expanded(values["NETS"])
            for task in self.tasks
        ]

    def figure(self, figure: Figure, name: str, alt: str, *, hero: bool = False) -> None:
        """Nothing."""

    def table(self, table: pd.DataFrame, name: str, *, show: bool = True) -> None:
        """Nothing."""

    def _show(self, text: str, metadata: dict[str, Any]) -> None:
        """Nothing."""


_peer = functools.lru_cache(maxsize=10_000)(net)
"""A network that a part of a run names but does not measure."""


def _too_little(seeds: int, test_images: Iterable[tuple[str, int]]) -> str:
    """Why so many seeds, and test images by task, cannot carry a verdict; empty if they can."""
    if seeds < FEWEST_SEEDS:
        there = "there is one" if seeds == 1 else f"there are {seeds}"
        return f"A verdict needs at least {FEWEST_SEEDS} seeds of the selection, and {there}"
    for title, images in test_images:
        if images < FEWEST_IMAGES:
            return f"A verdict needs at least {FEWEST_IMAGES} test images, and {title} has {images}"
    return ""


def _distinct(item: Any, items: list[Any], names: list[str]) -> str:
    """The name of an item, with its place in the list where another has the same name."""
    place = next(i for i, one in enumerate(items) if one is item)
    return names[place] if names.count(names[place]) == 1 else f"{names[place]} ({place + 1})"


def begin(notebook: str, namespace: Mapping[str, Any], *, items: str = "images") -> Session:
    """Check a notebook's parameters before any computation.

    Parameters
    ----------
    notebook : str
        Its name, such as ``01_cka``.
    namespace : mapping
        The notebook's ``globals()``. Names in capitals are taken for parameters, so that a misspelt
        one that papermill injected is found.
    items : str
        What is embedded, in the plural.

    Raises
    ------
    InputError
        Naming the parameter, the value and what is allowed.

    Examples
    --------
    In a notebook: ``session = dr.begin("01_cka", globals())``. A misspelt parameter is named:

    >>> begin("01_cka", {"SEEDZ": [1, 2, 3]})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    diffused_redundancy.errors.InputError: unknown parameter of 01_cka 'SEEDZ': did you mean ...
    """
    known = parameters.declared(notebook)
    given = {name: value for name, value in namespace.items() if parameters.NAME.match(name)}
    interactive = os.environ.get("JPY_SESSION_NAME")  # there it may be somebody's own variable
    for name in given:
        if name not in known and (
            not interactive or difflib.get_close_matches(name, known, cutoff=0.7)
        ):
            raise unknown(f"parameter of {notebook}", name, known)
    kind = Session if _measured.get() is None else _Part
    return kind(
        notebook,
        parameters.checked_all(notebook, {name: given[name] for name in known if name in given}),
        items,
    )
