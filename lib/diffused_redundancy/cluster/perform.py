"""One unit of work, done: what each process, task of a job array, and worker of Dask runs."""

from __future__ import annotations

import functools
import os
import platform
import time
from typing import Any

from .. import parameters
from ..errors import InputError
from ..nets import net
from ..nets.names import expanded
from ..pipeline import prefetch
from ..pipeline.execute import one_line
from ..store import write_json
from ..tasks import task
from .units import Unit

BY_CHANCE = (OSError, MemoryError, RuntimeError)
"""Errors of files, and for want of memory (torch's are the last of these)."""


_task = functools.lru_cache(maxsize=1)(task)
"""A task, whose images serve one unit after the other."""

_net = functools.lru_cache(maxsize=1)(net)


def perform(unit: Unit) -> dict[str, Any]:
    """Do a unit, unless it was done.

    Returns
    -------
    dict
        ``unit``, its name; ``seconds``; ``host``; ``done_before``, whether there was nothing to do;
        ``error``, one line, empty if all went well; ``again``, whether it may go well another time.
    """
    mark = unit.mark  # of the inputs as they are before: what changes meanwhile is not done
    if mark.exists():
        return _took(unit, 0.0, done_before=True)
    started = time.perf_counter()
    try:
        _DO[unit.step](unit)
    except Exception as error:  # whatever it is, others go on, and the run says so
        said = str(error)
        message = said if isinstance(error, InputError) else one_line(type(error).__name__, said)
        again = any(isinstance(one, BY_CHANCE) for one in (error, error.__cause__))
        return _took(unit, time.perf_counter() - started, error=message, again=again)
    took = _took(unit, time.perf_counter() - started)
    write_json(mark, {name: took[name] for name in ("unit", "seconds", "host")})
    return took


def _took(
    unit: Unit,
    seconds: float,
    *,
    done_before: bool = False,
    error: str = "",
    again: bool = False,
) -> dict[str, Any]:
    return {
        "unit": unit.name,
        "seconds": round(seconds, 3),
        "host": f"{platform.node()}, process {os.getpid()}",
        "done_before": done_before,
        "error": error,
        "again": again,
    }


def _extract(unit: Unit) -> None:
    needs = dict(unit.needs)
    blocks, block = needs.pop("blocks"), needs.pop("block")
    wanted = prefetch.Extraction(unit.net, unit.task, **needs)
    images = _task(unit.task, images=wanted.images)
    prefetch.extract(wanted, images, block if blocks > 1 else None)


def _penalties(unit: Unit) -> None:
    from ..session import layer_of
    from ..store import Cache

    needs = unit.needs
    images, network = _task(unit.task, images=needs.get("IMAGES", 0)), _net(unit.net)
    for name, probes in needs["layers"].items():
        every = network.layers(name)
        for layer in every:
            one = layer_of(network, images, layer, needs, Cache(), also=every)
            for probe in probes:
                one.penalty(probe)
            one.release()


def _probes(unit: Unit) -> None:
    from ..experiment.measurements import common_choices
    from ..session import layer_of
    from ..store import Cache

    needs = unit.needs
    images, cache, name = _task(unit.task, images=needs.get("IMAGES", 0)), Cache(), needs["LAYER"]
    nets = expanded(needs.get("NETS", [unit.net]))
    peers = [
        (network, images, layer_of(network, images, name, needs, cache))
        for network in map(_net, nets)
    ]
    _, _, layer = peers[nets.index(unit.net)]
    common = common_choices(peers, "logistic")[images.name].penalty if "NETS" in needs else None
    layer.solve_logistic_batches(
        needs["selection"],
        needs["SEEDS"],
        layer.sizes(needs["FRACTIONS"]),
        slice(needs["batch"], None, needs["batches"]),
        penalty=common,
    )
    layer.release()


def _measure(unit: Unit) -> None:
    """Run the cells of a notebook that measure, for one network on one task."""
    import jupytext

    from ..session import measuring

    values = unit.needs["values"]
    cells = [
        cell
        for cell in jupytext.read(parameters.source(unit.part)).cells
        if cell.cell_type == "code"
    ]
    narrowed = {**values, "NETS": [unit.net], "TASKS": [unit.task]}
    namespace: dict[str, Any] = {"__name__": "__main__", **narrowed}
    place = next(i for i, cell in enumerate(cells) if "parameters" in _tags(cell))
    beginning = cells[place + 1]
    with measuring(values):
        for cell in [beginning, *(cell for cell in cells if "measures" in _tags(cell))]:
            exec(compile(cell.source, unit.part, "exec"), namespace)


def _tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


_DO = {"extract": _extract, "penalties": _penalties, "probes": _probes, "measure": _measure}
