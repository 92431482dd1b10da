"""Parquet files with images in their cells, as on the Hugging Face hub (need ``mtcodec[archive]``).

A row is a scene. Columns of images hold encoded files, as binary values or in structs with ``bytes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from mtcodec import extras
from mtcodec.errors import SceneError
from mtcodec.files.notes import some
from mtcodec.files.search import SceneFiles, Search
from mtcodec.files.sources import MAX_BYTES, MissingSource, safe

SUFFIX = ".parquet"
KEYS = ("__key__", "key", "id", "image_id")  # columns that may say what scenes are called
MAX_GROUP = 1 << 32  # bytes of a row group: its columns are read whole
ARCHIVE = b"mtcodec"  # key of the metadata of archives
MAGIC = {
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"II*\0": ".tif", b"MM\0*": ".tif", b"v/1\x01": ".exr",
    b"\x93NUMPY": ".npy", b"\x89HDF": ".hdf5",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that holds an image, as a source; ``row`` counts within its ``group`` of rows."""

    file: Path
    group: int
    row: int
    column: str

    @property
    def name(self) -> str:
        return f"{self.column}[{self.group}:{self.row}]"

    @property
    def suffix(self) -> str:
        data = self.read_bytes()
        return next((suffix for magic, suffix in MAGIC.items() if data.startswith(magic)), "")

    @property
    def size(self) -> int:
        return len(self.read_bytes())

    def read_bytes(self) -> bytes:
        with _damage(self.file):
            value = _group(self.file, self.file.stat().st_mtime_ns, self.group)(self.column)[self.row].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if data is None:
            raise MissingSource
        if len(data) > MAX_BYTES:
            raise ValueError(f"{len(data)} bytes are more than {MAX_BYTES}")
        return bytes(data)

    def __str__(self) -> str:
        return f"{self.file}: column {self.column}, row {self.row} of group {self.group}"


@lru_cache(maxsize=1)
def _group(path: Path, changed: int, group: int) -> Callable[[str], Any]:
    """Columns of one group of rows, read when they are first asked for: scenes come one after the other."""
    file = _opened(path)

    @cache
    def column(name: str) -> Any:
        table = file.read_row_group(group, columns=[name], use_threads=False)
        table.validate(full=True)
        return table[name]

    return column


def _opened(path: Path) -> Any:
    parquet = extras.load("pyarrow.parquet", "a Parquet file", "archive")
    return parquet.ParquetFile(path)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Whatever pyarrow raises within is a SceneError of the file at ``path``."""
    pa = extras.load("pyarrow", "a Parquet file", "archive")
    try:
        yield
    except (OSError, pa.ArrowException, KeyError, IndexError, UnicodeDecodeError) as error:
        raise SceneError(f"cannot read it: {error}", path=path) from error


def scenes(search: Search, path: Path, prefix: str = "") -> list[SceneFiles]:
    """The rows of a Parquet file; none where no column holds images.

    Raises:
        SceneError: damaged, or an archive of this package. DependencyError: pyarrow is not installed.
    """
    with _damage(path):
        file = _opened(path)
        if ARCHIVE in (file.schema_arrow.metadata or {}):
            raise SceneError("a part of an archive of mtcodec, which is encoded already", path=path)
        rows = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
        if any(file.metadata.row_group(g).total_byte_size > MAX_GROUP for g in range(file.num_row_groups)):
            raise SceneError(
                f"a group of rows has more than {MAX_GROUP} bytes: write smaller ones", path=path
            )
        keys = _keys(search, file, path, sum(rows))
        images = [field.name for field in file.schema_arrow if _may_hold_images(field.type)]
    images = [name for name in images if rows and _holds_image(path, name, rows[0])]
    others = [name for name in file.schema_arrow.names if name not in images and name not in KEYS]
    if not images:
        return []
    if others:
        search.note(f"columns left out, as they hold no images: {some(others)}")
    columns = search.naming.assign((name, name) for name in images)
    places = [(group, row) for group, count in enumerate(rows) for row in range(count)]
    return [
        SceneFiles(
            prefix + key,
            {task: Cell(path, group, row, column) for task, column in columns.items()},
            f"{path}: scene {key}",
        )
        for key, (group, row) in zip(keys, places)
    ]


def _keys(search: Search, file: Any, path: Path, rows: int) -> list[str]:
    """What a column says that scenes are called, else numbers of rows."""
    pa = extras.load("pyarrow", "a Parquet file", "archive")
    for name in KEYS:
        if name not in file.schema_arrow.names:
            continue
        kind = file.schema_arrow.field(name).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind):
            table = file.read(columns=[name])
            table.validate(full=True)
            keys = [str(key) for key in table[name].to_pylist()]
            if len(set(keys)) == rows and all(map(safe, keys)):
                return keys
            search.note(f"scenes are called by numbers of rows, as {name} repeats, or is no path")
    return [f"{row:06d}" for row in range(rows)]


def _may_hold_images(kind: Any) -> bool:
    types = extras.load("pyarrow", "a Parquet file", "archive").types
    if types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _may_hold_images(kind.field(index).type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _holds_image(path: Path, column: str, rows: int) -> bool:
    """Is the first value of a column a file of an image?"""
    for row in range(rows):
        try:
            return bool(Cell(path, 0, row, column).suffix)
        except MissingSource:
            continue
    return False
