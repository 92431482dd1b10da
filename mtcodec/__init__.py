"""Multi-task image codec: one shared bitstream for a scene, and one for each of its tasks.

::

    data = mtcodec.encode({"rgb": rgb, "depth": depth}, quality=60)
    depth = mtcodec.decode(data, tasks="depth")["depth"]

Importing this package loads no torch; :func:`encode` and :func:`decode` do where networks are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtcodec import errors
from mtcodec.codec.api import Codec, decode, encode, extract, info, load
from mtcodec.errors import MtcodecError
from mtcodec.tasks import Task

if TYPE_CHECKING:
    from mtcodec.archive.dataset import Archive

__version__ = "0.1.0"
__all__ = [
    "Archive",
    "Codec",
    "MtcodecError",
    "Task",
    "decode",
    "encode",
    "errors",
    "extract",
    "info",
    "load",
]


def __getattr__(name: str) -> Any:
    if name == "Archive":  # needs torch
        from mtcodec.archive.dataset import Archive

        return Archive
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
