"""Numbers by frame, poses, actions, readings of an IMU: files of a row for each frame of a sequence."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from mtcodec.errors import SceneError
from mtcodec.files.formats import reader_errors
from mtcodec.files.formats.usual import read_npy_header
from mtcodec.files.notes import Note
from mtcodec.files.number_texts import read_table
from mtcodec.files.sources import UnreadableImage
from mtcodec.files.trees.naming import MAX_NAME_LENGTH, clean_name
from mtcodec.messages import warn_of_loss
from mtcodec.signals.mapping import Array
from mtcodec.tasks import DTYPES

SUFFIXES = (".npy", ".npz", ".csv", ".txt")
MAX_BYTES = 1 << 30
MAX_DIMENSIONS = 3  # of an array: frames, and two more


def read_numbers(path: Path, frames: int, tell: Note = warn_of_loss) -> tuple[str, Array]:
    """Read an array with a row for each frame.

    Args:
        path: ``.npy``, ``.npz`` with one array, or a table of text, ``.csv`` or ``.txt``: columns between
            commas, tabs or spaces, a line of names before them or none, ``#`` before comments.
        frames: how many the sequence has.
        tell: takes lines about names of columns, which are left out, and about a name that is changed. By
            default losses are warnings of Python.

    Returns:
        A task's name, made of the file's; the array, of shape (frames,) or with one or two more axes. Arrays
        keep their dtype; of tables whole numbers are int64, others float64.

    Raises:
        SceneError: unreadable, no such array or name, not as many rows as frames, or whole numbers that no
            int64 or float64 holds exactly. Nothing is unpickled.
    """
    name = _name_of(path, tell)
    with reader_errors(path, "cannot read it"):
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableImage(f"it has more than {MAX_BYTES} bytes")
        array = _read(path, tell)
        _check(array)
    if len(array) != frames:
        rows, needed = _counted(len(array), "row"), _counted(frames, "frame")
        raise SceneError(f"it has {rows}, but the sequence {needed}: a row for each is needed", path=path)
    return name, array


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _name_of(path: Path, tell: Note) -> str:
    """The name that the numbers have, of the file's."""
    name = clean_name(path.stem)
    if len(path.stem) > MAX_NAME_LENGTH or not name.strip("_"):
        reason = (
            f"its name cannot be that of a task: at most {MAX_NAME_LENGTH} letters a to z, digits and _, "
            "with a letter or digit among them (rename the file)"
        )
        raise SceneError(reason, path=path)
    if name != path.stem:
        tell(f"{path}: its numbers are called {name}, as a task's name must be")
    return name


def _read(path: Path, tell: Note) -> Array:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _array(path.read_bytes())
    if suffix == ".npz":
        return _array(_only_member(path))
    if suffix not in SUFFIXES:
        raise UnreadableImage(f"numbers by frame are read from {', '.join(SUFFIXES)}")
    return read_table(path.read_bytes(), lambda line: tell(type(line)(f"{path}: {line}")))


def _only_member(path: Path) -> bytes:
    """The array of a ``.npz`` file that holds one."""
    with zipfile.ZipFile(path) as file:
        members = [info for info in file.infolist() if not info.is_dir()]
        if len(members) != 1:
            names = ", ".join(ascii(info.filename.removesuffix(".npy"))[1:-1] for info in members[:9])
            raise UnreadableImage(f"it holds {len(members)} arrays, not one: {names}")
        if members[0].file_size > MAX_BYTES:
            raise UnreadableImage(f"its array has more than {MAX_BYTES} bytes")
        return file.read(members[0])


def _array(data: bytes) -> Array:
    """The array of a ``.npy`` file, in the byte order of this machine."""
    file = io.BytesIO(data)
    shape, dtype = read_npy_header(file)
    if dtype.hasobject:
        raise UnreadableImage("it holds Python objects, not numbers")
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise UnreadableImage("it has not as many numbers as it declares")
    file.seek(0)
    array: Array = npy_format.read_array(file, allow_pickle=False)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(shape)


def _check(array: Array) -> None:
    """Raise UnreadableImage for what is no array of rows of numbers."""
    if array.dtype.name not in DTYPES:
        raise UnreadableImage(f"its values are of type {array.dtype} (known: {', '.join(DTYPES)})")
    if not 1 <= array.ndim <= MAX_DIMENSIONS or array.size == 0:
        raise UnreadableImage(f"an array of shape {array.shape} has no rows of numbers by frame")
