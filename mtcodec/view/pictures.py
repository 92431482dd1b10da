"""Pixels as pictures of a page: made smaller, holes hatched, encoded as data URIs."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np

from mtcodec.signals.mapping import Array, Valid
from mtcodec.view.colours import Floats, Rgb

STRIPE_PIXELS = 4  # width of a stripe over holes
DARK_STRIPE, LIGHT_STRIPE = 108, 150  # gray levels, to be seen on white and on black
MAX_LOSSLESS_PIXELS = 1 << 18  # up to which the colours of the only scene are kept exactly


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
    """How large pictures may be, which depends on how many scenes there are.

    Attributes:
        max_side: pixels of the longer side; larger images are made smaller.
        jpeg_quality: of photographs and the like, 1 to 100.
        lossless_pixels: colours of images of up to so many pixels are kept exactly. If it is not 0, colour
            maps of larger images are kept too, and maps of errors have the full size.
    """

    max_side: int
    jpeg_quality: int
    lossless_pixels: int = 0

    def keeps_pixels(self, height: int, width: int) -> bool:
        """Do pictures of an image of this size keep its pixels?"""
        return self.shape(height, width) == (height, width) and height * width <= self.lossless_pixels

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the picture of an image of this size."""
        scale = min(1.0, self.max_side / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))


def sizing_for(scene_count: int) -> Sizing:
    """The sizing of a page of so many scenes."""
    if scene_count == 1:
        return Sizing(1024, 95, MAX_LOSSLESS_PIXELS)
    return Sizing(768 if scene_count <= 10 else 512 if scene_count <= 40 else 384, 85)


def resize_nearest(image: Array, shape: tuple[int, int]) -> Array:
    """The image with ``shape`` rows and columns, each pixel one of its own."""
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.intp)
        for new, old in zip(shape, image.shape)
    )
    resized: Array = image[rows[:, None], columns]
    return resized


def resize_mean(values: Floats, shape: tuple[int, int]) -> Floats:
    """Means of values, (H, W) or (H, W, C), over the pixels of a smaller picture (h, w)."""
    from PIL import Image

    if values.shape[:2] == shape:
        return values
    planes = np.moveaxis(np.atleast_3d(values).astype(np.float32), -1, 0)
    size = (shape[1], shape[0])
    means = [np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX)) for plane in planes]
    result = np.stack(means, axis=-1)
    return result if values.ndim == 3 else result[..., 0]


def hatch_holes(rgb: Rgb, valid: Valid | None) -> Rgb:
    """Colours (h, w, 3) with stripes where the image, of ``valid`` (H, W), has holes."""
    if valid is None:
        return rgb
    height, width = rgb.shape[:2]
    holes = ~resize_nearest(valid, (height, width)).astype(bool)
    stripes = (np.arange(height)[:, None] + np.arange(width)) // STRIPE_PIXELS % 2
    grays = np.where(stripes, LIGHT_STRIPE, DARK_STRIPE).astype(np.uint8)
    return np.where(holes[..., None], grays[..., None], rgb)


def encode_picture(rgb: Rgb, jpeg_quality: int | None) -> Picture:
    """Colours (h, w, 3) as JPEG, its chroma not subsampled; without a quality as lossless WebP."""
    import imagecodecs

    rgb = np.ascontiguousarray(rgb)
    if jpeg_quality is not None:
        data = imagecodecs.jpeg8_encode(rgb, level=jpeg_quality, subsampling="444", optimize=True)
    else:
        data = imagecodecs.webp_encode(rgb, level=60, lossless=True, method=4)
    text = base64.b64encode(data).decode("ascii")
    media_type = "image/webp" if jpeg_quality is None else "image/jpeg"
    return Picture(f"data:{media_type};base64,{text}", rgb.shape[1], rgb.shape[0])
