"""The device to compute on, and its cores."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, unknown

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


def cores() -> int:
    """Those that this process may use: of a job on a cluster, often not all of its machine's."""
    may = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(may(0)) if may else os.cpu_count() or 1


def resolve_device(name: str = "auto") -> torch.device:
    """The device of a name: ``auto`` is CUDA, else Apple's MPS, else the CPU.

    Raises
    ------
    InputError
        If the name is none of ``auto``, ``cpu``, ``cuda``, ``mps``, or this machine lacks the
        device.
    """
    import torch

    if name not in DEVICES:
        raise unknown("device", name, DEVICES)
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if present[kind]))
    if not present[name]:
        raise InputError(
            f"device {name!r} is not on this machine: it has "
            f"{', '.join(k for k, v in present.items() if v)}"
        )
    return torch.device(name)


@cache
def fast_bfloat16(device: torch.device) -> bool:
    """Whether products of bfloat16 are faster than of float32: on CPUs with instructions for them.

    They are read from Linux's list; without them bfloat16 is emulated, and slower. Not tried on
    other devices.
    """
    if device.type != "cpu":
        return False
    with suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False
