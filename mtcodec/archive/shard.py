"""One Parquet file of an archive, open: its footer, and columns of its row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mtcodec.archive.index import ShardInfo
from mtcodec.archive.manifest import Manifest, arrow, manifest_of_schema
from mtcodec.archive.names import INDEX
from mtcodec.archive.range_file import RangeFile
from mtcodec.errors import FormatError

if TYPE_CHECKING:
    import pyarrow as pa


class Shard:
    """A shard at a path of a file system of fsspec, whose footer has been read.

    Attributes:
        manifest: what its schema says.
        info: what its footer says, without bytes by column.

    Raises:
        FormatError: damaged, or of another version.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self.path = path
        with damage(path):
            self._source = RangeFile(fs, path)
            self._file = self._source.parquet()
            self.manifest, meta = manifest_of_schema(self._file.schema_arrow), self._file.metadata
            row_groups = tuple(meta.row_group(number).num_rows for number in range(meta.num_row_groups))
            self.info = ShardInfo(path.rsplit("/", 1)[-1], self._source.size(), row_groups, {})

    @property
    def fetched(self) -> int:
        """Bytes read so far."""
        return self._source.fetched

    def compare(self, manifest: Manifest, indexed: ShardInfo) -> None:
        """Raise FormatError where the index says something else."""
        check_same("bytes", self.info.bytes, indexed.bytes, self.path)
        check_same("weights, tasks or settings", self.manifest, manifest, self.path)
        check_same("numbers of scenes", self.info.row_groups, indexed.row_groups, self.path)

    def read(self, row_group: int, names: Sequence[str]) -> pa.Table:
        """Some columns of a row group, by its number in the shard.

        Raises:
            FormatError: damaged.
        """
        with damage(self.path):
            table = self._file.read_row_group(row_group, columns=list(names), use_threads=False)
            table.validate(full=True)  # keys are UTF-8, too
            if len(table) != self.info.row_groups[row_group]:
                raise FormatError("not the number of rows that it declares")
        return table


def check_same(fact: str, stored: object, indexed: object, path: str) -> None:
    """Raise FormatError unless the shard at ``path`` has what the index says of it."""
    if stored != indexed:
        raise FormatError(
            f"has other {fact} than {INDEX} tells (shards tell themselves without it)", path=path
        )


@contextmanager
def damage(path: str, message: str = "cannot read it") -> Iterator[None]:
    """Turn whatever pyarrow raises into a FormatError of the shard at ``path``."""
    pyarrow = arrow()
    try:
        yield
    except (OSError, pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise FormatError(f"{message}: {error}", path=path) from error
    except FormatError as error:
        error.at(path=path)
        raise
