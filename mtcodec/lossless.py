"""Decoding of lossless sections; needs neither networks nor torch."""

from __future__ import annotations

from mtcodec.container import Reader
from mtcodec.data.planes import Array
from mtcodec.entropy import labels
from mtcodec.errors import FormatError, SectionError, UsageError


def decode_labels(reader: Reader, name: str) -> Array:
    """Class ids (H, W) of the lossless section ``name``.

    Raises:
        SectionError: its payload is damaged.
    """
    header, section = reader.header, reader.header.section(name)
    if section is None or section.coding != "labels":
        raise UsageError(f"no lossless section {name!r}")
    payload = reader.payload(name)
    try:
        return labels.decode_labels(payload, header.height, header.width, section.dtype)
    except FormatError as error:
        raise SectionError(f"section {name}: {error}", name) from error
