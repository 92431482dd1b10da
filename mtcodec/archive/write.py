"""Parts of archives: rows collected, and written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.archive.layout import INDEX, PART, About, about_of, arrow, index, schema
from mtcodec.errors import FormatError, OutputError, UsageError
from mtcodec.files.output import write_atomic
from mtcodec.format.container import split

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 1024  # rows that are fetched together
PART_ROWS = 8192  # rows of a part; as many may be lost when a run is killed
_NAME = re.compile(r"part-(\d{5,9})\.parquet\Z")


def row(key: str, data: bytes) -> dict[str, Any]:
    """The row of one scene's file."""
    header, payloads = split(data)
    return {"key": key, "header": header, **payloads}


def part_names(directory: Path) -> list[str]:
    """Names of the finished parts, in order."""
    return sorted(p.name for p in directory.iterdir() if _NAME.match(p.name))


def to_parquet(rows: Sequence[dict[str, Any]], about: About) -> bytes:
    """A part of rows that have ``key``, ``height``, ``width``, ``header`` and payloads by stream."""
    pa = arrow()
    table = pa.Table.from_pylist(list(rows), schema=schema(about))
    return table_to_parquet(table)


def table_to_parquet(table: pa.Table) -> bytes:
    """A table as a Parquet file: payloads, which do not compress, plain but for their lengths."""
    pa = arrow()
    small = ("key", "height", "width", "header")
    encodings = {name: "DELTA_LENGTH_BYTE_ARRAY" for name in table.column_names if name not in small}
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(
        table, sink, row_group_size=GROUP_ROWS, use_dictionary=False, write_statistics=["key"],
        compression={n: "zstd" if n in small else "none" for n in table.column_names},
        column_encoding=encodings | {"key": "DELTA_BYTE_ARRAY", "header": "DELTA_BYTE_ARRAY"},
    )  # fmt: skip
    return bytes(sink.getvalue())


class Writer:
    """Adds rows to the archive in ``directory``, made if need be, a part at a time.

    Raises:
        UsageError: what is there already was encoded otherwise, or is no archive.
    """

    def __init__(self, directory: Path, about: About, part_rows: int = PART_ROWS) -> None:
        self.directory, self.about, self.part_rows = directory, about, part_rows
        self.rows: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        pa = arrow()
        names = part_names(directory)
        for name in names:
            try:
                part = pa.parquet.ParquetFile(directory / name)
                keys = part.read(columns=["key"])["key"].to_pylist()
            except (OSError, pa.ArrowException) as error:
                raise FormatError(f"{directory / name}: damaged: {error}") from error
            if about_of(part.schema_arrow, str(directory / name)) != about:
                raise UsageError(
                    f"{directory}: has scenes with other weights, tasks or settings: {name}; "
                    "use those, or another directory"
                )
            self.keys.update(keys)
        self.next = 1 + max((int(_NAME.match(n)[1]) for n in names), default=-1)  # type: ignore[index]

    def add(self, key: str, data: bytes) -> None:
        """Add one scene's file; it is on disk after :meth:`flush`, or when a part is full."""
        if key in self.keys:
            raise UsageError(f"{self.directory}: two scenes are called {key!r}")
        entry = row(key, data)
        unknown = set(entry) - {"key", "header", *self.about.streams}
        if unknown:
            raise UsageError(f"scene {key}: streams that the archive has not: {', '.join(sorted(unknown))}")
        self.keys.add(key)
        self.rows.append(entry | dimensions(entry["header"]))
        if len(self.rows) >= self.part_rows:
            self.flush()

    def flush(self) -> None:
        """Write what was added as a part."""
        if self.rows:
            name = PART.format(self.next)
            write_atomic(self.directory / name, to_parquet(self.rows, self.about))
            self.rows, self.next = [], self.next + 1

    def finish(self) -> None:
        """Write the last part and the index of all."""
        self.flush()
        pa = arrow()
        parts = []
        for name in part_names(self.directory):
            path = self.directory / name
            parts.append((name, pa.parquet.read_metadata(path).num_rows, path.stat().st_size))
        write_atomic(self.directory / INDEX, index(self.about, parts))


def dimensions(header: bytes) -> dict[str, int]:
    from mtcodec.format.container import parse_header

    parsed = parse_header(header)
    return {"height": parsed.height, "width": parsed.width}


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other runs out of ``directory``, which is made, and clean up after one that was killed."""
    import fcntl

    path = directory / ".lock"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                alone = path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino
            except BlockingIOError:
                alone = False
            if not alone:
                raise OutputError(f"{directory}: another run is writing it")
            try:
                for left in directory.glob(".part-*.parquet.*"):
                    left.unlink()
                yield
            finally:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{directory}: cannot write it: {error.strerror or error}") from error
