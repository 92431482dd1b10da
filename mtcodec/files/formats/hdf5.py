"""The image of an HDF5 file: one plain array of numbers, as in Hypersim (needs ``mtcodec[hdf5]``).

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
from mtcodec.files.formats.base import ImageFormat, Shape, array_shape, check_size
from mtcodec.files.notes import Note, list_names
from mtcodec.files.sources import ImageSource, UnreadableImage
from mtcodec.signals.mapping import Array

IMAGE_NAME = "dataset"  # what an image is called that lies beside others
MAX_BYTES = 1 << 31  # of an image, and of one of its chunks
MAX_NAMES = 1000  # of datasets and groups that are looked at


def _read(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    with _open_dataset(source) as dataset:
        image: Array = np.asarray(dataset[()])
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def _read_shape(source: ImageSource) -> Shape:
    with _open_dataset(source) as dataset:
        return array_shape(dataset.shape, dataset.dtype.name)


@contextmanager
def _open_dataset(source: ImageSource) -> Iterator[Any]:
    """The dataset of h5py that is the only one of the file, or called ``dataset``; no value is read yet.

    Raises:
        DependencyError: h5py is not installed. UnreadableImage, OSError: anything else than one plain array.
    """
    h5py = extras.load("h5py", "an HDF5 file", "hdf5")
    with h5py.File(source if isinstance(source, Path) else io.BytesIO(source.read_bytes()), "r") as file:
        names = [IMAGE_NAME] if IMAGE_NAME in file else _dataset_names(h5py, file)
        if len(names) != 1:
            contents = f"several datasets ({list_names(names)})" if names else "no dataset"
            raise UnreadableImage(f"it holds {contents}; an image is one, or called {IMAGE_NAME!r}")
        _check_is_no_link(h5py, file, names[0])
        dataset = file[names[0]]
        _check_is_image(h5py, dataset)
        yield dataset


def _dataset_names(h5py: Any, file: Any) -> list[str]:
    """Names of all datasets, in groups too, sorted. Links to other places are an error."""
    datasets: list[str] = []
    groups, count = [""], 0  # groups that are still to be looked into
    while groups:
        prefix = groups.pop()
        for name in file[prefix or "/"]:
            path = f"{prefix}/{name}".lstrip("/")
            count += 1
            if count > MAX_NAMES:
                raise UnreadableImage(f"it holds more than {MAX_NAMES} datasets and groups")
            _check_is_no_link(h5py, file, path)
            item_class = file.get(path, getclass=True)
            if item_class is h5py.Group:
                groups.append(path)
            elif item_class is h5py.Dataset:
                datasets.append(path)
    return sorted(datasets)


def _check_is_no_link(h5py: Any, file: Any, path: str) -> None:
    """Raise UnreadableImage if ``path`` ends in a link."""
    if not isinstance(file.get(path, getlink=True), h5py.HardLink):
        raise UnreadableImage(f"{path} is a link, which may lead to another file")


def _check_is_image(h5py: Any, dataset: Any) -> None:
    """Raise UnreadableImage unless it is a plain array of bounded size whose values lie in the file."""
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "biuf" or dataset.dtype.hasobject:
        raise UnreadableImage("not an array of numbers")
    if dataset.external or dataset.is_virtual:
        raise UnreadableImage("its values lie in other files")
    if dataset.shape is None or len(dataset.shape) not in (2, 3):
        raise UnreadableImage(f"not an image: an array of shape {dataset.shape}")
    check_size(*dataset.shape[:2])
    chunk_bytes = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if max(chunk_bytes, math.prod(dataset.shape) * dataset.dtype.itemsize) > MAX_BYTES:
        raise UnreadableImage(f"an array of shape {dataset.shape} is too large")


FORMAT = ImageFormat("HDF5", (".hdf5", ".h5"), (b"\x89HDF",), _read, _read_shape)
