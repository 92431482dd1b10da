"""Files of single sections, made of what coders give; of any payload under right checksums."""

from __future__ import annotations

import io
from collections.abc import Mapping

from mtcodec.codec import decoder
from mtcodec.coders import labels
from mtcodec.coders.candidate import Candidate, attributes_of
from mtcodec.container.header import NO_WEIGHTS, Header, parse
from mtcodec.container.mtc import Reader, build, split
from mtcodec.container.section import Attributes, Section, mask_name
from mtcodec.errors import WeightsNotFound
from mtcodec.signals.holes import Holes
from mtcodec.signals.mapping import Array


def file_of(tasks: Mapping[str, Candidate], size: tuple[int, int]) -> bytes:
    """A file of these candidates, none of them neural; ``size`` is height and width."""
    masks: list[Holes] = []
    sections, payloads = [], {}
    for name, candidate in tasks.items():
        holes, needs = candidate.pixel_format.holes, tuple[str, ...]()
        if holes is not None:
            index = next((k for k, known in enumerate(masks) if known.same(holes)), len(masks))
            masks += [holes] if index == len(masks) else []
            needs = (mask_name(index),)
        sections.append(Section(name, candidate.coding, attributes_of(candidate), needs))
        payloads[name] = candidate.payload
    for k, holes in enumerate(masks):
        sections.insert(k, Section(mask_name(k), "labels", Attributes("uint8", 1)))
        payloads[mask_name(k)] = labels.encode_mask(holes.mask)
    return build(Header(NO_WEIGHTS, *size, 0, tuple(sections)), payloads)


def with_payload(file: bytes, name: str, payload: bytes) -> bytes:
    """``file`` with another payload, under right checksums."""
    return build(parse(file), split(file)[1] | {name: payload})


def no_networks(fingerprint: str) -> object:
    """A loader of networks that has none."""
    raise WeightsNotFound(f"needs networks: {fingerprint}")


def read(file: bytes, name: str) -> Array:
    """The image of a task that no network decodes.

    Raises:
        FormatError: damaged.
    """
    return decoder.decode([Reader(io.BytesIO(file))], [name], no_networks)[0][name]
