"""The images of HDF5 files: plain arrays of numbers, as in Hypersim and BlenderProc (``mtcodec[hdf5]``).

HDF5 files can refer to other files, and declare far more than they hold. What does so is refused before
anything is read.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mtcodec import extras
from mtcodec.files.formats import arrays
from mtcodec.files.formats.arrays import StoredArray
from mtcodec.files.formats.base import MAX_ARRAY_BYTES, ImageFormat, Meaning, Shape, array_shape, check_size
from mtcodec.files.notes import Note, ignore
from mtcodec.files.sources import ImageSource, Layer, UnreadableImage, printable
from mtcodec.signals.mapping import Array

IMAGE_NAME = "dataset"  # what an image is called that lies beside others


def _read(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    with _open(source) as file:
        image: Array = np.asarray(_chosen(file, source, note)[()])
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def _read_shape(source: ImageSource) -> Shape:
    with _open(source) as file:
        dataset = _chosen(file, source, ignore)
        return array_shape(dataset.shape, dataset.dtype.name)


def _layers(source: ImageSource, note: Note) -> list[Layer]:
    with _open(source) as file:
        if IMAGE_NAME in file:
            return [
                Layer(source, "array", IMAGE_NAME, IMAGE_NAME, 1, is_float=file[IMAGE_NAME].dtype.kind == "f")
            ]
        return arrays.layers_among(source, _stored_arrays(file), note)


@contextmanager
def _open(source: ImageSource) -> Iterator[Any]:
    """The file of h5py; no value is read yet.

    Raises:
        DependencyError: h5py is not installed.
    """
    h5py = extras.load("h5py", "an HDF5 file", "hdf5")
    file = source.source if isinstance(source, Layer) else source
    with h5py.File(file if isinstance(file, Path) else io.BytesIO(file.read_bytes()), "r") as opened:
        yield opened


def _chosen(file: Any, source: ImageSource, note: Note) -> Any:
    """The dataset that ``source`` stands for: the only image of the file, or what is called ``dataset``.

    Raises:
        UnreadableImage, OSError: anything else than one plain array.
    """
    if isinstance(source, Layer):
        path = str(source.place)
    elif IMAGE_NAME in file:
        path = IMAGE_NAME
    else:
        path = str(arrays.only_image(_stored_arrays(file), note).place)
    _check_is_no_link(file, path)
    _check_is_image(file[path])
    return file[path]


def _stored_arrays(file: Any) -> list[StoredArray]:
    """All datasets, in groups too, sorted by name. Links to other places are an error."""
    stored: list[StoredArray] = []
    groups, count = [""], 0  # groups that are still to be looked into
    while groups:
        prefix = groups.pop()
        for name in file[prefix or "/"]:
            path = f"{prefix}/{name}".lstrip("/")
            count += 1
            if count > arrays.MAX_NAMES:
                raise UnreadableImage(f"it holds more than {arrays.MAX_NAMES} datasets and groups")
            _check_is_no_link(file, path)
            item = file[path]
            if hasattr(item, "keys"):
                groups.append(path)
            elif hasattr(item, "shape"):
                stored_bytes = int(item.id.get_storage_size())
                stored.append(StoredArray(printable(path), path, item.shape or (), item.dtype, stored_bytes))
    return sorted(stored, key=lambda array: array.name)


def _check_is_no_link(file: Any, path: str) -> None:
    """Raise UnreadableImage if ``path`` ends in a link."""
    if type(file.get(path, getlink=True)).__name__ != "HardLink":
        raise UnreadableImage(f"{printable(path)} is a link, which may lead to another file")


def _check_is_image(dataset: Any) -> None:
    """Raise UnreadableImage unless it is a plain array of bounded size whose values lie in the file."""
    if not hasattr(dataset, "dtype") or dataset.dtype.kind not in "biuf" or dataset.dtype.hasobject:
        raise UnreadableImage("not an array of numbers")
    if dataset.external or dataset.is_virtual:
        raise UnreadableImage("its values lie in other files")
    if dataset.shape is None or len(dataset.shape) not in (2, 3):
        raise UnreadableImage(f"not an image: an array of shape {dataset.shape}")
    check_size(*sorted(dataset.shape)[-2:])
    chunk_bytes = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if max(chunk_bytes, math.prod(dataset.shape) * dataset.dtype.itemsize) > MAX_ARRAY_BYTES:
        raise UnreadableImage(f"an array of shape {dataset.shape} is too large")


FORMAT = ImageFormat(
    "HDF5", (".hdf5", ".h5"), (b"\x89HDF",), _read, _read_shape, layers=_layers, has_axes=lambda source: False
)
