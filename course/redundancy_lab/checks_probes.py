"""Checks of the exercises in 02_probes."""

from __future__ import annotations

CHECKS: dict = {}
