"""Small files that are kept beside a scene's images, such as a camera's parameters: a section of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mtcodec.bitstreams import zstd
from mtcodec.container.cursor import Cursor, varint
from mtcodec.container.mtc import Reader
from mtcodec.container.section import ATTACHMENTS
from mtcodec.errors import FormatError, SectionError, UsageError

MAX_BYTES = 1 << 16  # of all contents together
MAX_FILES = 64
MAX_NAME = 100
MAX_PACKED = MAX_BYTES + MAX_FILES * (MAX_NAME + 4)  # with names and lengths
LEVEL = 19  # of zstd
NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.\-]{{0,{MAX_NAME - 1}}}")
IMAGES = (".png", ".npy")  # what decoding writes

Files = Mapping[str, bytes]
"""Contents by name."""


def problem(files: Files, tasks: Iterable[str]) -> str:
    """Why these files cannot be kept in a scene of these tasks; empty if they can."""
    lower = [name.lower() for name in files]
    images = {task + suffix for task in tasks for suffix in IMAGES}
    for name in files:
        if not NAME.fullmatch(name):
            return f"not a plain file name: {name!r} (letters, digits, . _ and -, at most {MAX_NAME})"
        if name.lower() in images:
            return f"{name} is what an image of the scene is called"
    if len(set(lower)) < len(lower):
        return f"two files are called alike: {', '.join(sorted(files))}"
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        return f"attached files are at most {MAX_FILES}, of {MAX_BYTES} bytes in all"
    return ""


def check(files: Files, tasks: Iterable[str]) -> None:
    """Raise UsageError where files cannot be kept in a scene of these tasks."""
    for name, content in files.items():
        if not isinstance(content, bytes):
            raise UsageError(f"attached file {name!r} is not bytes but {type(content).__name__}")
    why = problem(files, tasks)
    if why:
        raise UsageError(why)


def pack(files: Files) -> bytes:
    """The payload of a section of files."""
    named = sorted((name.encode("ascii"), content) for name, content in files.items())
    raw = b"".join(bytes([len(n)]) + n + varint(len(c)) + c for n, c in named)
    return varint(len(raw)) + zstd.encode_frame(raw, LEVEL)


def parse(payload: bytes, tasks: Iterable[str]) -> dict[str, bytes]:
    """Files of a section in a scene of these tasks.

    Raises:
        SectionError: damaged, or names that no file may have.
    """
    try:
        cursor = Cursor(payload, "the section ends within it")
        size = cursor.varint("its size", MAX_PACKED)
        body = Cursor(zstd.decode_frame(cursor.rest, size, "files"), "a file ends after the section")
        files: dict[str, bytes] = {}
        while body.rest:
            name = body.take(body.byte()).decode("ascii", "replace")
            if files and name <= next(reversed(files)):
                raise FormatError("names out of order")
            files[name] = body.take(body.varint("the length of a file", MAX_BYTES))
        why = problem(files, tasks)
        if why:
            raise FormatError(why)
    except FormatError as error:
        raise SectionError(f"damaged files: {error.reason}", section=ATTACHMENTS) from error
    return files


def read(reader: Reader) -> dict[str, bytes]:
    """Files that a scene has beside its images.

    Raises:
        SectionError: they are damaged.
    """
    if reader.header.section(ATTACHMENTS) is None:
        return {}
    return parse(reader.payload(ATTACHMENTS), reader.header.tasks)
