"""One image file to an array and back: nothing is changed or dropped without a note."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from mtcodec.errors import MtcodecError, SceneError
from mtcodec.files import exr
from mtcodec.files.notes import Note, ignore
from mtcodec.files.output import write_atomic
from mtcodec.files.readers import ALPHA, READERS, SUFFIXES
from mtcodec.files.sources import ImageSource, MissingSource
from mtcodec.signals.mapping import Array
from mtcodec.tasks import DTYPES, Task
from mtcodec.tasks.task import MAX_CHANNELS

PNG_LEVEL = 4  # a quarter of the time of the usual 6, for files 0.5 (depth) to 8 % (rgb) larger
FLAT = 0.8  # labels have at least this share of pixels that are equal to their left neighbours
WHOLE = ("uint16", "int32")  # dtypes of labels that are stored as floats
JPEGS = (".jpg", ".jpeg")


def read_image(path: Path, task: Task | None = None, note: Note = ignore) -> Array:
    """Read ``path`` as an image of ``task`` (None: nobody declared it), in the file's dtype.

    Returns:
        (H, W) for one channel, else (H, W, C). A single plane that is stored as three equal channels becomes
        one for a task of one channel. Alpha is left out; :func:`read_with_alpha` gives it.

    Raises:
        SceneError: unreadable, or not an image; ``path`` tells which file.
    """
    name = task.name if task else path.stem
    image, alpha = read_with_alpha(path, name, task, note)
    if alpha is not None:
        note(f"{name}: its alpha is left out")
    return image


def read_with_alpha(
    path: ImageSource, name: str, task: Task | None, note: Note
) -> tuple[Array, Array | None]:
    """An image as :func:`read_image` gives it, and its alpha, (H, W); None where all is opaque.

    ``name`` is what notes call the image. A task that declares two or four channels has no alpha. MissingSource is
    raised where the source holds nothing.
    """
    numbers = task is None or task.exact
    try:
        suffix = path.suffix.lower()
        if suffix not in READERS:
            raise ValueError(f"not an image of a known format ({', '.join(SUFFIXES)})")
        image = READERS[suffix](path, numbers, lambda line: note(f"{name}: {line}"))
    except MissingSource:
        raise
    except MtcodecError as error:
        raise error.at(path=path) from None
    except Exception as error:  # readers raise whatever their libraries do
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise SceneError(f"cannot read it: {reason}", path=path) from error
    image, alpha = _split(_checked(path, image), task, suffix in ALPHA and exr.has_alpha(path))
    if alpha is not None and (alpha == _opaque(alpha)).all():
        note(f"{name}: its alpha says that all is opaque, and is dropped")
        alpha = None
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if (
        task is not None
        and task.channels == 1
        and image.shape[2:] == (3,)
        and (image[..., :1] == image).all()
    ):
        image = image[..., 0]
    if task is not None and task.kind.name == "categories":
        image = _whole(image, lambda line: note(f"{name}: {line}"))
    if suffix in JPEGS and numbers and (task is not None or _looks_like_labels(image)):
        note(f"{name}: a JPEG file, which changes labels where they meet; PNG keeps them")
    return np.ascontiguousarray(image), alpha


def _checked(path: ImageSource, image: Array) -> Array:
    """``image``; SceneError unless it can be one of any task."""
    if image.ndim not in (2, 3):
        raise SceneError(f"not an image: an array of shape {image.shape}", path=path)
    if image.size == 0:
        raise SceneError(f"an image of {image.shape[1]}×{image.shape[0]} pixels", path=path)
    if image.ndim == 3 and image.shape[2] > MAX_CHANNELS:
        raise SceneError(f"{image.shape[2]} channels are more than {MAX_CHANNELS}", path=path)
    if image.dtype.name not in DTYPES:
        raise SceneError(f"values of type {image.dtype} (known: {', '.join(DTYPES)})", path=path)
    return image


def _split(image: Array, task: Task | None, has_alpha: bool) -> tuple[Array, Array | None]:
    """Colours and alpha of an image. ``has_alpha``: the file's format has a place for it."""
    channels = image.shape[2] if image.ndim == 3 else 1
    if task is None and not has_alpha:
        return image, None
    if channels not in (2, 4) or (task is not None and task.channels == channels):
        return image, None
    return image[..., :-1], np.ascontiguousarray(image[..., -1])


def _whole(image: Array, note: Note) -> Array:
    """Labels as integers, which renderers may store as floats; other floats stay."""
    if image.dtype.kind != "f" or not (np.isfinite(image).all() and (image == np.rint(image)).all()):
        return image
    low, high = float(image.min()), float(image.max())
    fitting = (d for d in WHOLE if np.iinfo(d).min <= low and high <= np.iinfo(d).max)
    dtype = next(fitting, None)
    if dtype is None:
        return image
    note(f"its whole numbers are kept as {dtype}, not as {image.dtype}")
    return image.astype(dtype)


def _opaque(alpha: Array) -> int | float:
    return 1.0 if alpha.dtype.kind in "fb" else int(np.iinfo(alpha.dtype.name).max)


def _looks_like_labels(image: Array) -> bool:
    """Are neighbours equal nearly everywhere? Photographs and renders have noise or shading."""
    pixels = image[..., None] if image.ndim == 2 else image
    equal = (pixels[:, 1:] == pixels[:, :-1]).all(axis=-1)
    return equal.size > 0 and bool(equal.mean() >= FLAT)


def suffix_for(image: Array) -> str:
    """``.png`` for what PNG can hold (8 and 16 bits without sign, 1 to 4 channels), else ``.npy``."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    return ".png" if image.dtype.name in ("uint8", "uint16") and channels <= 4 else ".npy"


def write_image(path: Path, image: Array) -> None:
    """Write ``image``, of any dtype, to ``path``; its suffix is ``.npy``, or that of :func:`suffix_for`.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomic(path, image_bytes(image, path.suffix))


def image_bytes(image: Array, suffix: str) -> bytes:
    """A file of ``image`` with this suffix, ``.png`` or ``.npy`` (:func:`suffix_for`)."""
    if suffix == ".png":
        import imagecodecs

        return bytes(imagecodecs.png_encode(np.ascontiguousarray(image), level=PNG_LEVEL))
    buffer = io.BytesIO()
    np.save(buffer, image, allow_pickle=False)
    return buffer.getvalue()
