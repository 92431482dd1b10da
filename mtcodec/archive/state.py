"""What the scenes of an archive were made of, so that packing goes on with the same images only.

The directory ``state`` has a file for each shard that ``pack`` wrote, of 16 bytes a scene: a checksum of its
key and header, which names the checksums of its sections, and one of what it was made of. It says of which
scenes it speaks; so it is written before the shard, and one whose shard never came does no harm. Its name is
a checksum of its content: nothing is ever overwritten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from mtcodec.archive.names import STATE
from mtcodec.archive.store import Store
from mtcodec.errors import OutputError
from mtcodec.files.notes import list_names

CHECKSUM_BYTES = 8
ADVICE = "pack into another place, or remove it"


def checksum(*parts: bytes) -> bytes:
    """Of several parts, each with its length."""
    hashed = hashlib.blake2b(digest_size=CHECKSUM_BYTES)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "little"))
        hashed.update(part)
    return hashed.digest()


def checksum_of_json(value: Any) -> bytes:
    """Of plain values."""
    return checksum(json.dumps(value, sort_keys=True).encode())


def checksum_of_arrays(scene: Mapping[str, Any], attached: Mapping[str, bytes]) -> bytes:
    """Of images by task, and of files that are kept with them."""
    parts: list[bytes] = []
    for name, image in sorted(scene.items()):
        array = np.ascontiguousarray(image)
        parts += [f"{name} {array.dtype.str} {array.shape}".encode(), array.tobytes()]
    for name, content in sorted(attached.items()):
        parts += [name.encode(), content]
    return checksum(*parts)


class ArchiveState:
    """Checksums of what scenes were made of, by those of what is stored of them.

    Attributes:
        stored: by key, the checksum of what the archive has of a scene (:func:`checksum` of key and header).
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.stored: dict[str, bytes] = {}
        self._origins: dict[bytes, set[bytes]] | None = None  # None: not read yet

    def add_stored(self, key: str, header: bytes) -> None:
        """A scene is in the archive."""
        self.stored[key] = checksum(key.encode(), header)

    def write(self, origins: Mapping[str, bytes]) -> None:
        """Note what scenes were made of, by key; they are ``stored`` already, or about to be."""
        if origins:
            data = b"".join(self.stored[key] + origin for key, origin in origins.items())
            self._store.write({f"{STATE}/{checksum(data).hex()}": data})
            self._origins = None

    def check(self, origins: Mapping[str, bytes]) -> None:
        """Compare what scenes of the archive would be made of now, by key, with what they were made of.

        Raises:
            OutputError: they were made of something else, or nothing tells; it names them.
        """
        if self._origins is None:
            self._origins = self._read()
        of_scene = {key: self._origins.get(self.stored[key]) for key in origins}
        unknown = [key for key, known in of_scene.items() if known is None]
        changed = [key for key, known in of_scene.items() if known is not None and origins[key] not in known]
        reasons = [f"has scenes of other images or tasks, {list_names(changed)}"] * bool(changed)
        if unknown:
            reasons.append(f"has scenes of which nothing tells what they were made of, {list_names(unknown)}")
        if reasons:
            raise OutputError(f"{'; '.join(reasons)}: {ADVICE}", path=self._store.path)

    def _read(self) -> dict[bytes, set[bytes]]:
        """All that is noted; what is cut off counts for nothing."""
        origins: dict[bytes, set[bytes]] = {}
        for name in self._store.names(STATE):
            data = self._store.read(f"{STATE}/{name}")
            for first in range(0, len(data) - 2 * CHECKSUM_BYTES + 1, 2 * CHECKSUM_BYTES):
                middle = first + CHECKSUM_BYTES
                stored, origin = data[first:middle], data[middle : middle + CHECKSUM_BYTES]
                origins.setdefault(stored, set()).add(origin)
        return origins
