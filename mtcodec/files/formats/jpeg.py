"""JPEG files: grey or RGB, turned as their EXIF data say."""

from __future__ import annotations

import io

import numpy as np

from mtcodec.files.formats.base import ImageFormat, Shape
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, open_source
from mtcodec.signals.mapping import Array

ORIENTATION = 0x0112  # a tag of EXIF; 1 is upright


def _read(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(source.read_bytes())) as file:
        if file.getexif().get(ORIENTATION, 1) != 1:
            note("it is turned as its EXIF data say")
        if file.mode not in ("L", "RGB"):
            note(f"its {file.mode} colours are converted to RGB")
        upright = ImageOps.exif_transpose(file)
        return np.asarray(upright if upright.mode == "L" else upright.convert("RGB"))


def _read_shape(source: ImageSource) -> Shape:
    from PIL import Image, ImageOps

    with open_source(source) as data, Image.open(data) as file:
        upright = ImageOps.exif_transpose(file) if file.getexif().get(ORIENTATION, 1) != 1 else file
        return Shape(upright.height, upright.width, 1 if file.mode == "L" else 3, "uint8")


FORMAT = ImageFormat((".jpg", ".jpeg"), (b"\xff\xd8\xff",), _read, _read_shape, lossy=True)
