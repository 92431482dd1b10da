"""One image file to an array and back: nothing is changed or dropped without a note."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from mtcodec.errors import OutputError, SceneError
from mtcodec.files.formats import format_of, reader_errors
from mtcodec.files.formats.base import Meaning
from mtcodec.files.marks import mark_png, marked_npy
from mtcodec.files.notes import Note, ignore, without_repeats
from mtcodec.files.output import write_atomic
from mtcodec.files.sources import ImageSource
from mtcodec.messages import Loss
from mtcodec.signals import axes
from mtcodec.signals.mapping import Array
from mtcodec.tasks import DTYPES, Task
from mtcodec.tasks.task import MAX_CHANNELS

PNG_LEVEL = 4  # a quarter of the time of the usual 6, for files 0.5 (depth) to 8 % (rgb) larger
MAX_PNG_SIDE = 1_000_000  # pixels; libpng writes and reads no more
MIN_EQUAL_NEIGHBORS = 0.8  # labels have at least this share of pixels that are equal to their left neighbours
LABEL_DTYPES = ("uint16", "int32")  # of labels that are stored as floats, the first that holds them


class AmbiguousAxes(SceneError):
    """The channels of an array may be first or last."""


def read_with_alpha(
    source: ImageSource,
    name: str,
    task: Task | None = None,
    note: Note = ignore,
    sizes: Collection[tuple[int, ...]] | None = (),
) -> tuple[Array, Array | None]:
    """Read an image of ``task`` (None: nobody declared it) and its alpha, in the dtype of the file.

    A single plane that is stored as three equal channels becomes one for a task of one channel. A task that
    declares two or four channels has no alpha.

    Args:
        name: what notes call the image.
        note: takes a line about what is changed or dropped.
        sizes: heights and widths of the scene's other images, which tell where the channels of an array are
            that may be first or last; they are taken for last, with a line, where these do not tell. None:
            they are not known yet.

    Returns:
        The image, (H, W) for one channel, else (H, W, C); its alpha, (H, W), or None where all is opaque.

    Raises:
        SceneError: unreadable, or not an image; ``path`` tells which. AmbiguousAxes: see ``sizes``.
        DependencyError: it needs h5py.
        MissingSource: the source holds nothing.
    """
    note = without_repeats(note, f"{name}: ")
    meaning = _meaning(task)
    with reader_errors(source, "cannot read it"):
        image_format = format_of(source)
        pixels = image_format.read(source, meaning, note)
        if not image_format.has_axes(source):
            pixels = channels_last(pixels, task, sizes, note)
    _check(source, pixels)
    image, alpha = _split_alpha(pixels, task, image_format.may_have_alpha(source))
    if alpha is not None and (alpha == _largest(alpha)).all():
        note("its alpha says that all is opaque, and is dropped")
        alpha = None
    image = _as_declared(image, task, note)
    if (
        meaning is Meaning.NUMBERS
        and (task is not None or _looks_like_labels(image))
        and image_format.is_lossy(source)
    ):
        note(Loss(f"a {image_format.name} file, which changes labels where they meet; PNG keeps them"))
    return np.ascontiguousarray(image), alpha


def _meaning(task: Task | None) -> Meaning:
    """What pixels of a task are; None: nobody declared it."""
    if task is None or task.exact:
        return Meaning.NUMBERS
    return Meaning.AMOUNTS if task.kind.scene_range else Meaning.COLORS


def channels_last(
    pixels: Array, task: Task | None, sizes: Collection[tuple[int, ...]] | None, note: Note
) -> Array:
    """An array as an image; AmbiguousAxes where its channels may be first or last, and ``sizes`` is None."""
    layouts = axes.possible_layouts(pixels.shape, task or axes.UNDECLARED)
    layouts = [each for each in layouts if axes.size_in(pixels.shape, each) in (sizes or ())] or layouts
    if len(layouts) > 1:
        if sizes is None:
            raise AmbiguousAxes(axes.question(pixels.shape))
        note(Loss(f"{axes.question(pixels.shape)}: taken for last"))
    if layouts == [axes.FIRST] and len(pixels) > 1:
        note(f"its channels, which are stored first in {pixels.shape}, are put last")
    return axes.channels_last(pixels, layouts[0])


def _check(source: ImageSource, image: Array) -> None:
    """Raise SceneError unless it can be an image of any task."""
    if image.ndim not in (2, 3):
        raise SceneError(f"not an image: an array of shape {image.shape}", path=source)
    if image.size == 0:
        raise SceneError(f"an image of {image.shape[1]}×{image.shape[0]} pixels", path=source)
    if image.ndim == 3 and image.shape[2] > MAX_CHANNELS:
        raise SceneError(f"{image.shape[2]} channels are more than {MAX_CHANNELS}", path=source)
    if image.dtype.name not in DTYPES:
        raise SceneError(f"values of type {image.dtype} (known: {', '.join(DTYPES)})", path=source)


def _split_alpha(pixels: Array, task: Task | None, may_have_alpha: bool) -> tuple[Array, Array | None]:
    """The image and its alpha. ``may_have_alpha``: the file's format has a place for it."""
    has_place = may_have_alpha if task is None else pixels.shape[2:] != (task.channels,)
    if has_place and pixels.shape[2:] in ((2,), (4,)):
        return pixels[..., :-1], np.ascontiguousarray(pixels[..., -1])
    return pixels, None


