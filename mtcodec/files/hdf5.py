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
from mtcodec.files.notes import some
from mtcodec.files.sources import ImageSource
from mtcodec.signals.mapping import Array

USUAL = "dataset"  # what an image is called that lies beside others
MAX_BYTES = 1 << 31  # of an image, and of one of its chunks
MAX_NAMES = 1000  # of datasets and groups that are looked at


def read(source: ImageSource) -> Array:
    """The array of a file that has one, or that which is called ``dataset``.

    Raises:
        DependencyError: h5py is not installed. ValueError, OSError: anything else than one plain array.
    """
    with found(source) as dataset:
        image: Array = np.asarray(dataset[()])
    return image.astype(image.dtype.newbyteorder("="), copy=False)


@contextmanager
def found(source: ImageSource) -> Iterator[Any]:
    """The dataset of h5py that holds the array; no value is read yet. Raises what :func:`read` does."""
    h5py = extras.load("h5py", "an HDF5 file", "hdf5")
    place = source if isinstance(source, Path) else io.BytesIO(source.read_bytes())
    with h5py.File(place, "r") as file:
        names = [USUAL] if USUAL in file else _datasets(h5py, file)
        if len(names) != 1:
            held = f"several datasets ({some(names)})" if names else "no dataset"
            raise ValueError(f"it holds {held}; an image is one, or called {USUAL!r}")
        _check_link(h5py, file, names[0])
        dataset = file[names[0]]
        _check(h5py, dataset)
        yield dataset


def _datasets(h5py: Any, file: Any) -> list[str]:
    """Names of all datasets, in groups too; links to other places are not followed."""
    found, groups, seen = list[str](), [""], 0
    while groups:
        prefix = groups.pop()
        group = file[prefix] if prefix else file
        for name in group:
            path, seen = f"{prefix}/{name}" if prefix else name, seen + 1
            if seen > MAX_NAMES:
                raise ValueError(f"it holds more than {MAX_NAMES} datasets and groups")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{path} is a link, which may lead to another file")
            kind = group.get(name, getclass=True)
            if kind is h5py.Group:
                groups.append(path)
            elif kind is h5py.Dataset:
                found.append(path)
    return sorted(found)


def _check_link(h5py: Any, file: Any, name: str) -> None:
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link, which may lead to another file")


def _check(h5py: Any, dataset: Any) -> None:
    """Raise ValueError unless it is a plain array of bounded size whose values lie in the file."""
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "biuf" or dataset.dtype.hasobject:
        raise ValueError("not an array of numbers")
    if dataset.external or dataset.is_virtual:
        raise ValueError("its values lie in other files")
    if dataset.shape is None or len(dataset.shape) not in (2, 3):
        raise ValueError(f"not an image: an array of shape {dataset.shape}")
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if max(chunk, math.prod(dataset.shape) * dataset.dtype.itemsize) > MAX_BYTES:
        raise ValueError(f"an array of shape {dataset.shape} is too large")
