"""``archive.json``: what readers need to know before they open a part."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mtcodec.archive.manifest import DAMAGED, About, about_from, facts_of
from mtcodec.errors import FormatError

MAX_INDEX, MAX_PART = 1 << 25, 1 << 40  # bytes
MAX_GROUPS = 1 << 20  # of all parts


@dataclass(frozen=True)
class PartFacts:
    """What the index says of a part.

    Attributes:
        name: of its file; bytes: of it.
        groups: scenes in each of its row groups.
        columns: bytes by column, compressed as they are.

    Raises:
        FormatError: more scenes than bytes, or fewer than none.
    """

    name: str
    bytes: int
    groups: tuple[int, ...]
    columns: dict[str, int]

    def __post_init__(self) -> None:
        if min(self.groups, default=0) < 0 or self.rows > self.bytes:
            raise FormatError("a number of scenes that cannot be")

    @property
    def rows(self) -> int:
        return sum(self.groups)


def index(about: About, parts: Sequence[PartFacts]) -> bytes:
    """``archive.json``."""
    lines = ",\n".join(f"  {json.dumps(asdict(part))}" for part in parts)
    return json.dumps(facts_of(about))[:-1].encode() + f',\n "parts": [\n{lines}\n]}}\n'.encode()


def parse_index(data: bytes) -> tuple[About, list[PartFacts]]:
    """What holds for all scenes, and the parts.

    Raises:
        FormatError: damaged, or of another version.
    """
    if len(data) > MAX_INDEX:
        raise FormatError(f"damaged: more than {MAX_INDEX} bytes")
    try:
        facts = json.loads(data)
        about, parts = about_from(facts), [_part(own) for own in facts["parts"]]
    except DAMAGED as error:
        raise FormatError("damaged") from error
    if sum(len(part.groups) for part in parts) > MAX_GROUPS:
        raise FormatError(f"damaged: more than {MAX_GROUPS} row groups")
    names = {part.name for part in parts}
    if len(names) < len(parts) or any("/" in name for name in names):
        raise FormatError("damaged: parts of such names cannot be")
    return about, parts


def _part(own: Any) -> PartFacts:
    groups = tuple(_count(rows) for rows in own["groups"])
    columns = {str(name): _count(size) for name, size in own["columns"].items()}
    return PartFacts(str(own["name"]), _count(own["bytes"]), groups, columns)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_PART:
        raise ValueError(f"not a count: {value!r}")
    return value
