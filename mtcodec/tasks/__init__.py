"""Declarations of tasks, and what each kind of task means."""

from mtcodec.tasks import units
from mtcodec.tasks.kinds import DTYPES, FLOATS, INTEGERS, KINDS, Kind
from mtcodec.tasks.known import ALIASES, USUAL, camera_parts, is_place, task_named, task_of
from mtcodec.tasks.task import Declarations, Task, declare, parse

__all__ = [
    "ALIASES",
    "DTYPES",
    "FLOATS",
    "INTEGERS",
    "KINDS",
    "USUAL",
    "Declarations",
    "Kind",
    "Task",
    "camera_parts",
    "declare",
    "is_place",
    "parse",
    "task_named",
    "task_of",
    "units",
]
