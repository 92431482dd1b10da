"""Tasks: what an image of a scene means. A task is data, not a branch in the code.

There is no registry: a codec, a dataset and a file each carry the declarations they need; those that
everybody uses are :data:`mtcodec.tasks.known.USUAL`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mtcodec.errors import UsageError
from mtcodec.tasks.kinds import DTYPES, FLOATS, KINDS, Kind

NAME = re.compile("[a-z_][a-z0-9_]{0,30}")
RESERVED = re.compile(r"shared|notes|files|holes\d*")  # names of sections that are no tasks
MAX_CHANNELS = 16


@dataclass(frozen=True)
class Task:
    """Declaration of one task.

    Attributes:
        name: file stem and option name, lower case, at most 31 characters.
        kind: what its values mean; it may be given by its name, a key of :data:`mtcodec.tasks.kinds.KINDS`.
        channels: number of channels of the stored image, 1 to 16 (1 means an H×W array).
        dtypes: dtypes accepted at the input; the first is the usual one.
        unit: unit of one step of the stored values, for reports (``mm`` for depth).
        weight: weight of this task's squared error in the objective, relative to 1.

    Raises:
        UsageError: not a possible declaration.
    """

    name: str
    kind: Kind
    channels: int = 3
    dtypes: tuple[str, ...] = ("uint8",)
    unit: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or RESERVED.fullmatch(self.name):
            raise UsageError(f"not a task name: {self.name!r}")
        if not isinstance(self.kind, Kind):
            if self.kind not in KINDS:
                raise UsageError(f"unknown kind {self.kind!r}", task=self.name)
            object.__setattr__(self, "kind", KINDS[self.kind])
        if not isinstance(self.channels, int) or not 1 <= self.channels <= MAX_CHANNELS:
            raise UsageError(f"channels must be 1 to {MAX_CHANNELS}, not {self.channels}", task=self.name)
        if not self.dtypes or any(d not in DTYPES for d in self.dtypes):
            raise UsageError(f"dtypes must be among {', '.join(DTYPES)}", task=self.name)
        if self.kind.name == "categories" and self.channels not in (1, 3, 4):
            raise UsageError("categories have one channel, or three of colours", task=self.name)

    @property
    def exact(self) -> bool:
        """True where values are kept exactly, whatever the quality."""
        return self.kind.exact

    def alike(self, other: Task) -> bool:
        """Do networks for one code the other? Accepted dtypes, units and weights do not matter to them."""
        return (self.name, self.kind, self.channels) == (other.name, other.kind, other.channels)

    def uses_scene_range(self, dtype: str) -> bool:
        """True where values are scaled by the scene's own minimum and maximum."""
        return self.kind.scene_range or dtype in FLOATS

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "kind": self.kind.name}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Task:
        return cls(**{**fields, "kind": KINDS[fields["kind"]], "dtypes": tuple(fields["dtypes"])})


Declarations = Mapping[str, Task]
"""Tasks by name."""


def declare(name: str, kind: str, channels: int = 0) -> Task:
    """A task with what is usual for its kind; ``channels`` 0: the kind's."""
    if kind not in KINDS:
        raise UsageError(f"unknown kind {kind!r} (known: {', '.join(KINDS)})", task=name)
    usual = KINDS[kind]
    unit = "mm" if usual.length else ""
    return Task(name, usual, channels or usual.channels, usual.dtypes, unit, usual.weight)


def parse(items: str | Iterable[str], declarations: Declarations) -> list[Task]:
    """Tasks of a command-line list: ``rgb,depth`` or with declarations, ``rgb,albedo:image:3``.

    A declaration is ``name:kind`` or ``name:kind:channels``; a bare name must be among ``declarations``.

    Raises:
        UsageError: an unknown name or kind, or a task that is named twice.
    """
    result = []
    for item in items.split(",") if isinstance(items, str) else items:
        name, *declaration = item.strip().split(":")
        if not declaration:
            if name not in declarations:
                raise UsageError(
                    f"unknown task {name!r} (known: {', '.join(declarations)}; others: name:kind)"
                )
            result.append(declarations[name])
        elif len(declaration) > 2 or (len(declaration) == 2 and not declaration[1].isdecimal()):
            raise UsageError(f"not a task: {item!r} (a name, or name:kind[:channels])")
        else:
            result.append(declare(name, declaration[0], int(declaration[1]) if len(declaration) == 2 else 0))
    if len({t.name for t in result}) != len(result):
        raise UsageError(f"a task is named twice: {items}")
    return result
