"""Decoded tasks to image files in their original dtype."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from mtcodec.files.output import write_atomic
from mtcodec.signal.mapping import Array

PNG_LEVEL = 4  # a quarter of the time of the usual 6, for files 0.5 (depth) to 8 % (rgb) larger


def suffix_for(image: Array) -> str:
    """``.png`` for what PNG can hold (8 and 16 bit, 1 to 4 channels), else ``.npy``."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    return ".png" if image.dtype.kind == "u" and channels <= 4 else ".npy"


def write_image(path: Path, image: Array) -> None:
    """Write ``image`` to ``path``, whose suffix is the one of :func:`suffix_for`."""
    if path.suffix == ".png":
        import imagecodecs

        data = bytes(imagecodecs.png_encode(image, level=PNG_LEVEL))
    else:
        buffer = io.BytesIO()
        np.save(buffer, image, allow_pickle=False)
        data = buffer.getvalue()
    write_atomic(path, data)
