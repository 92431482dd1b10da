"""``archive.json``: what readers need to know before they open a shard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtcodec.archive.manifest import DAMAGED, Manifest, manifest_from_json, manifest_to_json
from mtcodec.errors import FormatError

MAX_INDEX_BYTES, MAX_SHARD_BYTES = 1 << 25, 1 << 40
MAX_ROW_GROUPS = 1 << 20  # of all shards


@dataclass(frozen=True)
class ShardInfo:
    """What the index says about a shard.

    Raises:
        FormatError: more scenes than bytes, or fewer than none.
    """

    name: str  # of its file
    bytes: int  # of the file
    row_groups: tuple[int, ...]  # scenes in each
    columns: dict[str, int]  # compressed bytes by column

    def __post_init__(self) -> None:
        if min(self.row_groups, default=0) < 0 or self.rows > self.bytes:
            raise FormatError("a number of scenes that cannot be")

    @property
    def rows(self) -> int:
        """Scenes in all."""
        return sum(self.row_groups)

    def to_json(self) -> dict[str, Any]:
        """The shard's entry in the index."""
        return {
            "name": self.name,
            "bytes": self.bytes,
            "row_groups": self.row_groups,
            "columns": self.columns,
        }

    @classmethod
    def from_json(cls, document: Any) -> ShardInfo:
        """The inverse of :meth:`to_json`.

        Raises:
            FormatError, or one of :data:`mtcodec.archive.manifest.DAMAGED`: damage.
        """
        row_groups = tuple(_checked_count(rows) for rows in document["row_groups"])
        columns = {str(name): _checked_count(size) for name, size in document["columns"].items()}
        return cls(str(document["name"]), _checked_count(document["bytes"]), row_groups, columns)


def _checked_count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_SHARD_BYTES:
        raise ValueError(f"not a count: {value!r}")
    return value


def index_to_json(manifest: Manifest, shards: Sequence[ShardInfo]) -> bytes:
    """The content of ``archive.json``, with one line a shard."""
    lines = ",\n".join(f"  {json.dumps(shard.to_json())}" for shard in shards)
    return json.dumps(manifest_to_json(manifest))[:-1].encode() + f',\n "shards": [\n{lines}\n]}}\n'.encode()


def parse_index(data: bytes) -> tuple[Manifest, list[ShardInfo]]:
    """The manifest and the shards that ``archive.json`` lists.

    Raises:
        FormatError: damaged, or of another version.
    """
    if len(data) > MAX_INDEX_BYTES:
        raise FormatError(f"damaged: more than {MAX_INDEX_BYTES} bytes")
    try:
        document = json.loads(data)
        manifest = manifest_from_json(document)
        shards = [ShardInfo.from_json(entry) for entry in document["shards"]]
    except DAMAGED as error:
        raise FormatError("damaged") from error
    if sum(len(shard.row_groups) for shard in shards) > MAX_ROW_GROUPS:
        raise FormatError(f"damaged: more than {MAX_ROW_GROUPS} row groups")
    names = {shard.name for shard in shards}
    if len(names) < len(shards) or any("/" in name for name in names):
        raise FormatError("damaged: shards of such names cannot be")
    return manifest, shards
