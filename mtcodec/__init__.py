"""Multi-task image codec: one shared bitstream for a scene, and one for each of its tasks.

::

    codec = mtcodec.load("general")
    data = codec.encode(scene, quality=60)        # scene: {"rgb": array, "depth": array, …}
    depth = codec.decode(data, tasks=["depth"])["depth"]

Importing this package loads no torch; :func:`load` does.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mtcodec import errors
from mtcodec.errors import MtcodecError
from mtcodec.format import container
from mtcodec.format.info import summary
from mtcodec.tasks.task import Task, register

if TYPE_CHECKING:
    from pathlib import Path

    from mtcodec.archive.dataset import Archive
    from mtcodec.codec.codec import Codec

__version__ = "0.1.0"
__all__ = ["Archive", "MtcodecError", "Task", "errors", "extract", "info", "load", "register"]


def load(name: str | Path = "general", device: str = "auto") -> Codec:
    """The codec of the weights ``name`` (installed, or a path); see :func:`mtcodec.codec.codec.load`."""
    from mtcodec.codec import codec

    return codec.load(name, device)


def __getattr__(name: str) -> Any:
    if name == "Archive":  # needs torch
        from mtcodec.archive.dataset import Archive

        return Archive
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def info(data: bytes) -> dict[str, Any]:
    """What a file holds: size, quality, weights, bytes by section and by task; decodes nothing.

    Raises:
        FormatError: ``data`` is not a whole header, or has bytes after its last section.
    """
    return summary(container.Reader(io.BytesIO(data)))


def extract(data: bytes, tasks: Iterable[str]) -> bytes:
    """A file of ``tasks`` only, made of the same sections; decodes nothing."""
    return container.extract(container.Reader(io.BytesIO(data)), tasks)
