"""Archives read: shards are found, columns fetched, rows split into sections. Paths, or URLs for fsspec."""

from __future__ import annotations

import fnmatch
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from mtcodec import threads
from mtcodec.archive.index import ShardInfo, parse_index
from mtcodec.archive.manifest import Manifest, arrow
from mtcodec.archive.names import INDEX, SHARD_PATTERN
from mtcodec.archive.range_file import reason
from mtcodec.archive.rows import Entry, columns_needed, make_entry, payloads_of
from mtcodec.archive.shard import Shard, check_same
from mtcodec.archive.store import connect
from mtcodec.container.mtc import SplitReader
from mtcodec.container.section import MAX_PIXELS
from mtcodec.errors import FormatError, MtcodecError, SceneError, WeightsNotFound
from mtcodec.networks.weights.file import SUFFIX

if TYPE_CHECKING:
    import pyarrow as pa

MAX_OPEN_SHARDS = 16


@dataclass(frozen=True)
class RowGroup:
    """Rows that are fetched together."""

    shard: int  # its number
    index: int  # of the row group in the shard
    rows: int


Place = tuple[RowGroup, int]
"""A row group of an archive, and the number of a row in it."""


class ArchiveReader:
    """An archive whose index has been read. The footer of a shard is read when something of it is.

    Without ``archive.json`` the footers of all shards are read. A few shards are open at a time.

    Args:
        path: local, or a URL (``s3://``, ``https://``).
        max_pixels: scenes of larger images are damaged ones (:func:`mtcodec.container.header.check_pixels`).

    Attributes:
        manifest: what holds for all scenes.
        shards: paths of the shards.
        row_groups: those of all shards, in order.
        rows: number of scenes.
        sizes: bytes by column, as the index says; empty without one. (pyarrow 26 ends the process when it is
            asked for those of a damaged shard.)

    Raises:
        SceneError: no archive there. FormatError: damaged. UsageError: a path that cannot be.
        DependencyError: pyarrow, or what fsspec needs for the path, is not installed.
    """

    def __init__(self, path: str | Path, max_pixels: int = MAX_PIXELS) -> None:
        arrow()
        self.max_pixels = max_pixels
        self.path = str(path).rstrip("/")
        self._open_shards: OrderedDict[int, Shard] = OrderedDict()  # the last one was used last
        self._lock = Lock()  # of the open shards
        self._fetched = 0  # bytes from shards that are closed again
        self._fs, self._root = connect(self.path)
        try:
            self.manifest, self._infos = self._read_index() or self._read_footers()
        except MtcodecError:
            raise
        except NotADirectoryError as error:
            raise SceneError(
                "a file, but an archive is a directory (decode reads files)", path=self.path
            ) from error
        except Exception as error:  # file systems raise whatever their libraries do
            raise SceneError(f"cannot read it: {reason(error)}", path=self.path) from error
        self.shards = [f"{self._root}/{info.name}" for info in self._infos]
        self.row_groups = [
            RowGroup(shard, index, rows)
            for shard, info in enumerate(self._infos)
            for index, rows in enumerate(info.row_groups)
        ]
        self.rows = sum(info.rows for info in self._infos)
        self.sizes = Counter[str]()
        for info in self._infos:
            self.sizes.update(info.columns)

    def _read_index(self) -> tuple[Manifest, list[ShardInfo]] | None:
        """What ``archive.json`` says; None without one. Sizes of local shards are compared at once."""
        path = f"{self._root}/{INDEX}"
        try:
            manifest, infos = parse_index(self._fs.cat_file(path))
            for info in infos if "file" in self._fs.protocol else ():
                check_same("bytes", self._fs.size(f"{self._root}/{info.name}"), info.bytes, info.name)
        except FileNotFoundError as error:
            if not self._fs.exists(path):
                return None
            raise FormatError(f"{INDEX} lists a shard that is not there", path=self.path) from error
        except FormatError as error:
            raise error.at(path=f"{self.path}/{INDEX}") from None
        if not infos:
            raise SceneError("no archive: it has no shards", path=self.path)
        return manifest, infos

    def _read_footers(self) -> tuple[Manifest, list[ShardInfo]]:
        """The same, as the footers of all shards in the directory say; without bytes by column."""
        names = [str(path).rsplit("/", 1)[-1] for path in self._fs.ls(self._root, detail=False)]
        infos, manifest = list[ShardInfo](), None
        for name in sorted(fnmatch.filter(names, SHARD_PATTERN)):
            shard = Shard(self._fs, f"{self._root}/{name}")
            if manifest not in (None, shard.manifest):
                raise FormatError("of another archive than the first shard", path=shard.path)
            manifest = shard.manifest
            infos.append(shard.info)
            self._fetched += shard.fetched
        if manifest is None:
            raise SceneError("no archive: it has no shards", path=self.path)
        return manifest, infos

    def shard(self, index: int) -> Shard:
        """A shard by its number; it is opened if need be.

        Raises:
            FormatError: damaged, or not what the index says.
        """
        shard = self._open_shards.pop(index, None)
        if shard is None:
            shard = Shard(self._fs, self.shards[index])
            shard.compare(self.manifest, self._infos[index])
        self._open_shards[index] = shard
        if len(self._open_shards) > MAX_OPEN_SHARDS:
            self._fetched += self._open_shards.popitem(last=False)[1].fetched
        return shard

    @property
    def fetched(self) -> int:
        """Bytes read so far from shards."""
        return self._fetched + sum(shard.fetched for shard in self._open_shards.values())

    def read_columns(self, row_group: RowGroup, names: Sequence[str]) -> pa.Table:
        """Some columns of a row group.

        Raises:
            FormatError: damaged.
        """
        with self._lock:
            return self.shard(row_group.shard).read(row_group.index, names)

    def keys(self, row_group: RowGroup) -> list[str]:
        """Keys of the scenes of a row group, in order."""
        return [key or "" for key in self.read_columns(row_group, ["key"])["key"].to_pylist()]

    def places(self) -> list[Place]:
        """The places of all rows, in order."""
        return [(row_group, row) for row_group in self.row_groups for row in range(row_group.rows)]

    def keyed_places(self) -> Iterator[tuple[str, Place]]:
        """Keys and places of all scenes, in order."""
        for row_group in self.row_groups:
            for row, key in enumerate(self.keys(row_group)):
                yield key, (row_group, row)

    def entries(
        self, row_group: RowGroup, tasks: Sequence[str] | None = None, with_notes: bool = False
    ) -> list[Entry]:
        """The rows of a row group, with all sections or those that ``tasks`` need.

        Headers are read first, then only columns that some row needs. Rows whose header is damaged have the
        error instead.

        Args:
            with_notes: notes and attachments, too.

        Raises:
            FormatError: damage to the shard.
        """
        table = self.read_columns(row_group, ["key", "header"])
        keys_and_headers = zip(table["key"].to_pylist(), table["header"].to_pylist())
        entries = [
            make_entry(self.path, key, header, {}, self.max_pixels) for key, header in keys_and_headers
        ]
        needed: set[str] = set()
        for _, scene_file in entries:
            if isinstance(scene_file, SplitReader):
                needed |= columns_needed(scene_file.header, tasks, with_notes)
        columns = [name for name in self.manifest.payload_columns if name in needed]
        rows = self.read_columns(row_group, columns).to_pylist() if columns else ()
        for (_, scene_file), row in zip(entries, rows):
            if isinstance(scene_file, SplitReader):
                scene_file.payloads = payloads_of(scene_file.header, row)
        return entries

    def all_entries(self, tasks: Sequence[str] | None = None, with_notes: bool = False) -> Iterator[Entry]:
        """:meth:`entries` of all row groups."""
        for _, entries in self.entries_ahead(self.row_groups, tasks, with_notes):
            yield from entries

    def batches(self, size: int, tasks: Sequence[str]) -> Iterator[list[Entry]]:
        """:meth:`entries` of all row groups, so many of a row group at a time."""
        for _, entries in self.entries_ahead(self.row_groups, tasks):
            for first in range(0, len(entries), size):
                yield entries[first : first + size]

    def entries_ahead(
        self, row_groups: Iterable[RowGroup], tasks: Sequence[str] | None = None, with_notes: bool = False
    ) -> Iterator[tuple[RowGroup, list[Entry]]]:
        """:meth:`entries` of some row groups; from afar the next one is fetched while one is used."""

        def fetch(row_group: RowGroup) -> tuple[RowGroup, list[Entry]]:
            return row_group, self.entries(row_group, tasks, with_notes)

        if "file" in self._fs.protocol:
            yield from map(fetch, row_groups)
            return
        with ThreadPoolExecutor(1) as pool:
            yield from threads.map_ahead(pool, fetch, row_groups, 1)

    def weights_size(self) -> int:
        """Bytes of the weights' file of the archive, 0 if there is none."""
        path = f"{self._root}/{self.manifest.weights_path}"
        try:
            return 0 if self.manifest.weights_path is None else int(self._fs.size(path) or 0)
        except OSError:
            return 0

    def copy_weights(self, directory: str) -> Path:
        """A copy of the weights' file in a local directory; for its errors see :meth:`weights_bytes`."""
        path = Path(directory) / f"{self.manifest.fingerprint}{SUFFIX}"
        path.write_bytes(self.weights_bytes())
        return path

    def weights_bytes(self) -> bytes:
        """The weights' file of the archive.

        Raises:
            WeightsNotFound: it is missing.
        """
        name = self.manifest.weights_path
        try:
            return bytes(self._fs.cat_file(f"{self._root}/{name}"))
        except OSError as error:
            raise WeightsNotFound(f"its weights {name} are missing", path=self.path) from error
