"""Where the files of one scene go in a store."""

from __future__ import annotations

from dataclasses import dataclass

from mtcodec.archive.store import Store
from mtcodec.container.attachments import MAX_BYTES
from mtcodec.files.marks import HEAD_BYTES


@dataclass(frozen=True)
class SceneDirectory:
    """The directory of a scene in a store: an ``OutputDirectory`` of :mod:`mtcodec.files.replacing`."""

    store: Store
    key: str

    def names(self) -> list[str]:
        return self.store.names(self.key)

    def head(self, name: str) -> tuple[bytes, int]:
        return self.store.head(self.name_of(name), HEAD_BYTES)

    def read(self, name: str) -> bytes:
        """As much of a file as can be attached, and a byte more of a longer one."""
        return self.store.head(self.name_of(name), MAX_BYTES + 1)[0]

    def path(self, name: str) -> object:
        return f"{self.store.path}/{self.name_of(name)}"

    def name_of(self, name: str) -> str:
        """The name of a file in the store."""
        return f"{self.key}/{name}"
