"""What an archive is: a directory of Parquet files, one row a scene (``docs/format.md``).

::

    archive/shard-00000.parquet   key, bytes, header; by task its height, width, and of depth min and max;
                                 shared; by task its holes and the task; notes, files
            shard-00001.parquet   …
            weights/<fingerprint>.safetensors
            state/<checksum>     what scenes were made of, for runs that go on (``state.py``)
            archive.json         what holds for all scenes; rows and bytes of the shards (``index.py``)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mtcodec import extras
from mtcodec.archive.names import WEIGHTS
from mtcodec.container.header import NO_WEIGHTS
from mtcodec.container.section import ATTACHMENTS, NOTES, SHARED
from mtcodec.errors import FormatError, UsageError
from mtcodec.networks.weights.file import SUFFIX
from mtcodec.tasks import Task

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "mtcodec-archive-1"
FIXED = ("key", "bytes", "header")  # columns that every archive has
HOLES = "holes"  # what the column of a task's mask of holes ends with
METADATA = b"mtcodec"  # the manifest's key in a schema's metadata
DAMAGED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, UsageError)
"""What reading damaged JSON of an archive may raise."""


@dataclass(frozen=True)
class Manifest:
    """What holds for all scenes of an archive.

    Attributes:
        fingerprint: of the weights that scenes were encoded with, 8 hexadecimal digits; zeros for none.
        tasks: declarations of the tasks that scenes may have. What a scene has, its header says.
        settings: how scenes were encoded: quality and so on. Who adds scenes must use the same.

    Raises:
        UsageError: a task has the name of a column.
    """

    fingerprint: str
    tasks: tuple[Task, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {*FIXED, *self.size_columns, *self.range_columns, *self.holes_columns}
        for name in self.task_names:
            if name in columns:
                reason = f"a task of an archive cannot be called {name!r}, like one of its columns"
                raise UsageError(f"{reason}: give it another name (--rename)")

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return tuple(task.name for task in self.tasks)

    @property
    def size_columns(self) -> tuple[str, ...]:
        """Names of the columns with the height and width of every task's images."""
        return tuple(column for name in self.task_names for column in size_columns_of(name))

    @property
    def range_columns(self) -> tuple[str, ...]:
        """Names of the columns with the least and largest value of tasks that are lengths."""
        return tuple(column for t in self.tasks if t.kind.length for column in range_columns_of(t.name))

    @property
    def holes_columns(self) -> tuple[str, ...]:
        """Names of the columns with masks of holes: what is always exact keeps holes like other values."""
        return tuple(holes_column_of(task.name) for task in self.tasks if not task.exact)

    @property
    def statistics_columns(self) -> tuple[str, ...]:
        """Names of the columns of numbers, which repeat what headers and notes say (``rows.py``)."""
        return ("bytes", *self.size_columns, *self.range_columns)

    @property
    def payload_columns(self) -> tuple[str, ...]:
        """Names of the binary columns of payloads; holes stand before their task, to be fetched with it."""
        of_tasks = [column for task in self.tasks for column in _payload_columns_of(task)]
        attachments = [ATTACHMENTS] if self.settings.get("attach") else []
        return (SHARED, *of_tasks, NOTES, *attachments)

    @property
    def weights_path(self) -> str | None:
        """Path of the weights' file in the archive; None without weights. It is there if a scene needs it."""
        return None if self.fingerprint == NO_WEIGHTS else f"{WEIGHTS}/{self.fingerprint}{SUFFIX}"

    def select_tasks(self, tasks: Sequence[str] | None) -> list[str]:
        """``tasks`` as a list, or all tasks for None.

        Raises:
            UsageError: a task that the archive lacks.
        """
        names = list(self.task_names if tasks is None else tasks)
        for name in names:
            if name not in self.task_names:
                raise UsageError(f"no task {name!r} in this archive (it has {', '.join(self.task_names)})")
        return names

    def columns_for(self, tasks: Sequence[str] | None) -> list[str]:
        """Columns of payloads of ``tasks``; None: all tasks.

        Where tasks have holes in the same places, their mask lies with another of them, as a scene's header
        says (:func:`mtcodec.archive.rows.columns_by_section`).

        Raises:
            UsageError: a task that the archive lacks.
        """
        names = self.select_tasks(tasks)
        declared = [task for task in self.tasks if task.name in names]
        shared = [SHARED] * any(not task.exact for task in declared)
        return shared + [column for task in declared for column in _payload_columns_of(task)]

    def restricted_to(self, tasks: Sequence[str]) -> Manifest:
        """The manifest of an archive with these tasks only."""
        return replace(self, tasks=tuple(task for task in self.tasks if task.name in tasks))


