"""zstd frames without their magic number, of bounded memory."""

from __future__ import annotations

import zstandard

from mtcodec.errors import FormatError


def encode_frame(raw: bytes, level: int) -> bytes:
    """A frame that holds ``raw``, without content size, checksum and dictionary."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, source_size=len(raw), write_content_size=0, write_checksum=0, write_dict_id=0
    )
    frame = zstandard.ZstdCompressor(compression_params=parameters).compress(raw)
    return frame.removeprefix(zstandard.FRAME_HEADER)


def decode_frame(frame: bytes, size: int, name: str) -> bytes:
    """``size`` bytes, refusing a frame that holds another number of them or wants more memory.

    Raises:
        FormatError: its message begins with ``name``.
    """
    if len(frame) < 2 or frame[0] != 0:
        raise FormatError(f"{name}: zstd frame of an unexpected kind")
    if (8 + (frame[1] & 7)) << (7 + (frame[1] >> 3)) > max(1024, 2 * size):
        raise FormatError(f"{name}: zstd frame of too large a window")
    try:
        raw = zstandard.ZstdDecompressor().decompress(
            zstandard.FRAME_HEADER + frame, max_output_size=size, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise FormatError(f"{name}: damaged zstd frame") from error
    if len(raw) != size:
        raise FormatError(f"{name}: zstd frame is too short")
    return raw
