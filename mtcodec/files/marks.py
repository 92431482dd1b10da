"""The mark by which images that decoding has written are told from all others.

PNG has it as a text chunk after the header, ``Software``: ``mtcodec decode``, with the length of the file, so
that what another program has changed does not pass for ours. ``.npy`` has no place for text: its header is
padded to HEAD_BYTES with spaces, as every reader allows and no other writer does.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.lib import format as npy_format

from mtcodec.signals.mapping import Array

HEAD_BYTES = 1024  # of a file, in which its mark lies
PNG_HEADER_BYTES = 33  # the signature and the chunk IHDR
NPY_PREFIX_BYTES = 10  # the magic string, the version and the header's length
NPY_DICTIONARY_BYTES = 512  # more than the header of an image takes before it is padded


def mark_png(data: bytes) -> bytes:
    """The PNG file ``data``, which has no mark, with it."""
    chunk = _png_chunk(len(data) + len(_png_chunk(0)))
    return data[:PNG_HEADER_BYTES] + chunk + data[PNG_HEADER_BYTES:]


def _png_chunk(file_bytes: int) -> bytes:
    """The chunk of text of a file of this length; it is always as long itself."""
    content = b"tEXtSoftware\0" + f"mtcodec decode, {file_bytes:012} bytes".encode("ascii")
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def marked_npy(image: Array) -> bytes:
    """A ``.npy`` file of ``image``, with the mark."""
    image = np.ascontiguousarray(image)
    buffer = io.BytesIO()
    npy_format.write_array_header_1_0(buffer, npy_format.header_data_from_array_1_0(image))
    dictionary = buffer.getvalue()[NPY_PREFIX_BYTES:].rstrip()
    return b"".join([_npy_prefix(), dictionary.ljust(HEAD_BYTES - NPY_PREFIX_BYTES - 1), b"\n", image.data])


def _npy_prefix() -> bytes:
    return npy_format.magic(1, 0) + struct.pack("<H", HEAD_BYTES - NPY_PREFIX_BYTES)


def has_mark(head: bytes, file_bytes: int) -> bool:
    """Has decoding written this file, of which ``head`` is the first HEAD_BYTES, or all?"""
    if head.startswith(_npy_prefix()):
        padding = HEAD_BYTES - NPY_DICTIONARY_BYTES
        return head[NPY_DICTIONARY_BYTES:] == b" " * (padding - 1) + b"\n"
    return head.startswith(b"\x89PNG") and head.startswith(_png_chunk(file_bytes), PNG_HEADER_BYTES)
