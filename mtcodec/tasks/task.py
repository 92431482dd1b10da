"""Tasks: what an image of a scene means, declared once and used everywhere.

A task is data, not a branch in the code. To add one, create a :class:`Task` and pass it to
:func:`register`; files, networks, metrics and the command line then know it by name.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mtcodec.errors import UsageError

Kind = Literal["color", "depth", "vectors", "categories", "image"]
KINDS: tuple[Kind, ...] = ("color", "depth", "vectors", "categories", "image")
DTYPES = ("uint8", "uint16", "float32", "float64")


@dataclass(frozen=True)
class Task:
    """Declaration of one task.

    Attributes:
        name: file stem and option name, lower case, at most 31 characters.
        kind: ``color`` (sRGB), ``depth`` (distance, per-scene range), ``vectors`` (unit vectors
            stored as ``round((n+1)/2*255)``), ``categories`` (class ids, always lossless),
            ``image`` (anything else; full dtype range for integers, per-scene range for floats).
        channels: number of channels of the stored image (1 means an H×W array).
        dtypes: dtypes accepted at the input; the first is the usual one.
        unit: unit of one step of the stored values, for reports (``mm`` for depth).
        weight: weight of this task's squared error in training, relative to 1.
    """

    name: str
    kind: Kind
    channels: int = 3
    dtypes: tuple[str, ...] = ("uint8",)
    unit: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z_][a-z0-9_]{0,30}", self.name) or self.name == "shared":
            raise UsageError(f"not a task name: {self.name!r}")
        if self.kind not in KINDS:
            raise UsageError(f"task {self.name}: unknown kind {self.kind!r}")
        if not isinstance(self.channels, int) or not 1 <= self.channels <= 16:
            raise UsageError(f"task {self.name}: channels must be 1 to 16, not {self.channels}")
        if not self.dtypes or any(d not in DTYPES for d in self.dtypes):
            raise UsageError(f"task {self.name}: dtypes must be among {', '.join(DTYPES)}")
        if self.kind == "categories" and self.channels != 1:
            raise UsageError(f"task {self.name}: categories have one channel")

    @property
    def lossless(self) -> bool:
        """True where the values are labels, which are stored exactly and not by the networks."""
        return self.kind == "categories"

    def scene_range(self, dtype: str) -> bool:
        """True where values are scaled by the scene's own minimum and maximum."""
        return self.kind == "depth" or dtype.startswith("float")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Task:
        return cls(**{**fields, "dtypes": tuple(fields["dtypes"])})


RGB = Task("rgb", "color", 3, ("uint8", "uint16"))
DEPTH = Task("depth", "depth", 1, ("uint16", "uint8", "float32", "float64"), unit="mm", weight=3.0)
NORMAL = Task("normal", "vectors", 3, ("uint8", "uint16"), weight=1.25)
SEMANTIC = Task("semantic", "categories", 1, ("uint8", "uint16"))

_registry: dict[str, Task] = {t.name: t for t in (RGB, DEPTH, NORMAL, SEMANTIC)}


def register(task: Task) -> Task:
    """Make ``task`` known by its name; declaring the same name differently is an error."""
    known = _registry.setdefault(task.name, task)
    if known != task:
        raise UsageError(f"task {task.name!r} is declared already, differently")
    return task


def get(name: str) -> Task:
    """The declaration of ``name``, or :class:`UsageError` naming the known tasks."""
    try:
        return _registry[name]
    except KeyError:
        known = ", ".join(_registry)
        raise UsageError(f"unknown task {name!r} (known: {known})") from None


def names() -> list[str]:
    """Names of all declared tasks, in order of declaration."""
    return list(_registry)


def parse(text: str) -> list[Task]:
    """Tasks of a command-line list: ``rgb,depth`` or with declarations, ``rgb,albedo:image:3``.

    A declaration is ``name:kind`` or ``name:kind:channels`` (1 for depth and categories, else 3); it
    is registered.
    """
    result = []
    for item in text.split(","):
        name, *rest = item.strip().split(":")
        if not rest:
            result.append(get(name))
            continue
        kind = next((k for k in KINDS if k == rest[0]), None)
        if kind is None or len(rest) > 2 or (len(rest) == 2 and not rest[1].isdecimal()):
            raise UsageError(
                f"not a task: {item!r} (a name, or name:kind[:channels], kinds {', '.join(KINDS)})"
            )
        single = kind in ("depth", "categories")
        channels = int(rest[1]) if len(rest) == 2 else 1 if single else 3
        dtypes = DEPTH.dtypes if kind in ("depth", "image") else SEMANTIC.dtypes
        result.append(register(Task(name, kind, channels, dtypes)))
    if len({t.name for t in result}) != len(result):
        raise UsageError(f"a task is named twice: {text}")
    return result
