"""Tar files, such as shards of WebDataset, read as the directories that they would unpack to.

Only their headers are read to find scenes; images are read from where they lie in the file.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from mtcodec.errors import SceneError
from mtcodec.files.listing import Listing
from mtcodec.files.notes import Note, some
from mtcodec.files.search import Search
from mtcodec.files.sources import MAX_BYTES, safe

SUFFIX = ".tar"
BLOCK = 512
MAX_HEADER = 1 << 20  # of long names and the like


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar file, as a source."""

    file: Path
    member: str
    offset: int
    size: int

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.member).suffix

    def read_bytes(self) -> bytes:
        if self.size > MAX_BYTES:
            raise ValueError(f"{self.size} bytes are more than {MAX_BYTES}")
        with self.file.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise ValueError("the tar file ends within it")
        return data

    def __str__(self) -> str:
        return f"{self.file}/{self.member}"


class Shard(Search):
    """What is found in a tar file, as part of a search in what it belongs to.

    Raises:
        SceneError: not a tar file, or a damaged one.
    """

    def __init__(self, parent: Search, path: Path) -> None:
        self.__dict__.update(parent.__dict__)  # what is found goes to the parent's lists
        self.dataset = path
        self._listings: dict[str, Listing] = {str(path): Listing([], [], [])}
        unsafe, special = list[str](), list[str]()
        try:
            for info, member in _members(path, self.note):
                if not safe(member.member):
                    unsafe.append(member.member)
                elif not info.isreg() or info.issparse():
                    special.append(member.member)
                else:
                    self._add(member)
        except (tarfile.TarError, OSError, ValueError, RecursionError) as error:
            raise SceneError(f"cannot read it: {error}", path=path) from error
        for names, why in ((unsafe, "names may lead elsewhere"), (special, "they are links or the like")):
            if names:
                self.note(f"left out, as {why}: {some([f'{path.name}/{name}' for name in names])}")
        self._listings = {name: own.ordered() for name, own in self._listings.items()}

    def scan(self, directory: str) -> Listing:
        """What lies in a directory of the tar file."""
        return self._listings[directory]

    def _add(self, member: Member) -> None:
        *parents, name = member.member.split("/")
        if any(part.startswith(".") for part in (*parents, name)):
            return
        place = str(self.dataset)
        for parent in parents:
            inside = f"{place}/{parent}"
            if inside not in self._listings:
                self._listings[place].directories.append(parent)
                self._listings[inside] = Listing([], [], [])
            place = inside
        self._listings[place].add(name, self.source(member))


class _Headers:
    """A file from which only headers are read: sizes are a stranger's."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > MAX_HEADER:
            raise ValueError(f"a header of {size} bytes")
        return self.file.read(size)


def _members(path: Path, note: Note) -> Iterator[tuple[tarfile.TarInfo, Member]]:
    """All members but directories, their names without ``./``."""
    with path.open("rb") as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
        with tarfile.open(fileobj=_Headers(file), mode="r:") as tar:  # type: ignore[call-overload]
            while (info := tar.next()) is not None:
                tar.members = []  # it would keep them all
                if info.offset_data + (info.size if info.isreg() else 0) > end:
                    raise ValueError(f"it ends within {info.name}")
                if not info.isdir():
                    yield info, Member(path, info.name.removeprefix("./"), info.offset_data, info.size)
            file.seek(tar.offset)
            rest = file.read(BLOCK)
        if rest.strip(b"\0"):
            raise ValueError(f"damaged header at byte {tar.offset}")
        if not rest:
            note(f"{path.name} has no end mark: it may have been cut off")
