"""SplitReader of archives: rows collected, and written whole or not at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.archive.index import PartFacts, index
from mtcodec.archive.manifest import FIXED, About, about_of, arrow, columns_of, schema
from mtcodec.archive.names import INDEX, PART
from mtcodec.archive.statistics import facts
from mtcodec.archive.store import Exists, Store, store
from mtcodec.container.mtc import SplitReader, split
from mtcodec.errors import FormatError, OutputError, UsageError
from mtcodec.tasks import USUAL, Task

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS, GROUP_BYTES = 1024, 1 << 18  # rows that are fetched together, and bytes that they should have
PART_ROWS = 8192  # rows of a part; as many may be lost when a run is killed
_NAME = re.compile(r"part-(\d{5,9})\.parquet\Z")


def row(key: str, data: bytes, tasks: Iterable[Task] = tuple(USUAL.values())) -> dict[str, Any]:
    """The row of one scene's file; ``tasks`` as they are declared."""
    header, payloads = split(data)
    return {
        "key": key,
        "header": header,
        **facts(SplitReader(header, payloads), tasks),
        **columns_of(payloads),
    }


def part_names(directory: str | Path | Store) -> list[str]:
    """Names of the finished parts, in order."""
    place = directory if isinstance(directory, Store) else store(directory)
    return [name for name in place.names() if _NAME.match(name)]


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

    def __init__(self, directory: str | Path, about: About, part_rows: int = PART_ROWS) -> None:
        self.directory, self.about, self.part_rows = directory, about, part_rows
        self.store = store(directory)
        self.rows: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.kept = False  # whether the weights are known to be there
        names = part_names(self.store)
        for name in names:
            found, keys = _read_part(self.store, name)
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
        """Write what was added as a part.

        Raises:
            OutputError: another run has written a part since this one began; its scenes are not known here.
        """
        if self.rows:
            name, data = PART.format(self.next), to_parquet(self.rows, self.about)
            try:
                self.store.write({name: data}, new=True)
            except Exists as error:
                if self.store.read(name) != data:  # else it is ours, tried twice
                    reason = f"another run has written {name} meanwhile: run again when it has ended"
                    raise OutputError(reason, path=self.directory) from error
            self.rows, self.next = [], self.next + 1

    def finish(self) -> None:
        """Write the last part and the index of all."""
        self.flush()
        parts = [_facts(self.store, name) for name in part_names(self.store)]
        self.store.write({INDEX: index(self.about, parts)})

    def keep_weights(self, read: Callable[[], bytes]) -> None:
        """Put the weights' file, unless it is there, into the archive, so that it decodes anywhere."""
        assert self.about.weights is not None
        if not self.kept and not self.store.size(self.about.weights):
            self.store.write({self.about.weights: read()})
        self.kept = True

    def weights_size(self) -> int:
        """Bytes of the weights' file in the archive, 0 if there is none."""
        return self.store.size(self.about.weights) if self.about.weights else 0


def _facts(place: Store, name: str) -> PartFacts:
    """Of a finished part, for the index."""
    file = place.open(name)
    meta, sizes = file.metadata(), Counter[str]()
    groups = [meta.row_group(g) for g in range(meta.num_row_groups)]
    for group in groups:
        for column in map(group.column, range(group.num_columns)):
            sizes[column.path_in_schema] += column.total_compressed_size
    return PartFacts(name, file.size(), tuple(g.num_rows for g in groups), dict(sizes))


def _read_part(place: Store, name: str) -> tuple[About, list[str]]:
    """What a finished part says, and the keys of its scenes."""
    pa, path = arrow(), f"{place.path}/{name}"
    try:
        part = place.open(name).parquet()
        return about_of(part.schema_arrow), part.read(columns=["key"])["key"].to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"damaged: {error}", path=path) from error
    except FormatError as error:
        error.at(path=path)
        raise


def locked(directory: str | Path) -> AbstractContextManager[None]:
    """Keep other runs out of ``directory``, where it can be locked; see :mod:`mtcodec.archive.store`."""
    return store(directory).locked()
