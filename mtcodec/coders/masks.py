"""Masks of holes as payloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtcodec.coders import labels
from mtcodec.container import frames
from mtcodec.signals.holes import Holes

MAX_SPEED_SHARE = 0.02
"""Of the bytes of a scene's images: what a mask may take more for being decoded quickly."""


@dataclass(frozen=True)
class MaskPayloads:
    """A mask of holes in one or several frames: its smallest payload, and perhaps one that decodes faster."""

    smallest: bytes
    faster: bytes | None

    @classmethod
    def encode(cls, holes: Holes, frame_count: int = 1, present: Sequence[bool] = (True,)) -> MaskPayloads:
        """Masks (frame_count · H, W), one below the other, of the frames of a group that are ``present``."""
        masks = holes.mask.reshape(frame_count, -1, holes.mask.shape[1])
        smallest = [labels.encode_mask(mask) for mask in masks]
        faster = [labels.encode_mask_for_speed(mask, least) for mask, least in zip(masks, smallest)]
        return cls(
            _joined(smallest, present),
            _joined([quick or least for quick, least in zip(faster, smallest)], present)
            if any(faster)
            else None,
        )

    def payload(self, image_bytes: int) -> bytes:
        """What is stored in a scene whose images take so many bytes."""
        if self.faster is None or len(self.faster) - len(self.smallest) > MAX_SPEED_SHARE * image_bytes:
            return self.smallest
        return self.faster


def _joined(payloads: Sequence[bytes], present: Sequence[bool]) -> bytes:
    """The payload of all frames; that of a frame that is not present is empty."""
    rest = iter(payloads)
    return frames.join([next(rest) if here else b"" for here in present])
