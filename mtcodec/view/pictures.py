"""Pixels as pictures of a page: made smaller, holes hatched, encoded as data URIs."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtcodec.signals.mapping import Array, Valid
from mtcodec.view.colours import Bytes, Floats

STRIPE = 4  # pixels of a stripe
DARK, LIGHT = 108, 150  # gray levels of stripes, to be seen on white and on black
NOISE = 70  # quality of maps of errors, whose noise costs most bytes
LOSSLESS = 1 << 18  # pixels up to which the only scene's colours are kept exactly


@dataclass(frozen=True)
class Picture:
    """An image of the page.

    Attributes:
        uri: its bytes, as a data URI.
        width, height: in pixels of the page.
    """

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Sizing:
    """How large pictures may be, which depends on how many there are.

    Attributes:
        side: pixels of the longer side; larger images are made smaller.
        quality: of JPEG.
        lossless: colours of images of so many pixels are kept; maps of others, if there are any.
    """

    side: int
    quality: int
    lossless: int = 0

    def keeps(self, height: int, width: int) -> bool:
        """Do pictures of an image keep its pixels?"""
        return self.shape(height, width) == (height, width) and height * width <= self.lossless

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the picture of an image."""
        scale = min(1.0, self.side / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))


def sizing(scenes: int) -> Sizing:
    """For a page of so many scenes."""
    if scenes == 1:
        return Sizing(1024, 95, LOSSLESS)
    return Sizing(768 if scenes <= 10 else 512 if scenes <= 40 else 384, 85)


def nearest(image: Array, shape: tuple[int, int]) -> Array:
    """``image`` with as many rows and columns, of its own pixels."""
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.intp)
        for new, old in zip(shape, image.shape)
    )
    picked: Array = image[rows[:, None], columns]
    return picked


def smaller(values: Floats, shape: tuple[int, int]) -> Floats:
    """Means of values, (H, W) or (H, W, C), over the pixels of a smaller picture."""
    from PIL import Image

    if values.shape[:2] == shape:
        return values
    planes = np.moveaxis(np.atleast_3d(values).astype(np.float32), -1, 0)
    size = (shape[1], shape[0])
    means = [np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX)) for plane in planes]
    result: npt.NDArray[np.float32] = np.stack(means, axis=-1)
    return result if values.ndim == 3 else result[..., 0]


def hatched(colours: Bytes, valid: Valid | None) -> Bytes:
    """Colours (h, w, 3) with stripes where the image, of ``valid`` (H, W), has holes."""
    if valid is None:
        return colours
    height, width = colours.shape[:2]
    holes = ~nearest(valid, (height, width)).astype(bool)
    stripes = (np.arange(height)[:, None] + np.arange(width)) // STRIPE % 2
    grays = np.where(stripes, LIGHT, DARK).astype(np.uint8)
    return np.where(holes[..., None], grays[..., None], colours)


def encoded(colours: Bytes, quality: int) -> Picture:
    """Colours (h, w, 3) as WebP that keeps them (quality 0), or as JPEG with all of its colours' samples."""
    import imagecodecs

    colours = np.ascontiguousarray(colours)
    if quality:
        data = imagecodecs.jpeg8_encode(colours, level=quality, subsampling="444", optimize=True)
    else:
        data = imagecodecs.webp_encode(colours, level=60, lossless=True, method=4)
    text = base64.b64encode(data).decode("ascii")
    kind = "jpeg" if quality else "webp"
    return Picture(f"data:image/{kind};base64,{text}", colours.shape[1], colours.shape[0])
