"""Sections that no network decodes, by their coding; imports no torch."""

from __future__ import annotations

from mtcodec.bitstreams import labels
from mtcodec.coders import classical as picture
from mtcodec.coders import exact
from mtcodec.errors import FormatError, SectionError, UsageError
from mtcodec.format.container import Reader
from mtcodec.signal.mapping import Array
from mtcodec.tasks import task as registry
from mtcodec.tasks.task import Task


def read(reader: Reader, name: str, task: Task | None = None) -> Array:
    """The image of the section ``name``, which no network decodes.

    Args:
        task: its declaration; default the registered one.

    Raises:
        SectionError: its payload is damaged, or its task is not declared. UsageError: it is neural.
    """
    header, section = reader.header, reader.header.section(name)
    if section is None or section.neural:
        raise UsageError(f"no section {name!r} without networks")
    payload, size = reader.payload(name), (header.height, header.width)
    try:
        if section.coding == "labels":
            return labels.decode_labels(payload, *size, section.dtype)
        decode = picture.decode if section.coding == "classical" else exact.decode
        if task is None and name not in registry.names():
            raise FormatError("its task is not declared (weights of that task declare it)")
        return decode(task or registry.get(name), section, payload, *size)
    except FormatError as error:
        raise SectionError(f"section {name}: {error}", name) from error
