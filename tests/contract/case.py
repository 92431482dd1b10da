"""What a case of the contract is, and how its results are written down."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
Scene = dict[str, Image]
Items = dict[str, Any]
"""Results by name, as JSON has them; names that begin with ``LOCAL`` count in one environment only."""

LOCAL = "local "
TESTS = Path(__file__).resolve().parents[1]
SCENES, GOLDEN, WEIGHTS = TESTS / "scenes", TESTS / "golden", TESTS.parent / "weights"


class Case(NamedTuple):
    """Something that is done, in an empty directory, and what is observed of it."""

    name: str
    run: Callable[[Path], Items]


def local(items: Mapping[str, Any]) -> Items:
    """The same items, marked as those of one environment."""
    return {LOCAL + name: value for name, value in items.items()}


def digest(data: bytes) -> str:
    """Number of bytes, and the beginning of their SHA-256."""
    return f"{len(data)} {hashlib.sha256(data).hexdigest()[:20]}"


def array(image: Any) -> str:
    """Dtype, shape and digest of an array, or of a tensor, in the order of its values."""
    own = np.ascontiguousarray(image)
    return f"{own.dtype.str} {'×'.join(map(str, np.shape(image)))} {digest(own.tobytes())}"


def form(image: Any) -> str:
    """Dtype and shape."""
    return array(image).rpartition(" ")[0].rpartition(" ")[0]


def arrays(scene: Mapping[str, Any]) -> dict[str, str]:
    """Digests by task, in order of the tasks; what is no array is told as it is."""
    return {name: array(i) if hasattr(i, "shape") else str(i) for name, i in scene.items()}


HOLD_TIMES = {".mtcodec-state.jsonl", "state"}  # files beside those of encode; directories of archives


def same(one: Image, other: Image) -> bool:
    """Are dtype, shape and all bits the same?"""
    return array(one) == array(other)


def files(directory: Path) -> list[str]:
    """Paths of all files below a directory, sorted, but for those that hold times of images."""
    paths = (p.relative_to(directory) for p in directory.rglob("*") if p.is_file())
    return sorted(path.as_posix() for path in paths if not HOLD_TIMES.intersection(path.parts))


def digests(directory: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """Digests of the files below a directory, by path."""
    chosen = files(directory) if names is None else names
    return {name: digest((directory / name).read_bytes()) for name in chosen}
