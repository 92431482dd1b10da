"""Masks of holes as payloads."""

from __future__ import annotations

from dataclasses import dataclass

from mtcodec.coders import labels
from mtcodec.signals.holes import Holes

MAX_SPEED_SHARE = 0.02
"""Of the bytes of a scene's images: what a mask may take more for being decoded quickly."""


@dataclass(frozen=True)
class MaskPayloads:
    """A mask of holes: its smallest payload, and perhaps a longer one that decodes faster."""

    smallest: bytes
    faster: bytes | None

    @classmethod
    def encode(cls, holes: Holes) -> MaskPayloads:
        smallest = labels.encode_mask(holes.mask)
        return cls(smallest, labels.encode_mask_for_speed(holes.mask, smallest))

    def payload(self, image_bytes: int) -> bytes:
        """What is stored in a scene whose images take so many bytes."""
        if self.faster is None or len(self.faster) - len(self.smallest) > MAX_SPEED_SHARE * image_bytes:
            return self.smallest
        return self.faster
