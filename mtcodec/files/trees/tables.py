"""Parquet files with images in their cells, as on the Hugging Face hub (need ``mtcodec[archive]``).

A row is a scene. Columns of images hold encoded files, as binary values or in structs with ``bytes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from mtcodec import extras
from mtcodec.errors import SceneError
from mtcodec.files.formats import suffix_of_bytes
from mtcodec.files.notes import list_names
from mtcodec.files.sources import MAX_IMAGE_BYTES, MissingSource, UnreadableImage, is_safe_path
from mtcodec.files.trees.search import SceneFiles, Search
from mtcodec.messages import Loss

SUFFIX = ".parquet"
KEY_COLUMNS = ("__key__", "key", "id", "image_id")  # columns that may say what scenes are called
MAX_ROW_GROUP_BYTES = 1 << 32  # columns of row groups are read whole
ARCHIVE_KEY = b"mtcodec"  # in the metadata of archives of this package


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that holds an image, as a source.

    Attributes:
        row_group: the number of its row group in the file.
        row: counts within the row group.
    """

    file: Path
    row_group: int
    row: int
    column: str

    @property
    def name(self) -> str:
        return f"{self.column}[{self.row_group}:{self.row}]"

    @property
    def suffix(self) -> str:
        """What its bytes tell; empty where they are of no known format."""
        return suffix_of_bytes(self.read_bytes())

    @property
    def size(self) -> int:
        return len(self.read_bytes())

    def read_bytes(self) -> bytes:
        with _pyarrow_errors(self.file):
            read_column = _column_reader(self.file, self.file.stat().st_mtime_ns, self.row_group)
            value = read_column(self.column)[self.row].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if data is None:
            raise MissingSource
        if len(data) > MAX_IMAGE_BYTES:
            raise UnreadableImage(f"{len(data)} bytes are more than {MAX_IMAGE_BYTES}")
        return bytes(data)

    def __str__(self) -> str:
        return f"{self.file}: column {self.column}, row {self.row} of group {self.row_group}"


@lru_cache(maxsize=1)
def _column_reader(path: Path, mtime_ns: int, row_group: int) -> Callable[[str], Any]:
    """Gives columns of the row group used last, each read once: scenes come one after the other."""
    file = _open(path)

    @cache
    def read_column(name: str) -> Any:
        table = file.read_row_group(row_group, columns=[name], use_threads=False)
        table.validate(full=True)
        return table[name]

    return read_column


def _open(path: Path) -> Any:
    parquet = extras.load("pyarrow.parquet", "a Parquet file", "archive")
    return parquet.ParquetFile(path)


@contextmanager
def _pyarrow_errors(path: Path) -> Iterator[None]:
    """Whatever pyarrow raises within is a SceneError of the file at ``path``."""
    pa = extras.load("pyarrow", "a Parquet file", "archive")
    try:
        yield
    except (OSError, pa.ArrowException, KeyError, IndexError, UnicodeDecodeError) as error:
        raise SceneError(f"cannot read it: {error}", path=path) from error


def find(search: Search, path: Path, prefix: str) -> list[SceneFiles]:
    """The rows of a Parquet file, their keys with ``prefix``; none where no column holds images.

    Raises:
        SceneError: damaged, or an archive of this package. DependencyError: pyarrow is not installed.
    """
    with _pyarrow_errors(path):
        file = _open(path)
        if ARCHIVE_KEY in (file.schema_arrow.metadata or {}):
            raise SceneError("a shard of an archive of mtcodec, which is encoded already", path=path)
        row_counts = _row_counts(file, path)
        keys = _scene_keys(search, file, sum(row_counts))
        candidates = [field.name for field in file.schema_arrow if _may_hold_images(field.type)]
    image_columns = [name for name in candidates if row_counts and _holds_image(path, name, row_counts[0])]
    if not image_columns:
        return []
    known_columns = {*image_columns, *KEY_COLUMNS}
    columns_left_out = [name for name in file.schema_arrow.names if name not in known_columns]
    if columns_left_out:
        search.note(Loss(f"columns left out, as they hold no images: {list_names(columns_left_out)}"))
    columns = search.naming.assign((name, name) for name in image_columns)
    places = [(row_group, row) for row_group, count in enumerate(row_counts) for row in range(count)]
    return [
        SceneFiles(
            prefix + key,
            {task: Cell(path, row_group, row, column) for task, column in columns.items()},
            f"{path}: scene {key}",
        )
        for key, (row_group, row) in zip(keys, places)
    ]


def _row_counts(file: Any, path: Path) -> list[int]:
    """How many rows each row group has; SceneError if one is too large."""
    row_groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    if any(row_group.total_byte_size > MAX_ROW_GROUP_BYTES for row_group in row_groups):
        message = f"a group of rows has more than {MAX_ROW_GROUP_BYTES} bytes: write smaller ones"
        raise SceneError(message, path=path)
    return [row_group.num_rows for row_group in row_groups]


def _scene_keys(search: Search, file: Any, rows: int) -> list[str]:
    """What a column says that scenes are called, else numbers of rows."""
    types = extras.load("pyarrow", "a Parquet file", "archive").types
    for name in KEY_COLUMNS:
        if name not in file.schema_arrow.names:
            continue
        arrow_type = file.schema_arrow.field(name).type
        is_text = types.is_string(arrow_type) or types.is_large_string(arrow_type)
        if is_text or types.is_integer(arrow_type):
            table = file.read(columns=[name])
            table.validate(full=True)
            keys = [str(key) for key in table[name].to_pylist()]
            if len(set(keys)) == rows and all(map(is_safe_path, keys)):
                return keys
            search.note(f"scenes are called by numbers of rows, as {name} repeats, or is no path")
    return [f"{row:06d}" for row in range(rows)]


def _may_hold_images(arrow_type: Any) -> bool:
    types = extras.load("pyarrow", "a Parquet file", "archive").types
    if types.is_struct(arrow_type):
        index = arrow_type.get_field_index("bytes")
        return index >= 0 and _may_hold_images(arrow_type.field(index).type)
    return bool(types.is_binary(arrow_type) or types.is_large_binary(arrow_type))


def _holds_image(path: Path, column: str, rows: int) -> bool:
    """Is the first value of a column a file of an image? Looks at the first row group, of ``rows`` rows."""
    for row in range(rows):
        with suppress(MissingSource):
            return bool(Cell(path, 0, row, column).suffix)
    return False
