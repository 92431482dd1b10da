"""A part of an archive, opened: its footer, and columns of its row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mtcodec.archive.index import PartFacts
from mtcodec.archive.manifest import About, about_of, arrow
from mtcodec.archive.names import INDEX
from mtcodec.archive.range_file import RangeFile
from mtcodec.errors import FormatError

if TYPE_CHECKING:
    import pyarrow as pa


class Part:
    """A part whose footer has been read.

    Attributes:
        about, facts: what it says; the latter without bytes by column.

    Raises:
        FormatError: damaged, or of another version.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self.path = path
        with damage(path):
            self._source = RangeFile(fs, path)
            self._file = self._source.parquet()
            self.about, meta = about_of(self._file.schema_arrow), self._file.metadata
            groups = tuple(meta.row_group(g).num_rows for g in range(meta.num_row_groups))
            self.facts = PartFacts(path.rsplit("/", 1)[-1], self._source.size(), groups, {})

    @property
    def fetched(self) -> int:
        """Bytes read so far."""
        return self._source.fetched

    def compare(self, about: About, told: PartFacts) -> None:
        """Raise FormatError where the index told otherwise."""
        same("bytes", self.facts.bytes, told.bytes, self.path)
        same("weights, tasks or settings", self.about, about, self.path)
        same("numbers of scenes", self.facts.groups, told.groups, self.path)

    def read(self, group: int, names: Sequence[str]) -> pa.Table:
        """Some columns of a row group."""
        with damage(self.path):
            table = self._file.read_row_group(group, columns=list(names), use_threads=False)
            table.validate(full=True)  # keys are UTF-8, too
            if len(table) != self.facts.groups[group]:
                raise FormatError("not the number of rows that it declares")
        return table


def same(what: str, found: object, told: object, path: str) -> None:
    """Raise FormatError where a part at ``path`` is not what the index tells."""
    if found != told:
        raise FormatError(
            f"has other {what} than {INDEX} tells (parts tell themselves without it)", path=path
        )


@contextmanager
def damage(path: str) -> Iterator[None]:
    """Whatever pyarrow raises within is a FormatError of the part at ``path``."""
    pa = arrow()
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise FormatError(f"cannot read it: {error}", path=path) from error
    except FormatError as error:
        error.at(path=path)
        raise
