"""Archives read: parts listed, columns fetched, rows to files. Local paths, or anything that fsspec opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.archive.layout import About, about_of, arrow, column_of, parse_index, payloads_of
from mtcodec.archive.names import INDEX
from mtcodec.archive.ranges import RangeFile, reason
from mtcodec.archive.store import connect
from mtcodec.errors import FormatError, MtcodecError, SceneError, WeightsNotFound
from mtcodec.format.container import Parts
from mtcodec.format.header import MAX_PIXELS, Header
from mtcodec.format.section import ATTACHED, NOTES

if TYPE_CHECKING:
    import pyarrow as pa

Entry = tuple[str, Parts | FormatError]
"""Key and sections of a row, or what is wrong with its header."""


@dataclass(frozen=True)
class Group:
    """Rows that are fetched together: one row group of a part."""

    part: int
    group: int
    rows: int


class Opened:
    """An archive whose footers have been read.

    Attributes:
        path: as it was given: local, or a URL (``s3://``, ``https://``).
        max_pixels: scenes of larger images are damaged ones (:func:`mtcodec.format.header.check_pixels`).
        groups: all row groups, in order.
        sizes: bytes by column, as the index tells; empty without one. (pyarrow 26 ends the process when it
            is asked for those of a damaged part.)

    Raises:
        SceneError: no archive there. FormatError: damaged. UsageError: a path that cannot be.
        DependencyError: pyarrow, or what fsspec needs for the path, is not installed.
    """

    def __init__(self, path: str | Path, max_pixels: int = MAX_PIXELS) -> None:
        arrow()
        self.max_pixels = max_pixels
        self.path = str(path).rstrip("/")
        self.sizes: Counter[str] = Counter()
        self._fs, self._root = connect(self.path)
        try:
            self.parts = self._list()
        except MtcodecError:
            raise
        except Exception as error:  # file systems raise whatever their libraries do
            raise SceneError(f"cannot read it: {reason(error)}", path=self.path) from error
        if not self.parts:
            raise SceneError("no archive: it has no parts", path=self.path)
        self._files: dict[int, pa.parquet.ParquetFile] = {}
        self._ranges: dict[int, RangeFile] = {}
        self.groups: list[Group] = []
        self.about: About = self._open_all()

    def _list(self) -> list[str]:
        """Paths of the parts: as the index tells, else as the directory has them."""
        try:
            listed = parse_index(self._fs.cat_file(f"{self._root}/{INDEX}"))
            names = [part.name for part in listed]
            self.sizes = sum((Counter(part.columns) for part in listed), Counter())
        except FileNotFoundError:
            found = (str(p).rsplit("/", 1)[-1] for p in self._fs.ls(self._root, detail=False))
            names = sorted(n for n in found if n.startswith("part-") and n.endswith(".parquet"))
        except FormatError as error:
            raise error.at(path=f"{self.path}/{INDEX}") from None
        return [f"{self._root}/{name}" for name in names]

    def _open_all(self) -> About:
        about: About | None = None
        for k, path in enumerate(self.parts):
            with _damage(path):
                file = self._file(k)
                found = about_of(file.schema_arrow)
                self.groups += _groups(k, file.metadata)
            if about is not None and found != about:
                raise FormatError("of another archive than the first part", path=path)
            about = found
        assert about is not None
        return about

    def _file(self, part: int) -> pa.parquet.ParquetFile:
        if part not in self._files:
            self._ranges[part] = RangeFile(self._fs, self.parts[part])
            self._files[part] = self._ranges[part].parquet()
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
            raise FormatError("not the number of rows that it declares", path=self.parts[group.part])
        return table

    def keys(self, group: Group) -> list[str]:
        """Keys of the scenes of a group, in order."""
        return [key or "" for key in self.column(group, ["key"])["key"].to_pylist()]

    def entries(self, group: Group, tasks: Sequence[str] | None = None, beside: bool = False) -> list[Entry]:
        """Key and sections of every row of a group: all of them, or those that ``tasks`` need.

        Headers are read first, then only columns that some row needs. Rows whose header is damaged have the
        error instead.

        Args:
            beside: notes and files, too.
        """
        table = self.column(group, ["key", "header"])
        rows = zip(table["key"].to_pylist(), table["header"].to_pylist())
        stored: list[dict[str, bytes | None]] = [{} for _ in range(group.rows)]
        entries = [_entry(self.path, *row, own, self.max_pixels) for row, own in zip(rows, stored)]
        names = {
            n for _, parts in entries if isinstance(parts, Parts) for n in wanted(parts.header, tasks, beside)
        }
        columns = [name for name in self.about.columns if name in names]
        table = self.column(group, columns) if columns else table
        values = {name: table[name].to_pylist() for name in columns}
        for i, (_, parts) in enumerate(entries):
            if isinstance(parts, Parts):
                stored[i] |= payloads_of(parts.header, {name: values[name][i] for name in columns})
        return entries

    def all_entries(self, tasks: Sequence[str] | None = None, beside: bool = False) -> Iterator[Entry]:
        """:meth:`entries` of all groups."""
        for group in self.groups:
            yield from self.entries(group, tasks, beside)

    def weights_size(self) -> int:
        """Bytes of the weights' file of the archive, 0 if there is none."""
        path = f"{self._root}/{self.about.weights}"
        try:
            return 0 if self.about.weights is None else int(self._fs.size(path) or 0)
        except OSError:
            return 0

    def weights_bytes(self) -> bytes:
        """The weights' file of the archive.

        Raises:
            WeightsNotFound: it is missing.
        """
        try:
            return bytes(self._fs.cat_file(f"{self._root}/{self.about.weights}"))
        except OSError as error:
            raise WeightsNotFound(f"its weights {self.about.weights} are missing", path=self.path) from error


def wanted(header: Header, tasks: Sequence[str] | None, beside: bool) -> set[str]:
    """The columns of a scene that hold ``tasks`` (None: everything), and what lies ``beside``."""
    if tasks is None:
        return {column_of(section.name) for section in header.sections}
    needed = {column_of(n) for name in tasks if name in header.tasks for n in header.needs(name)}
    return needed | {name for name in (NOTES, ATTACHED) if beside and header.section(name)}


def entry(
    source: str,
    key: str | None,
    header: bytes | None,
    columns: Mapping[str, bytes | None],
    max_pixels: int = MAX_PIXELS,
) -> Entry:
    """Key and sections of a row, or what is wrong with its header."""
    payloads: dict[str, bytes | None] = {}
    found = _entry(source, key, header, payloads, max_pixels)
    if isinstance(found[1], Parts):
        payloads |= payloads_of(found[1].header, columns)
    return found


def _entry(
    source: str, key: str | None, header: bytes | None, payloads: dict[str, bytes | None], max_pixels: int
) -> Entry:
    """A row whose ``payloads`` are filled in later."""
    try:
        return key or "", Parts(header or b"", payloads, max_pixels)
    except FormatError as error:
        return key or "", error.at(path=source, scene=key or "")


def _groups(part: int, meta: Any) -> Iterator[Group]:
    """The row groups that the footer of a part declares."""
    for g in range(meta.num_row_groups):
        group = meta.row_group(g)
        yield Group(part, g, group.num_rows)


@contextmanager
def _damage(path: str) -> Iterator[None]:
    """Whatever pyarrow raises within is a FormatError of the part at ``path``."""
    pa = arrow()
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise FormatError(f"cannot read it: {error}", path=path) from error
    except FormatError as error:
        error.at(path=path)
        raise
