"""What an archive is: a directory of Parquet files, one row a scene (``docs/format.md``).

::

    archive/part-00000.parquet   key, height, width, header, one binary column per stream
            part-00001.parquet   …
            weights/<fingerprint>.safetensors
            archive.json         names, rows and bytes of the parts, for readers that cannot list a directory
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from mtcodec.errors import FormatError, UsageError
from mtcodec.format.container import NO_WEIGHTS, SHARED
from mtcodec.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
FORMAT = "mtcodec-archive-1"
INDEX, WEIGHTS = "archive.json", "weights"
PART = "part-{:05d}.parquet"
FIXED = ("key", "height", "width", "header")
METADATA = b"mtcodec"  # key of the schema's metadata
PIXELS = 1 << 21  # of scenes that share a pass through the networks, where there is more than one


@dataclass(frozen=True)
class About:
    """What holds for all scenes of an archive.

    Attributes:
        fingerprint: of the weights, 14 hexadecimal digits; zeros for none.
        tasks: declarations of the tasks that scenes may have.
        shared: is there a stream that several tasks read?
        settings: how it was encoded: quality and so on; a run that goes on must have the same.
    """

    fingerprint: str
    tasks: tuple[Task, ...]
    shared: bool
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for task in self.tasks:
            if task.name in FIXED:
                raise UsageError(
                    f"a task of an archive cannot be called {task.name!r}, like one of its columns"
                )

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the binary columns of payloads."""
        return ((SHARED,) if self.shared else ()) + tuple(t.name for t in self.tasks)

    @property
    def weights(self) -> str | None:
        """Path of the weights in the archive."""
        return None if self.fingerprint == NO_WEIGHTS else f"{WEIGHTS}/{self.fingerprint}.safetensors"

    def needs(self, tasks: Sequence[str]) -> list[str]:
        """Columns of payloads that ``tasks`` may need."""
        known = [t.name for t in self.tasks]
        for name in tasks:
            if name not in known:
                raise UsageError(f"no task {name!r} in this archive (it has {', '.join(known)})")
        wanted = [t for t in self.tasks if t.name in tasks]
        shared = self.shared and any(not t.lossless for t in wanted)
        return [SHARED] * shared + [t.name for t in wanted]

    def only(self, tasks: Sequence[str]) -> About:
        """The same for a part of the tasks."""
        kept = tuple(t for t in self.tasks if t.name in tasks)
        lossy = any(not t.lossless for t in kept)
        return About(self.fingerprint if lossy else NO_WEIGHTS, kept, self.shared and lossy, self.settings)


def together(items: Sequence[T], pixels: int) -> Iterator[Sequence[T]]:
    """Scenes of so many pixels each, in groups that the networks can take at once."""
    count = max(1, PIXELS // pixels)
    for first in range(0, len(items), count):
        yield items[first : first + count]


def arrow() -> Any:
    """``pyarrow`` with ``pyarrow.parquet``, or a message that tells how to get it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError("archives need pyarrow: pip install 'mtcodec[archive]'") from error
    return pyarrow


def schema(about: About) -> pa.Schema:
    """The schema of the parts, ``about`` in its metadata."""
    pa = arrow()
    columns = [("key", pa.string()), ("height", pa.int32()), ("width", pa.int32()), ("header", pa.binary())]
    fields = [pa.field(name, kind, nullable=False) for name, kind in columns]
    fields += [pa.field(name, pa.binary()) for name in about.streams]
    facts = {
        "format": FORMAT,
        "fingerprint": about.fingerprint,
        "tasks": [t.to_json() for t in about.tasks],
        "shared": about.shared,
        "settings": about.settings,
    }
    return pa.schema(fields, metadata={METADATA: json.dumps(facts, sort_keys=True)})


def about_of(found: pa.Schema, source: str) -> About:
    """What a schema says.

    Raises:
        FormatError: not one of an archive, or of another version.
    """
    try:
        facts = json.loads((found.metadata or {})[METADATA])
        if facts["format"] != FORMAT:
            raise FormatError(f"{source}: {facts['format']!r}; this release reads {FORMAT!r}")
        tasks = tuple(Task.from_json(t) for t in facts["tasks"])
        about = About(str(facts["fingerprint"]), tasks, bool(facts["shared"]), dict(facts["settings"]))
        bytes.fromhex(about.fingerprint)
        if len(about.fingerprint) != len(NO_WEIGHTS) or len(set(about.streams)) != len(about.streams):
            raise ValueError("fingerprint, or names of tasks")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, UsageError) as error:
        raise FormatError(f"{source}: not a part of an archive of mtcodec") from error
    missing = [name for name in (*FIXED, *about.streams) if name not in found.names]
    if missing:
        raise FormatError(f"{source}: lacks columns: {', '.join(missing)}")
    expected = schema(about)
    for name in ("key", "header", *about.streams):
        if found.names.count(name) > 1 or found.field(name).type != expected.field(name).type:
            raise FormatError(f"{source}: column {name} is there twice, or of another type")
    return about


def index(about: About, parts: Sequence[tuple[str, int, int]]) -> bytes:
    """``archive.json``: (name, rows, bytes) of every part."""
    listed = [{"name": name, "rows": rows, "bytes": size} for name, rows, size in parts]
    facts = {"format": FORMAT, "fingerprint": about.fingerprint, "weights": about.weights, "parts": listed}
    return json.dumps(facts, indent=1).encode()
