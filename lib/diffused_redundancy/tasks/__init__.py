"""Downstream tasks: images and labels by name, with fixed splits."""

from .registry import SCHEMES, TASKS, task
from .splits import Split, Task

__all__ = ["SCHEMES", "TASKS", "Split", "Task", "task"]
