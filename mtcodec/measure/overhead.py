"""How many bytes of a compressed image file are container and headers rather than coded picture.

A file of a classical codec carries a few hundred bytes that a codec made for small scenes would not
need. What counts as overhead, per format:

====  ==============================================================================================
jpeg  everything but entropy-coded scan data and the quantisation and Huffman tables (with their
      segment headers): SOI, APPn, COM, SOF, SOS headers, EOI
webp  the RIFF header (12 bytes), chunk headers (8 each) and padding, and chunks that hold no pixels
      (VP8X, ICCP, EXIF, XMP); the frame header inside a VP8 chunk counts as picture
avif  everything outside the payload of ``mdat`` and ``idat`` boxes, so all of ``ftyp`` and ``meta``;
      the AV1 sequence and frame headers inside ``mdat`` count as picture
jxl   the boxes of a container; for a bare codestream its signature of 2 bytes
====  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator

from mtcodec.errors import MtcodecError, UsageError

JXL_BOX = bytes.fromhex("0000000c4a584c200d0a870a")
"""First box of a JPEG XL file in a container (ISO/IEC 18181-2)."""


class _ParseError(Exception):
    """The bytes do not parse."""


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, payload start, payload end) of the ISO base media boxes in ``data[start:end]``."""
    while start < end:
        if end - start < 8:
            raise _ParseError(f"{end - start} bytes after the last box")
        size = int.from_bytes(data[start : start + 4], "big")
        header = 8
        if size == 1:
            size, header = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif size == 0:
            size = end - start
        if size < header or size > end - start:
            raise _ParseError(f"box of {size} bytes at byte {start}")
        yield data[start + 4 : start + 8], start + header, start + size
        start += size


def _avif_picture(data: bytes) -> int:
    picture = 0
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"mdat":
            picture += end - start
        elif kind == b"meta":  # a full box: version and flags before its children
            children = _boxes(data, start + 4, end)
            picture += sum(last - first for child, first, last in children if child == b"idat")
    return picture


def _jxl_picture(data: bytes) -> int:
    if data[:2] == b"\xff\x0a":
        return len(data) - 2
    if not data.startswith(JXL_BOX):
        raise _ParseError("no signature")
    picture = 0
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"jxlc":
            picture += end - start
        elif kind == b"jxlp":  # four bytes of sequence number before each part
            picture += end - start - 4
    return picture


def _webp_picture(data: bytes) -> int:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise _ParseError("no RIFF header")
    if int.from_bytes(data[4:8], "little") + 8 != len(data):
        raise _ParseError("its length differs from the one in its header")
    picture, at = 0, 12
    while at < len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > len(data):
            raise _ParseError(f"chunk of {size} bytes at byte {at}")
        if kind in (b"VP8 ", b"VP8L", b"ALPH"):
            picture += size
        at += 8 + size + size % 2
    return picture


def _scan_end(data: bytes, at: int) -> int:
    """Position of the first marker after the entropy-coded bytes that start at ``at``."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise _ParseError("a scan without an end")
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:  # stuffed byte, restart marker
            return at
        at += 2


def _jpeg_picture(data: bytes) -> int:
    if data[:2] != b"\xff\xd8":
        raise _ParseError("no SOI marker")
    picture, at = 0, 2
    while data[at : at + 2] != b"\xff\xd9":
        marker, size = data[at + 1 : at + 2], int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at : at + 1] != b"\xff" or size < 2 or at + 2 + size > len(data):
            raise _ParseError(f"no segment at byte {at}")
        at += 2 + size
        if marker in (b"\xdb", b"\xc4"):  # DQT, DHT
            picture += 2 + size
        elif marker == b"\xda":  # SOS
            end = _scan_end(data, at)
            picture += end - at
            at = end
    return picture


_PICTURES = {"jpeg": _jpeg_picture, "webp": _webp_picture, "avif": _avif_picture, "jxl": _jxl_picture}


def container_overhead(payload: bytes, codec: str) -> int:
    """Bytes of the file ``payload`` that are not coded picture; see the table above.

    Args:
        codec: ``jpeg``, ``webp``, ``avif`` or ``jxl``; what follows (``avif10``, ``avif-tuned``) is ignored.

    Raises:
        MtcodecError: the bytes are not a file of that codec.
    """
    family = codec.removesuffix("-tuned").rstrip("0123456789")
    if family not in _PICTURES:
        raise UsageError(f"unknown classical codec {codec!r} (known: {', '.join(_PICTURES)})")
    try:
        picture = _PICTURES[family](payload)
    except _ParseError as error:
        raise MtcodecError(f"not a {family} file: {error}") from error
    if not picture:
        raise MtcodecError(f"not a {family} file: no coded picture")
    return len(payload) - picture
