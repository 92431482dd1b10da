"""What of a task stays in a sequence, as headers tell it."""

from __future__ import annotations

from mtcodec.codec.prepare import Facts
from mtcodec.container.header import Header


def stored_facts(header: Header) -> dict[str, Facts]:
    """By task: dtype, channels, shape and size."""
    facts = {}
    for name in header.tasks:
        attributes = header.task(name).attributes
        size = header.size_of(name)
        facts[name] = Facts(attributes.dtype, attributes.channels, attributes.shape, *size)
    return facts
