"""Archives written: rows are collected, and shards written whole or not at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.archive.index import ShardInfo, index_to_json
from mtcodec.archive.manifest import FIXED, Manifest, arrow, manifest_of_schema, schema
from mtcodec.archive.names import INDEX, SHARD_NAME
from mtcodec.archive.rows import row_of
from mtcodec.archive.shard import damage
from mtcodec.archive.state import ArchiveState
from mtcodec.archive.store import Exists, Store, store_at
from mtcodec.errors import FormatError, OutputError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

MAX_GROUP_ROWS, MIN_GROUP_BYTES = 1024, 1 << 18  # of a row group, whose rows are fetched together
SHARD_ROWS = 8192  # rows of a shard; as many may be lost when a run is killed
_SHARD_PATTERN = re.compile(r"shard-(\d{5,9})\.parquet\Z")


def shard_names(directory: str | Path | Store) -> list[str]:
    """Names of the finished shards, in order."""
    store = directory if isinstance(directory, Store) else store_at(directory)
    return [name for name in store.names() if _SHARD_PATTERN.match(name)]


def to_parquet(rows: Sequence[dict[str, Any]], manifest: Manifest) -> bytes:
    """A shard of rows by column (:func:`mtcodec.archive.rows.row_of`)."""
    return table_to_parquet(arrow().Table.from_pylist(list(rows), schema=schema(manifest)))


def table_to_parquet(table: pa.Table) -> bytes:
    """A table as a Parquet file: payloads, which do not compress, plain but for their lengths.

    What is neither header nor payload has statistics, by which engines leave row groups out.
    """
    pyarrow = arrow()
    types = {name: table.schema.field(name).type for name in table.column_names}
    small = {name for name, type_ in types.items() if name in FIXED or type_ != pyarrow.binary()}
    encodings = {name: "DELTA_LENGTH_BYTE_ARRAY" for name in types if name not in small}
    encodings |= {name: "BYTE_STREAM_SPLIT" for name in small if pyarrow.types.is_floating(types[name])}
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(
        table, sink, row_group_size=rows_of_group(len(table), table.nbytes), use_dictionary=False,
        write_statistics=sorted(small - {"header"}),
        compression={name: "zstd" if name in small else "none" for name in types},
        column_encoding=encodings | {"key": "DELTA_BYTE_ARRAY", "header": "DELTA_BYTE_ARRAY"},
    )  # fmt: skip
    return bytes(sink.getvalue())


def rows_of_group(rows: int, size: int) -> int:
    """Rows of each row group of a shard of so many rows and bytes.

    They are an eighth of the shard, so that engines can leave some out and workers share it, but as many as
    have :data:`MIN_GROUP_BYTES`, beside which their entry in the footer is little, and at most
    :data:`MAX_GROUP_ROWS`.
    """
    return max(1, min(MAX_GROUP_ROWS, max(-(-rows // 8), -(-rows * MIN_GROUP_BYTES // max(size, 1)))))


class Writer:
    """Adds rows to the archive in a directory, a shard at a time. What is there already is read first.

    Attributes:
        manifest: of the archive, which may have more tasks than were asked for if it was there already.
        keys: of all its scenes.
        state: what its scenes were made of.

    Raises:
        UsageError: what is there already was encoded otherwise, or lacks some of the tasks.
        FormatError: it is damaged, or no archive.
    """

    def __init__(self, directory: str | Path, manifest: Manifest, shard_rows: int = SHARD_ROWS) -> None:
        self.directory, self.store = directory, store_at(directory)
        self.manifest, self.shard_rows = manifest, shard_rows
        self.keys: set[str] = set()
        self.state = ArchiveState(self.store)
        self.rows: list[dict[str, Any]] = []  # of the next shard
        self._origins: dict[str, bytes] = {}  # of these rows, by key
        self.next_number = 0
        self._has_weights = False  # whether the weights are known to be there
        for name in shard_names(self.store):
            stored, headers = _read_shard(self.store, name)
            alike = (stored.fingerprint, stored.settings) == (manifest.fingerprint, manifest.settings)
            if not (alike and set(manifest.tasks) <= set(stored.tasks)):
                raise UsageError(
                    f"{name} has scenes with other weights, tasks or settings: use these, or another place",
                    path=directory,
                )
            self.manifest = stored
            self.keys.update(headers)
            for key, header in headers.items():
                self.state.add_stored(key, header)
            number = int(name.removeprefix("shard-").removesuffix(".parquet"))
            self.next_number = max(self.next_number, number + 1)

    def add(self, key: str, data: bytes, origin: bytes = b"") -> None:
        """Add one scene's file; it is on disk after :meth:`flush`, or when a shard is full.

        Args:
            origin: a checksum of what it was made of, which is remembered.
        """
        if key in self.keys:
            raise UsageError(f"two scenes are called {key!r}", path=self.directory)
        row = row_of(key, data, self.manifest.tasks)
        known = {*FIXED, *self.manifest.statistics_columns, *self.manifest.payload_columns}
        assert set(row) <= known, f"scene {key} has tasks that the archive has not"
        self.keys.add(key)
        self.rows.append(row)
        if origin:
            self.state.add_stored(key, row["header"])
            self._origins[key] = origin
        if len(self.rows) >= self.shard_rows:
            self.flush()

    def flush(self) -> None:
        """Write the rows that were added as a shard.

        Raises:
            OutputError: another run has written a shard since this one began; its scenes are not known here.
        """
        if self.rows:
            name, data = SHARD_NAME.format(self.next_number), to_parquet(self.rows, self.manifest)
            self.state.write(self._origins)
            try:
                self.store.write({name: data}, new=True)
            except Exists as error:
                if self.store.read(name) != data:  # else it is ours, tried twice
                    reason = f"another run has written {name} meanwhile: run again when it has ended"
                    raise OutputError(reason, path=self.directory) from error
            self.rows, self._origins, self.next_number = [], {}, self.next_number + 1

    def finish(self) -> None:
        """Write the last shard, and the index of all."""
        self.flush()
        shards = [_shard_info(self.store, name) for name in shard_names(self.store)]
        self.store.write({INDEX: index_to_json(self.manifest, shards)})

    def keep_weights(self, read: Callable[[], bytes]) -> None:
        """Put the weights' file into the archive, unless it is there, so that it decodes anywhere.

        Args:
            read: gives the file's content; called if it is not there.
        """
        assert self.manifest.weights_path is not None
        if not self._has_weights and not self.store.size(self.manifest.weights_path):
            self.store.write({self.manifest.weights_path: read()})
        self._has_weights = True

    def weights_size(self) -> int:
        """Bytes of the weights' file in the archive, 0 if there is none."""
        return self.store.size(self.manifest.weights_path) if self.manifest.weights_path else 0


def _shard_info(store: Store, name: str) -> ShardInfo:
    """The index's entry of a finished shard."""
    file = store.open(name)
    meta, sizes = file.metadata(), Counter[str]()
    row_groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
    for row_group in row_groups:
        for column in map(row_group.column, range(row_group.num_columns)):
            sizes[column.path_in_schema] += column.total_compressed_size
    return ShardInfo(name, file.size(), tuple(group.num_rows for group in row_groups), dict(sizes))


def _read_shard(store: Store, name: str) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of a finished shard, and the headers of its scenes by key."""
    with damage(f"{store.path}/{name}", "damaged"):
        shard = store.open(name).parquet()
        manifest = manifest_of_schema(shard.schema_arrow)
        table = shard.read(columns=["key", "header"], use_threads=False)  # threads may outlive a refused run
        headers = dict(zip(table["key"].to_pylist(), table["header"].to_pylist()))
    if None in (*headers, *headers.values()):
        raise FormatError("damaged: a scene without key or header", path=f"{store.path}/{name}")
    return manifest, headers
