"""What is damaged of a group, section by section; nothing is decoded."""

from __future__ import annotations

from collections.abc import Iterator

from mtcodec.container import attachments, notes
from mtcodec.container.mtc import Reader
from mtcodec.container.section import ATTACHMENTS, NOTES
from mtcodec.errors import FormatError


def damage_of(reader: Reader) -> Iterator[FormatError]:
    """An error for every section whose checksum is another, and for notes and files that are none."""
    for section in reader.header.sections:
        try:
            payload = reader.payload(section.name)
            if section.name == ATTACHMENTS:
                attachments.read(reader)
            elif section.name == NOTES:
                notes.parse(payload)
        except FormatError as error:
            yield error
