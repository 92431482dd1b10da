"""One image file to an array and back: PNG (8 and 16 bit), JPEG, TIFF, EXR and ``.npy``."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np

from mtcodec.errors import SceneError
from mtcodec.signal.mapping import Array
from mtcodec.tasks.task import Task

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".npy")


def _read_png(path: Path) -> Array:
    import imagecodecs  # reads 16-bit colour, which Pillow would cut to 8 bits

    image: Array = imagecodecs.png_decode(path.read_bytes())
    return image


def _has_palette(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(26)[25:] == b"\3"  # the colour type in a PNG's header


def _read_indexes(path: Path) -> Array:
    from PIL import Image  # imagecodecs gives the palette's colours

    with Image.open(path) as image:
        return np.asarray(image)


def _read_exr(path: Path) -> Array:
    import OpenEXR

    # OpenEXR prints a warning for damaged pixels, then holds no part
    with contextlib.redirect_stdout(io.StringIO()), OpenEXR.File(str(path)) as file:
        if not file.parts:
            raise ValueError("damaged pixel data")
        channels = file.channels()
        if len(channels) == 1:
            image: Array = next(iter(channels.values())).pixels
        elif {"R", "G", "B"} <= set(channels):
            image = np.stack([channels[c].pixels for c in "RGB"], axis=-1)
        else:
            raise ValueError(f"channels {', '.join(channels)}")
    return image.astype(np.float32)


def _read_array(path: Path) -> Array:
    with path.open("rb") as file:
        image: Array = np.lib.format.read_array(file, allow_pickle=False)
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def _read_other(path: Path) -> Array:
    import imageio.v3 as iio

    # named, as imageio would else try all its plugins and report the last one's trouble
    plugin = "tifffile" if path.suffix.lower().startswith(".tif") else "pillow"
    return np.asarray(iio.imread(path, plugin=plugin))


_READERS = {".png": _read_png, ".exr": _read_exr, ".npy": _read_array}


def read_image(path: Path, task: Task) -> Array:
    """Read ``path`` as an image of ``task``, in the file's dtype; one channel gives (H, W).

    A single plane stored as three equal channels is accepted for a task of one channel. Class ids
    of a PNG with a palette are its indexes.

    Raises:
        SceneError: unreadable, or not what the task declares; the message names the file.
    """
    try:
        read = _READERS.get(path.suffix.lower(), _read_other)
        if read is _read_png and task.lossless and _has_palette(path):
            read = _read_indexes
        image = read(path)
    except Exception as error:  # readers raise whatever their libraries do
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise SceneError(f"{path}: cannot read it: {reason}") from error
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if task.channels == 1 and image.shape[2:] == (3,) and (image[..., :1] == image).all():
        image = image[..., 0]
    return np.ascontiguousarray(image)
