"""Formats of image files, each with readers of pixels and of headers side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtcodec.errors import MtcodecError, SceneError
from mtcodec.files.formats import avif, exr, hdf5, jpeg2000, jpegxl, npz, pillow, pnm, tiff, usual
from mtcodec.files.formats.base import ImageFormat, Shape
from mtcodec.files.notes import Note, ignore
from mtcodec.files.sources import ImageSource, Layer, MissingSource, UnreadableImage

FORMATS = (
    usual.PNG, pillow.JPEG, tiff.FORMAT, exr.FORMAT, usual.NPY, npz.FORMAT, hdf5.FORMAT,
    pnm.PNM, pnm.PFM, pillow.WEBP, pillow.BMP, pillow.GIF,
    avif.FORMAT, jpegxl.FORMAT, jpeg2000.FORMAT,
)  # fmt: skip
_BY_SUFFIX = {suffix: image_format for image_format in FORMATS for suffix in image_format.suffixes}
SUFFIXES = tuple(_BY_SUFFIX)
LAYERED_SUFFIXES = tuple(suffix for suffix, known in _BY_SUFFIX.items() if known.layers is not None)


def format_of(source: ImageSource) -> ImageFormat:
    """The format of a source, by its suffix.

    Raises:
        UnreadableImage: an unknown one. MissingSource: there is nothing whose format could be told.
    """
    image_format = _BY_SUFFIX.get(source.suffix.lower())
    if image_format is None:
        raise UnreadableImage(f"not an image of a known format ({', '.join(SUFFIXES)})")
    return image_format


def suffix_of_bytes(data: bytes) -> str:
    """The usual suffix of the format that ``data`` begins like; empty where it is unknown."""
    return next((known.suffixes[0] for known in FORMATS if data.startswith(known.magics)), "")


def shape_of(source: ImageSource) -> Shape:
    """What the header of an image file tells of it as it is stored; but for EXR, no pixel is read.

    Raises:
        SceneError: unreadable, or not an image. DependencyError: it needs h5py. MissingSource: there is none.
    """
    with reader_errors(source, "cannot read its header"):
        return _BY_SUFFIX[source.suffix.lower()].read_shape(source)


def orientation_of(source: ImageSource) -> int:
    """The mark of orientation of an image file, 1 (upright) to 8; no pixel is read.

    Raises:
        SceneError: unreadable, or not an image. MissingSource: there is none.
    """
    with reader_errors(source, "cannot read its header"):
        return format_of(source).read_orientation(source)


def layers_of(source: ImageSource, note: Note = ignore) -> list[Layer]:
    """The images of a file with a suffix of LAYERED_SUFFIXES, from its headers: several, one or none.

    Args:
        note: takes lines about what is left out of files of several; of others, reading tells.

    Raises:
        SceneError: unreadable. DependencyError: it needs h5py.
    """
    lines: list[str] = []
    read_layers = _BY_SUFFIX[source.suffix.lower()].layers
    with reader_errors(source, "cannot read it"):
        layers = read_layers(source, lines.append) if read_layers is not None else []
    for line in lines if len(layers) > 1 else ():
        note(line)
    return layers


@contextmanager
def reader_errors(source: ImageSource, failure: str) -> Iterator[None]:
    """Whatever readers raise within is a SceneError of ``source``, in one line that begins with ``failure``.

    MissingSource passes, and so do errors of this package, which learn of ``source``. The words of libraries
    stay with the cause.
    """
    try:
        yield
    except MissingSource:
        raise
    except MtcodecError as error:
        raise error.at(path=source) from None
    except Exception as error:  # readers raise whatever their libraries do
        raise SceneError(f"{failure}: {_reason(source, error)}", path=source) from error


def _reason(source: ImageSource, error: Exception) -> str:
    """What is wrong, in our words or the system's."""
    if isinstance(error, UnreadableImage):
        return str(error)
    if isinstance(source, Path) and source.is_file() and not source.stat().st_size:
        return "it is empty"
    if isinstance(error, OSError) and error.errno and error.filename is not None:
        return os.strerror(error.errno)
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    return "it is damaged, cut off, or of another format than its name says"
