"""Whole groups: header and payloads written, read one by one, split and taken apart."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import BinaryIO

from mtcodec.container import notes
from mtcodec.container.header import MAX_HEADER, NO_WEIGHTS, Header, check_pixels, pack, parse
from mtcodec.container.section import (
    ATTACHMENTS,
    MAX_PIXELS,
    NOTES,
    Section,
    checksum_of,
    is_mask,
    mask_name,
)
from mtcodec.errors import FormatError, SectionError, UsageError

Source = bytes | BinaryIO


def build(header: Header, payloads: Mapping[str, bytes]) -> bytes:
    """A whole group; lengths and checksums of ``header.sections`` are filled in here."""
    sections: list[Section] = []
    for section in header.sections:
        payload = payloads[section.name]
        checksum_seed = replace(header, sections=tuple(sections)).checksum_seed(section)
        sections.append(replace(section, length=len(payload), checksum=checksum_of(payload, checksum_seed)))
    return pack(replace(header, sections=tuple(sections))) + b"".join(payloads[s.name] for s in sections)


class Reader:
    """Reads the header of a group, then single payloads on demand.

    Args:
        source: the bytes of a whole group, or a seekable binary file of it.
        max_pixels: larger images are refused. Decoding takes memory and time in proportion to the pixels that
            the header declares, of which a stranger's small file can declare many.

    Raises:
        FormatError: from the constructor, for a damaged header or bytes after the last payload.
        LimitError: likewise, for an image of more than ``max_pixels``.
    """

    def __init__(self, source: Source, max_pixels: int = MAX_PIXELS) -> None:
        self._file = io.BytesIO(source) if isinstance(source, bytes) else source
        self.size = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        self.header = parse(self._file.read(MAX_HEADER))
        check_pixels(self.header, max_pixels)
        if self.size > self.header.file_size:
            raise FormatError(f"{self.size - self.header.file_size} bytes after the last section")

    @property
    def complete(self) -> bool:
        """Does the file have all its bytes?"""
        return self.size == self.header.file_size

    def payload(self, name: str) -> bytes:
        """Payload of the section ``name``, its checksum verified.

        Raises:
            SectionError: damaged, or cut off by the end of the file.
        """
        section = self.header.section(name)
        if section is None:
            raise UsageError(f"no section {name!r}")
        payload = self._read(section)
        if checksum_of(payload, self.header.checksum_seed(section)) != section.checksum:
            raise SectionError("damaged (checksum)", section=name)
        return payload

    def _read(self, section: Section) -> bytes:
        if section.offset + section.length > self.size:
            raise SectionError("the file ends within it", section=section.name)
        self._file.seek(section.offset)
        return self._file.read(section.length)


class SplitReader(Reader):
    """The header and the payloads of a file that are kept apart, as in a row of an archive.

    Raises:
        FormatError: from the constructor, for a damaged header.
    """

    def __init__(
        self, header: bytes, payloads: Mapping[str, bytes | None], max_pixels: int = MAX_PIXELS
    ) -> None:
        self.header = parse(header)
        check_pixels(self.header, max_pixels)
        if self.header.size != len(header):
            raise FormatError("bytes after the header")
        self.size = self.header.file_size
        self.payloads = payloads

    def _read(self, section: Section) -> bytes:
        payload = self.payloads.get(section.name)
        if payload is None or len(payload) != section.length:
            raise SectionError("missing, or of another length", section=section.name)
        return payload


def split(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Header and payloads of a whole file."""
    header = parse(data)
    if len(data) != header.file_size:
        raise FormatError("not the length of a whole file")
    return data[: header.size], {s.name: data[s.offset : s.offset + s.length] for s in header.sections}


def extract(reader: Reader, tasks: Iterable[str]) -> bytes:
    """A container of ``tasks`` only, their payloads unchanged, with attachments; nothing is decoded.

    Raises:
        UsageError: a task that the file lacks. FormatError: damage to what is kept.
    """
    needed = {name for task in tasks for name in reader.header.needs(task)}
    if not needed:
        raise UsageError("no tasks to extract")
    extracted = [s for s in reader.header.sections if s.name in needed or s.name in (NOTES, ATTACHMENTS)]
    payloads: dict[str, bytes] = {}
    sections = []
    for section in extracted:
        payload = _notes(reader, needed) if section.name == NOTES else reader.payload(section.name)
        if payload is not None:
            payloads[section.name] = payload
            sections.append(section)
    is_neural = any(s.is_neural for s in sections)
    header = replace(
        reader.header, sections=tuple(sections),
        fingerprint=reader.header.fingerprint if is_neural else NO_WEIGHTS,
        level=reader.header.level if is_neural else 0,
    )  # fmt: skip
    header = _with_used_size(header).with_smallest_rate()
    new_names = _renumbered(section.name for section in sections)
    sections = [
        replace(s, name=new_names.get(s.name, s.name), needs=tuple(new_names.get(n, n) for n in s.needs))
        for s in header.sections
    ]
    payloads = {new_names.get(name, name): payload for name, payload in payloads.items()}
    return build(replace(header, sections=tuple(sections)), payloads)


def _renumbered(names: Iterable[str]) -> dict[str, str]:
    """New names of sections of holes, in a group that has only these."""
    return {name: mask_name(index) for index, name in enumerate(filter(is_mask, names))}


def _with_used_size(header: Header) -> Header:
    """The same with a size that some task has: its own, or that of the first task."""
    sizes = {section.name: header.size_of(section.name) for section in header.sections}
    if (header.height, header.width) in (sizes[name] for name in header.tasks):
        return header
    size = sizes[header.tasks[0]]
    sections = [
        replace(s, attributes=replace(s.attributes, size=None))
        if (s.is_task or is_mask(s.name)) and sizes[s.name] == size
        else s
        for s in header.sections
    ]
    return replace(header, height=size[0], width=size[1], sections=tuple(sections))


def _notes(reader: Reader, tasks: Iterable[str]) -> bytes | None:
    """The notes of some tasks; None where there are none, or they are damaged: no pixel needs them."""
    try:
        return notes.only(reader.payload(NOTES), tasks)
    except SectionError:
        return None