def _largest(alpha: Array) -> int:
    return 1 if alpha.dtype.kind in "fb" else int(np.iinfo(alpha.dtype.name).max)


def _as_declared(image: Array, task: Task | None, note: Note) -> Array:
    """``image`` without an axis of one channel, with the channels and dtype that ``task`` asks for."""
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if task is None:
        return image
    if task.channels == 1 and image.shape[2:] == (3,) and (image[..., :1] == image).all():
        image = image[..., 0]
    return _as_integers(image, note) if task.kind.name == "categories" else image


def _as_integers(labels: Array, note: Note) -> Array:
    """Labels as integers, which renderers may store as floats; those that are not whole numbers stay."""
    if labels.dtype.kind != "f" or not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        return labels
    low, high = float(labels.min()), float(labels.max())
    for dtype in LABEL_DTYPES:
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            note(f"its whole numbers are kept as {dtype}, not as {labels.dtype}")
            return labels.astype(dtype)
    return labels


def _looks_like_labels(image: Array) -> bool:
    """Are neighbours equal nearly everywhere? Photographs and renders have noise or shading."""
    pixels = np.atleast_3d(image)
    equal = (pixels[:, 1:] == pixels[:, :-1]).all(axis=-1)
    return equal.size > 0 and bool(equal.mean() >= MIN_EQUAL_NEIGHBORS)


def suffix_for(image: Array) -> str:
    """``.png`` for what PNG can hold, else ``.npy``.

    That is 8 and 16 bits without sign, 1 to 4 channels, and sides of at most MAX_PNG_SIDE.
    """
    if image.ndim < 2:  # numbers
        return ".npy"
    channels = 1 if image.ndim == 2 else image.shape[2]
    fits = channels <= 4 and max(image.shape[:2]) <= MAX_PNG_SIDE
    return ".png" if fits and image.dtype.name in ("uint8", "uint16") else ".npy"


def write_image(path: Path, image: Array) -> None:
    """Write ``image``, of any dtype, to ``path``; its suffix is ``.npy``, or that of :func:`suffix_for`.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        data = image_bytes(image, path.suffix)
    except OutputError as error:
        raise error.at(path=path) from None
    write_atomic(path, data)


def image_bytes(image: Array, suffix: str) -> bytes:
    """A file of ``image`` with this suffix, ``.png`` or ``.npy`` (:func:`suffix_for`), marked as ours.

    Raises:
        OutputError: the library of the format refuses it.
    """
    if suffix != ".png":
        return marked_npy(image)
    import imagecodecs

    plain = image.copy(order="C")  # views of one column have strides that imagecodecs refuses
    try:
        return mark_png(bytes(imagecodecs.png_encode(plain, level=PNG_LEVEL)))
    except Exception as error:  # libpng's errors are of no type that we know
        raise OutputError(f"cannot write it as PNG: {error}") from error
