"""Checks of the exercises in 03_conclusions."""

from __future__ import annotations

CHECKS: dict = {}
