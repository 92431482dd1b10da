"""Archives read: parts listed, columns fetched, rows to files. Local paths, or anything that fsspec opens."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.archive.layout import INDEX, About, about_of, arrow
from mtcodec.errors import FormatError, SceneError, UsageError
from mtcodec.format.container import MAX_PIXELS, Parts

if TYPE_CHECKING:
    import pyarrow as pa

TAIL = 8  # bytes at the end of a Parquet file: length of the footer, magic
MAX_FOOTER = 1 << 28


class RangeFile(io.RawIOBase):
    """A remote file of which exactly what is asked for is fetched.

    Attributes:
        fetched: bytes so far.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self._fs, self._path = fs, path
        self._size = int(fs.size(path))
        self._at = 0
        self.fetched = 0

    def _fetch(self, start: int, end: int) -> bytes:
        self.fetched += end - start
        return bytes(self._fs.cat_file(self._path, start=start, end=end))

    def footer(self) -> bytes:
        """The end of the file that describes its columns, fetched without what is before it."""
        tail = self._fetch(max(0, self._size - TAIL), self._size)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or length + TAIL > min(self._size, MAX_FOOTER):
            raise FormatError(f"{self._path}: not a Parquet file")
        return self._fetch(self._size - TAIL - length, self._size - TAIL) + tail

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def size(self) -> int:
        return self._size

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        end = self._size if count is None or count < 0 else min(self._size, self._at + count)
        start, self._at = self._at, max(self._at, end)
        if start >= end:
            return b""
        return self._fetch(start, end)


@dataclass(frozen=True)
class Group:
    """Rows that are fetched together: one row group of a part."""

    part: int
    group: int
    rows: int
    sizes: dict[str, int]  # bytes in the file by column


class Opened:
    """An archive whose footers have been read.

    Attributes:
        path: as it was given: local, or a URL (``s3://``, ``https://``).
        max_pixels: scenes of larger images are damaged ones (:func:`mtcodec.format.container.check_pixels`).
        groups: all row groups, in order.
    """

    def __init__(self, path: str | Path, max_pixels: int = MAX_PIXELS) -> None:
        arrow()
        self.max_pixels = max_pixels
        self.path = str(path).rstrip("/")
        try:
            import fsspec

            self._fs, self._root = fsspec.core.url_to_fs(self.path)
            self.parts = self._list()
        except (ImportError, ValueError) as error:
            raise UsageError(f"{self.path}: cannot open it: {error}") from error
        except OSError as error:
            raise SceneError(f"{self.path}: cannot read it: {error}") from error
        if not self.parts:
            raise SceneError(f"{self.path}: no archive: it has no parts")
        self._files: dict[int, pa.parquet.ParquetFile] = {}
        self._ranges: dict[int, RangeFile] = {}
        self.groups: list[Group] = []
        self.about: About = self._open_all()

    def _list(self) -> list[str]:
        """Paths of the parts: as the index tells, else as the directory has them."""
        try:
            listed = json.loads(self._fs.cat_file(f"{self._root}/{INDEX}"))
            names = [str(part["name"]) for part in listed["parts"]]
        except FileNotFoundError:
            found = (str(p).rsplit("/", 1)[-1] for p in self._fs.ls(self._root, detail=False))
            names = sorted(n for n in found if n.startswith("part-") and n.endswith(".parquet"))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FormatError(f"{self.path}/{INDEX}: damaged") from error
        if any("/" in name for name in names):
            raise FormatError(f"{self.path}/{INDEX}: damaged")
        return [f"{self._root}/{name}" for name in names]

    def _open_all(self) -> About:
        about: About | None = None
        for k, path in enumerate(self.parts):
            with _damage(path):
                file = self._file(k)
                found = about_of(file.schema_arrow, path)
                self.groups += _groups(k, file.metadata)
            if about is not None and found != about:
                raise FormatError(f"{path}: of another archive than the first part")
            about = found
        assert about is not None
        return about

    def _file(self, part: int) -> pa.parquet.ParquetFile:
        if part not in self._files:
            pa = arrow()
            self._ranges[part] = source = RangeFile(self._fs, self.parts[part])
            footer = pa.BufferReader(source.footer())
            self._files[part] = pa.parquet.ParquetFile(
                pa.PythonFile(source, "r"), metadata=pa.parquet.read_metadata(footer), pre_buffer=False
            )
        return self._files[part]

    @property
    def fetched(self) -> int:
        """Bytes read so far."""
        return sum(r.fetched for r in self._ranges.values())

    @property
    def rows(self) -> int:
        return sum(g.rows for g in self.groups)

    def column(self, group: Group, names: Sequence[str]) -> pa.Table:
        """Some columns of a group."""
        with _damage(self.parts[group.part]):
            file = self._file(group.part)
            table = file.read_row_group(group.group, columns=list(names), use_threads=False)
            table.validate(full=True)  # keys are UTF-8, too
        if len(table) != group.rows:
            raise FormatError(f"{self.parts[group.part]}: not the number of rows that it declares")
        return table

    def entries(
        self, group: Group, tasks: Sequence[str] | None = None
    ) -> list[tuple[str, Parts | FormatError]]:
        """Key and sections of every row of a group: all of them, or those that ``tasks`` need.

        Rows whose header is damaged have the error instead.
        """
        streams = list(self.about.streams) if tasks is None else self.about.needs(tasks)
        table = self.column(group, ["key", "header", *streams])
        keys, headers = table["key"].to_pylist(), table["header"].to_pylist()
        payloads = {name: table[name].to_pylist() for name in streams}
        rows = ({name: payloads[name][i] for name in streams} for i in range(len(keys)))
        return [entry(self.path, *row, self.max_pixels) for row in zip(keys, headers, rows)]

    def all_entries(self, tasks: Sequence[str] | None = None) -> Iterator[tuple[str, Parts | FormatError]]:
        """:meth:`entries` of all groups."""
        for group in self.groups:
            yield from self.entries(group, tasks)

    def weights_bytes(self) -> bytes:
        """The weights' file of the archive.

        Raises:
            SceneError: it is missing.
        """
        assert self.about.weights is not None
        try:
            return bytes(self._fs.cat_file(f"{self._root}/{self.about.weights}"))
        except OSError as error:
            raise SceneError(f"{self.path}: its weights {self.about.weights} are missing") from error


def entry(
    source: str,
    key: str | None,
    header: bytes | None,
    payloads: Mapping[str, bytes | None],
    max_pixels: int = MAX_PIXELS,
) -> tuple[str, Parts | FormatError]:
    """Key and sections of a row, or what is wrong with its header."""
    key = key or ""
    try:
        return key, Parts(header or b"", payloads, max_pixels)
    except FormatError as error:
        return key, FormatError(f"{source}: scene {key}: {error}")


def _groups(part: int, meta: Any) -> Iterator[Group]:
    """The row groups that the footer of a part declares."""
    for g in range(meta.num_row_groups):
        group = meta.row_group(g)
        columns = [group.column(c) for c in range(group.num_columns)]
        sizes = {c.path_in_schema: c.total_compressed_size for c in columns}
        yield Group(part, g, group.num_rows, sizes)


@contextmanager
def _damage(path: str) -> Iterator[None]:
    """Whatever pyarrow raises within is a FormatError of the part at ``path``."""
    pa = arrow()
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: cannot read it: {error}") from error


def is_archive(path: str | Path) -> bool:
    """Is it a local directory of parts, or a URL?"""
    text = str(path)
    if "://" in text:
        return True
    directory = Path(text)
    return directory.is_dir() and any(directory.glob("part-*.parquet"))
