"""Parts of archives: rows collected, and written whole or not at all."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.archive.facts import facts
from mtcodec.archive.index import PartFacts, index
from mtcodec.archive.layout import FIXED, About, about_of, arrow, columns_of, schema
from mtcodec.archive.names import INDEX, PART
from mtcodec.errors import FormatError, OutputError, UsageError
from mtcodec.files.output import write_atomic
from mtcodec.format.container import Parts, split
from mtcodec.tasks import USUAL, Task

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS, GROUP_BYTES = 1024, 1 << 18  # rows that are fetched together, and bytes that they should have
PART_ROWS = 8192  # rows of a part; as many may be lost when a run is killed
_NAME = re.compile(r"part-(\d{5,9})\.parquet\Z")


def row(key: str, data: bytes, tasks: Iterable[Task] = tuple(USUAL.values())) -> dict[str, Any]:
    """The row of one scene's file; ``tasks`` as they are declared."""
    header, payloads = split(data)
    return {"key": key, "header": header, **facts(Parts(header, payloads), tasks), **columns_of(payloads)}


def part_names(directory: Path) -> list[str]:
    """Names of the finished parts, in order."""
    return sorted(p.name for p in directory.iterdir() if _NAME.match(p.name))


def to_parquet(rows: Sequence[dict[str, Any]], about: About) -> bytes:
    """A part of rows that have ``key``, ``height``, ``width``, ``header`` and columns of payloads."""
    return table_to_parquet(arrow().Table.from_pylist(list(rows), schema=schema(about)))


def table_to_parquet(table: pa.Table) -> bytes:
    """A table as a Parquet file: payloads, which do not compress, plain but for their lengths.

    What is neither header nor payload has statistics of every row group, by which engines leave groups out.
    """
    pa = arrow()
    kinds = {name: table.schema.field(name).type for name in table.column_names}
    small = {name for name, kind in kinds.items() if name in FIXED or kind != pa.binary()}
    encodings = {name: "DELTA_LENGTH_BYTE_ARRAY" for name in kinds if name not in small}
    encodings |= {name: "BYTE_STREAM_SPLIT" for name in small if pa.types.is_floating(kinds[name])}
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(
        table, sink, row_group_size=rows_of_group(len(table), table.nbytes), use_dictionary=False,
        write_statistics=sorted(small - {"header"}),
        compression={n: "zstd" if n in small else "none" for n in kinds},
        column_encoding=encodings | {"key": "DELTA_BYTE_ARRAY", "header": "DELTA_BYTE_ARRAY"},
    )  # fmt: skip
    return bytes(sink.getvalue())


def rows_of_group(rows: int, size: int) -> int:
    """Rows of a group of a part: an eighth of it, so that engines can leave some out and workers share it.

    But as many as have the bytes that their entry in the footer is little beside, and at most GROUP_ROWS.
    """
    return max(1, min(GROUP_ROWS, max(-(-rows // 8), -(-rows * GROUP_BYTES // max(size, 1)))))


class Writer:
    """Adds rows to the archive in ``directory``, made if need be, a part at a time.

    Attributes:
        about: of the archive, which may have more tasks than were asked for if it was there already.
        keys: of all its scenes.

    Raises:
        UsageError: what is there already was encoded otherwise, or lacks some of the tasks.
        FormatError: it is damaged, or no archive.
    """

    def __init__(self, directory: Path, about: About, part_rows: int = PART_ROWS) -> None:
        self.directory, self.about, self.part_rows = directory, about, part_rows
        self.rows: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        names = part_names(directory)
        for name in names:
            found, keys = _read_part(directory / name)
            alike = (found.fingerprint, found.settings) == (about.fingerprint, about.settings)
            if not (alike and set(about.tasks) <= set(found.tasks)):
                raise UsageError(
                    f"{name} has scenes with other weights, tasks or settings: use these, or another place",
                    path=directory,
                )
            self.about = found
            self.keys.update(keys)
        self.next = 1 + max((int(_NAME.match(n)[1]) for n in names), default=-1)  # type: ignore[index]

    def add(self, key: str, data: bytes) -> None:
        """Add one scene's file; it is on disk after :meth:`flush`, or when a part is full."""
        if key in self.keys:
            raise UsageError(f"two scenes are called {key!r}", path=self.directory)
        entry = row(key, data, self.about.tasks)
        assert set(entry) <= {*FIXED, *self.about.ranges, *self.about.columns}, (
            f"scene {key} has tasks that the archive has not"
        )
        self.keys.add(key)
        self.rows.append(entry)
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
        parts = [_facts(self.directory / name) for name in part_names(self.directory)]
        write_atomic(self.directory / INDEX, index(self.about, parts))

    def keep_weights(self, read: Callable[[], bytes]) -> None:
        """Put the weights' file, unless it is there, into the archive, so that it decodes anywhere."""
        assert self.about.weights is not None
        target = self.directory / self.about.weights
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            write_atomic(target, read())

    def weights_size(self) -> int:
        """Bytes of the weights' file in the archive, 0 if there is none."""
        target = self.directory / (self.about.weights or "")
        return target.stat().st_size if target.is_file() else 0


def _facts(path: Path) -> PartFacts:
    """Of a finished part, for the index."""
    meta, sizes = arrow().parquet.read_metadata(path), Counter[str]()
    groups = [meta.row_group(g) for g in range(meta.num_row_groups)]
    for group in groups:
        for column in map(group.column, range(group.num_columns)):
            sizes[column.path_in_schema] += column.total_compressed_size
    return PartFacts(path.name, path.stat().st_size, tuple(g.num_rows for g in groups), dict(sizes))


def _read_part(path: Path) -> tuple[About, list[str]]:
    """What a finished part says, and the keys of its scenes."""
    pa = arrow()
    try:
        part = pa.parquet.ParquetFile(path)
        return about_of(part.schema_arrow), part.read(columns=["key"])["key"].to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"damaged: {error}", path=path) from error
    except FormatError as error:
        error.at(path=path)
        raise


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
                raise OutputError("another run is writing it", path=directory)
            try:
                for left in directory.glob(".part-*.parquet.*"):
                    left.unlink()
                yield
            finally:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write it: {error.strerror or error}", path=directory) from error
