"""What an archive is: a directory of Parquet files, one row a scene (``docs/format.md``).

::

    archive/part-00000.parquet   key, height, width, bytes, header, depth_min, depth_max,
                                 shared, holes, one column per task, notes, files
            part-00001.parquet   …
            weights/<fingerprint>.safetensors
            archive.json         what holds for all scenes; rows and bytes of parts (``index.py``)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtcodec import extras
from mtcodec.archive.names import WEIGHTS
from mtcodec.container.header import NO_WEIGHTS, Header
from mtcodec.container.section import ATTACHMENTS, NOTES, SHARED, is_mask
from mtcodec.errors import FormatError, UsageError
from mtcodec.networks.weights.file import SUFFIX
from mtcodec.tasks import Task

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "mtcodec-archive-1"
HOLES = "holes"  # column of all sections of holes of a scene, one after the other
FIXED = ("key", "height", "width", "bytes", "header")
LIMITS = ("min", "max")  # ends of the names of columns of ranges, in this order
METADATA = b"mtcodec"  # key of the schema's metadata
DAMAGED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, UsageError)
"""What reading damaged JSON of an archive may raise."""


@dataclass(frozen=True)
class About:
    """What holds for all scenes of an archive.

    Attributes:
        fingerprint: of the weights that scenes were encoded with, 8 hexadecimal digits; zeros for none.
        tasks: declarations of the tasks that scenes may have; what an image is, its scene's file tells.
        settings: how it was encoded: quality and so on; a run that goes on must have the same.

    Raises:
        UsageError: a task is called like a column.
    """

    fingerprint: str
    tasks: tuple[Task, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.names:
            if name in (*FIXED, *self.ranges):
                raise UsageError(f"a task of an archive cannot be called {name!r}, like one of its columns")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return tuple(task.name for task in self.tasks)

    @property
    def ranges(self) -> tuple[str, ...]:
        """Names of the columns of ranges, of tasks that are lengths."""
        return tuple(f"{t.name}_{end}" for t in self.tasks if t.kind.length for end in LIMITS)

    @property
    def facts(self) -> tuple[str, ...]:
        """Names of the columns that repeat, for engines, what headers and notes tell."""
        return ("height", "width", "bytes", *self.ranges)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the binary columns of payloads."""
        return (SHARED, HOLES, *self.names, NOTES, *([ATTACHMENTS] if self.settings.get("attach") else []))

    @property
    def weights(self) -> str | None:
        """Path of the weights in the archive, where they are if any scene needs them."""
        return None if self.fingerprint == NO_WEIGHTS else f"{WEIGHTS}/{self.fingerprint}{SUFFIX}"

    def needs(self, tasks: Sequence[str]) -> list[str]:
        """Columns of payloads that decoding ``tasks`` may read.

        Raises:
            UsageError: a task that the archive lacks.
        """
        for name in tasks:
            if name not in self.names:
                raise UsageError(f"no task {name!r} in this archive (it has {', '.join(self.names)})")
        wanted = [task for task in self.tasks if task.name in tasks]
        lossy = any(not task.exact for task in wanted)
        return [SHARED, HOLES] * lossy + [task.name for task in wanted]

    def only(self, tasks: Sequence[str]) -> About:
        """The same for a part of the tasks."""
        return About(self.fingerprint, tuple(t for t in self.tasks if t.name in tasks), self.settings)


def column_of(section: str) -> str:
    """The column of a section."""
    return HOLES if is_mask(section) else section


def columns_of(payloads: Mapping[str, bytes]) -> dict[str, bytes]:
    """Columns of a scene from its payloads by section, which are in the order of the file."""
    columns: dict[str, bytes] = {}
    for name, payload in payloads.items():
        column = column_of(name)
        columns[column] = columns.get(column, b"") + payload
    return columns


def payloads_of(header: Header, columns: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Payloads by section from the columns of a scene; None where there are none, or of another length."""
    payloads = {section.name: columns.get(section.name) for section in header.sections}
    masks = [section for section in header.sections if is_mask(section.name)]
    holes, start = columns.get(HOLES), 0
    if holes is not None and len(holes) == sum(mask.length for mask in masks):
        for mask in masks:
            payloads[mask.name] = holes[start : start + mask.length]
            start += mask.length
    return payloads


def arrow() -> Any:
    """``pyarrow`` with ``pyarrow.parquet``.

    Raises:
        DependencyError: it is not installed.
    """
    extras.load("pyarrow.parquet", "an archive", "archive")
    import pyarrow

    return pyarrow


def schema(about: About) -> pa.Schema:
    """The schema of the parts, ``about`` in its metadata."""
    pa = arrow()
    kinds = dict(zip(FIXED, (pa.string(), pa.int32(), pa.int32(), pa.int64(), pa.binary())))
    fields = [pa.field(name, kind, nullable=False) for name, kind in kinds.items()]
    fields += [pa.field(name, pa.float32()) for name in about.ranges]
    fields += [pa.field(name, pa.binary()) for name in about.columns]
    return pa.schema(fields, metadata={METADATA: json.dumps(facts_of(about), sort_keys=True)})


def facts_of(about: About) -> dict[str, Any]:
    """``about`` as JSON tells it."""
    return {
        "format": FORMAT,
        "fingerprint": about.fingerprint,
        "tasks": [t.to_json() for t in about.tasks],
        "settings": about.settings,
    }


def about_from(facts: Any) -> About:
    """What :func:`facts_of` told.

    Raises:
        FormatError: of another version. DAMAGED: what is no such thing.
    """
    if facts["format"] != FORMAT:
        raise FormatError(f"{facts['format']!r}; this release reads {FORMAT!r}")
    tasks = tuple(Task.from_json(t) for t in facts["tasks"])
    about = About(str(facts["fingerprint"]), tasks, dict(facts["settings"]))
    bytes.fromhex(about.fingerprint)
    if len(about.fingerprint) != len(NO_WEIGHTS) or len(set(about.columns)) != len(about.columns):
        raise ValueError("fingerprint, or names of tasks")
    return about


def about_of(found: pa.Schema) -> About:
    """What a schema says.

    Raises:
        FormatError: not one of an archive, or of another version.
    """
    try:
        about = about_from(json.loads((found.metadata or {})[METADATA]))
    except DAMAGED as error:
        raise FormatError("not a part of an archive of mtcodec") from error
    expected = schema(about)
    missing = [name for name in expected.names if name not in found.names]
    if missing:
        raise FormatError(f"lacks columns: {', '.join(missing)}")
    for name in (*FIXED, *about.ranges, *about.columns):
        if found.names.count(name) > 1 or found.field(name).type != expected.field(name).type:
            raise FormatError(f"column {name} is there twice, or of another type")
    return about
