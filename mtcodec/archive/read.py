"""Archives read: parts listed, columns fetched, rows to files. Local paths, or anything that fsspec opens."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from mtcodec.archive.index import PartFacts, parse_index
from mtcodec.archive.manifest import About, arrow, column_of, payloads_of
from mtcodec.archive.names import INDEX
from mtcodec.archive.range_file import reason
from mtcodec.archive.shard import Part, same
from mtcodec.archive.store import connect
from mtcodec.container.header import MAX_PIXELS, Header
from mtcodec.container.mtc import SplitReader
from mtcodec.container.section import ATTACHMENTS, NOTES
from mtcodec.errors import FormatError, MtcodecError, SceneError, WeightsNotFound

if TYPE_CHECKING:
    import pyarrow as pa

Entry = tuple[str, SplitReader | FormatError]
"""Key and sections of a row, or what is wrong with its header."""
PARTS_OPEN = 16  # at a time


@dataclass(frozen=True)
class Group:
    """Rows that are fetched together: one row group of a part."""

    part: int
    group: int
    rows: int


class Opened:
    """An archive whose index has been read; footers of parts are read when something of them is.

    Without ``archive.json`` all of them are read. A few parts are open at a time.

    Attributes:
        path: as it was given: local, or a URL (``s3://``, ``https://``).
        max_pixels: scenes of larger images are damaged ones (:func:`mtcodec.container.header.check_pixels`).
        about: what holds for all scenes. parts: paths of the parts. groups: all row groups, in order.
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
        self._open: OrderedDict[int, Part] = OrderedDict()
        self._reading = Lock()  # of the open parts
        self._fetched = 0  # from parts that are closed again
        self._fs, self._root = connect(self.path)
        try:
            self.about, self._told = self._index() or self._footers()
        except MtcodecError:
            raise
        except Exception as error:  # file systems raise whatever their libraries do
            raise SceneError(f"cannot read it: {reason(error)}", path=self.path) from error
        self.parts = [f"{self._root}/{part.name}" for part in self._told]
        self.groups = [Group(k, g, n) for k, part in enumerate(self._told) for g, n in enumerate(part.groups)]
        self.rows = sum(part.rows for part in self._told)
        self.sizes = Counter[str]()
        for part in self._told:
            self.sizes.update(part.columns)

    def _index(self) -> tuple[About, list[PartFacts]] | None:
        """What ``archive.json`` tells, if there is one; of local parts, sizes are compared at once."""
        path = f"{self._root}/{INDEX}"
        try:
            about, told = parse_index(self._fs.cat_file(path))
            for part in told if "file" in self._fs.protocol else ():
                same("bytes", self._fs.size(f"{self._root}/{part.name}"), part.bytes, part.name)
        except FileNotFoundError as error:
            if not self._fs.exists(path):
                return None
            raise FormatError(f"{INDEX} lists a part that is not there", path=self.path) from error
        except FormatError as error:
            raise error.at(path=f"{self.path}/{INDEX}") from None
        if not told:
            raise SceneError("no archive: it has no parts", path=self.path)
        return about, told

    def _footers(self) -> tuple[About, list[PartFacts]]:
        """The same as all parts in the directory tell; nothing of bytes by column."""
        found = (str(p).rsplit("/", 1)[-1] for p in self._fs.ls(self._root, detail=False))
        told, about = list[PartFacts](), None
        for name in sorted(n for n in found if n.startswith("part-") and n.endswith(".parquet")):
            part = Part(self._fs, f"{self._root}/{name}")
            if about not in (None, part.about):
                raise FormatError("of another archive than the first part", path=part.path)
            about = part.about
            told.append(part.facts)
            self._fetched += part.fetched
        if about is None:
            raise SceneError("no archive: it has no parts", path=self.path)
        return about, told

    def part(self, index: int) -> Part:
        """A part, opened.

        Raises:
            FormatError: damaged, or not what the index told.
        """
        part = self._open.pop(index, None)
        if part is None:
            part = Part(self._fs, self.parts[index])
            part.compare(self.about, self._told[index])
        self._open[index] = part
        if len(self._open) > PARTS_OPEN:
            self._fetched += self._open.popitem(last=False)[1].fetched
        return part

    @property
    def fetched(self) -> int:
        """Bytes read so far."""
        return self._fetched + sum(part.fetched for part in self._open.values())

    def column(self, group: Group, names: Sequence[str]) -> pa.Table:
        """Some columns of a group."""
        with self._reading:
            return self.part(group.part).read(group.group, names)

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
            n
            for _, parts in entries
            if isinstance(parts, SplitReader)
            for n in wanted(parts.header, tasks, beside)
        }
        columns = [name for name in self.about.columns if name in names]
        table = self.column(group, columns) if columns else table
        values = {name: table[name].to_pylist() for name in columns}
        for i, (_, parts) in enumerate(entries):
            if isinstance(parts, SplitReader):
                stored[i] |= payloads_of(parts.header, {name: values[name][i] for name in columns})
        return entries

    def all_entries(self, tasks: Sequence[str] | None = None, beside: bool = False) -> Iterator[Entry]:
        """:meth:`entries` of all groups."""
        with closing(self.ahead(self.groups, tasks, beside)) as read:
            for _, entries in read:
                yield from entries

    def ahead(
        self, groups: Iterable[Group], tasks: Sequence[str] | None = None, beside: bool = False
    ) -> Generator[tuple[Group, list[Entry]]]:
        """:meth:`entries` of some groups; from afar the next ones are fetched while one is used."""
        if "file" in self._fs.protocol:
            for group in groups:
                yield group, self.entries(group, tasks, beside)
            return
        with ThreadPoolExecutor(1) as fetcher:
            coming = deque[tuple[Group, Future[list[Entry]]]]()
            for group in groups:
                coming.append((group, fetcher.submit(self.entries, group, tasks, beside)))
                if len(coming) > 1:
                    before, entries = coming.popleft()
                    yield before, entries.result()
            for before, entries in coming:
                yield before, entries.result()

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
    return needed | {name for name in (NOTES, ATTACHMENTS) if beside and header.section(name)}


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
    if isinstance(found[1], SplitReader):
        payloads |= payloads_of(found[1].header, columns)
    return found


def _entry(
    source: str, key: str | None, header: bytes | None, payloads: dict[str, bytes | None], max_pixels: int
) -> Entry:
    """A row whose ``payloads`` are filled in later."""
    try:
        return key or "", SplitReader(header or b"", payloads, max_pixels)
    except FormatError as error:
        return key or "", error.at(path=source, scene=key or "")