def size_columns_of(task: str) -> tuple[str, str]:
    """The columns of the height and width of a task's images."""
    return f"{task}_height", f"{task}_width"


def range_columns_of(task: str) -> tuple[str, str]:
    """The columns of the least and the largest value of a task."""
    return f"{task}_min", f"{task}_max"


def holes_column_of(task: str) -> str:
    """The column of the mask of holes that a task is the first to need."""
    return f"{task}_{HOLES}"


def _payload_columns_of(task: Task) -> list[str]:
    return [task.name] if task.exact else [holes_column_of(task.name), task.name]


def arrow() -> Any:
    """``pyarrow`` with ``pyarrow.parquet``.

    Raises:
        DependencyError: it is not installed.
    """
    extras.load("pyarrow.parquet", "an archive", "archive")
    import pyarrow

    return pyarrow


def schema(manifest: Manifest) -> pa.Schema:
    """The schema of the shards, with the manifest in its metadata."""
    pyarrow = arrow()
    string, int32, int64, binary = pyarrow.string(), pyarrow.int32(), pyarrow.int64(), pyarrow.binary()
    types = dict(zip(FIXED, (string, int64, binary)))
    fields = [pyarrow.field(name, type_, nullable=False) for name, type_ in types.items()]
    fields += [pyarrow.field(name, int32) for name in manifest.size_columns]
    fields += [pyarrow.field(name, pyarrow.float32()) for name in manifest.range_columns]
    fields += [pyarrow.field(name, binary) for name in manifest.payload_columns]
    return pyarrow.schema(fields, metadata={METADATA: json.dumps(manifest_to_json(manifest), sort_keys=True)})


def manifest_to_json(manifest: Manifest) -> dict[str, Any]:
    """What JSON holds of a manifest."""
    return {
        "format": FORMAT,
        "fingerprint": manifest.fingerprint,
        "tasks": [t.to_json() for t in manifest.tasks],
        "settings": manifest.settings,
    }


def manifest_from_json(document: Any) -> Manifest:
    """The inverse of :func:`manifest_to_json`.

    Raises:
        FormatError: an archive of another version. One of :data:`DAMAGED`: anything else that is wrong.
    """
    if document["format"] != FORMAT:
        raise FormatError(f"{document['format']!r}; this release reads {FORMAT!r}")
    tasks = tuple(Task.from_json(task) for task in document["tasks"])
    manifest = Manifest(str(document["fingerprint"]), tasks, dict(document["settings"]))
    bytes.fromhex(manifest.fingerprint)  # a ValueError where it is not hexadecimal
    columns = manifest.payload_columns
    if len(manifest.fingerprint) != len(NO_WEIGHTS) or len(set(columns)) < len(columns):
        raise ValueError("fingerprint, or names of tasks")
    return manifest


def manifest_of_schema(stored: pa.Schema) -> Manifest:
    """The manifest in the schema of a shard.

    Raises:
        FormatError: not the schema of an archive's shard, or one of another version.
    """
    try:
        manifest = manifest_from_json(json.loads((stored.metadata or {})[METADATA]))
    except DAMAGED as error:
        raise FormatError("not a shard of an archive of mtcodec") from error
    expected = schema(manifest)
    missing = [name for name in expected.names if name not in stored.names]
    if missing:
        raise FormatError(f"lacks columns: {', '.join(missing)}")
    for column in expected:
        if stored.names.count(column.name) > 1 or stored.field(column.name).type != column.type:
            raise FormatError(f"column {column.name} is there twice, or of another type")
    return manifest
