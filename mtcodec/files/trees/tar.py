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
from mtcodec.files.notes import Note, list_names
from mtcodec.files.sources import MAX_IMAGE_BYTES, UnreadableImage, is_safe_path
from mtcodec.files.trees.listing import Listing
from mtcodec.files.trees.search import Search
from mtcodec.messages import Loss

SUFFIX = ".tar"
BLOCK_BYTES = 512
MAX_HEADER_BYTES = 1 << 20  # of long names and the like


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar file, as a source.

    Attributes:
        file: the tar file.
        member: its path there.
        offset, size: of its bytes in the tar file.
    """

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
        if self.size > MAX_IMAGE_BYTES:
            raise UnreadableImage(f"{self.size} bytes are more than {MAX_IMAGE_BYTES}")
        with self.file.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise UnreadableImage("the tar file ends within it")
        return data

    def __str__(self) -> str:
        return f"{self.file}/{self.member}"


def read_tree(search: Search, path: Path) -> Listing:
    """What a tar file would unpack to; its headers are read.

    Raises:
        SceneError: not a tar file, or a damaged one.
    """
    root = Listing(str(path))
    unsafe: list[str] = []
    special: list[str] = []
    try:
        for info, member in _members(path, search.note):
            if not is_safe_path(member.member):
                unsafe.append(member.member)
            elif not info.isreg() or info.issparse():
                special.append(member.member)
            elif not any(part.startswith(".") for part in member.member.split("/")):
                _add(root, member.member, search.register(member))
    except (tarfile.TarError, OSError, ValueError, RecursionError) as error:
        raise SceneError(f"cannot read it: {error}", path=path) from error
    for names, reason in ((unsafe, "names may lead elsewhere"), (special, "they are links or the like")):
        if names:
            shown = list_names([f"{path.name}/{name}" for name in names])
            search.note(Loss(f"left out, as {reason}: {shown}"))
    root.sort()
    return root


def _add(directory: Listing, name: str, path: str) -> None:
    """Add the file ``name`` within ``directory``, and the directories that it lies in."""
    *parents, file_name = name.split("/")
    for parent in parents:
        directory = directory.directories.setdefault(parent, Listing(f"{directory.path}/{parent}"))
    directory.add(file_name, path)


class _HeaderReader:
    """A file from which only headers are read: sizes are a stranger's."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > MAX_HEADER_BYTES:
            raise ValueError(f"a header of {size} bytes")
        return self.file.read(size)


def _members(path: Path, note: Note) -> Iterator[tuple[tarfile.TarInfo, Member]]:
    """All members but directories, their names without ``./``."""
    with path.open("rb") as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
        with tarfile.open(fileobj=_HeaderReader(file), mode="r:") as archive:  # type: ignore[call-overload]
            while (info := archive.next()) is not None:
                archive.members = []  # it would keep them all
                if info.offset_data + (info.size if info.isreg() else 0) > end:
                    raise ValueError(f"it ends within {info.name}")
                if not info.isdir():
                    yield info, Member(path, info.name.removeprefix("./"), info.offset_data, info.size)
            file.seek(archive.offset)
            end_mark = file.read(BLOCK_BYTES)
        if end_mark.strip(b"\0"):
            raise ValueError(f"damaged header at byte {archive.offset}")
        if not end_mark:
            note(Loss(f"{path.name} has no end mark: it may have been cut off"))
