"""Multi-task image codec: one shared bitstream for a scene, and one for each of its tasks.

::

    data = mtcodec.encode({"rgb": rgb, "depth": depth}, quality=60)
    depth = mtcodec.decode(data, tasks="depth")["depth"]

Names are imported when they are first used: whoever only looks into files waits for no arrays.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mtcodec import errors
from mtcodec.errors import MtcodecError

if TYPE_CHECKING:
    from mtcodec.archive.batches import collate
    from mtcodec.archive.dataset import Archive
    from mtcodec.codec.api import Codec, attachments, decode, encode, extract, info, load
    from mtcodec.measure.compare import compare
    from mtcodec.sequences.read import Sequence, open
    from mtcodec.sequences.write import SequenceWriter
    from mtcodec.tasks import Task

__version__ = "0.1.0"
__all__ = [
    "Archive",
    "Codec",
    "MtcodecError",
    "Sequence",
    "SequenceWriter",
    "Task",
    "attachments",
    "collate",
    "compare",
    "decode",
    "encode",
    "errors",
    "extract",
    "info",
    "load",
    "open",
]
_PLACES = {"Archive": "archive.dataset", "collate": "archive.batches", "Task": "tasks"}
_PLACES |= {"compare": "measure.compare", "SequenceWriter": "sequences.write"}
_PLACES |= dict.fromkeys(("Sequence", "open"), "sequences.read")
_PLACES |= dict.fromkeys(("Codec", "attachments", "decode", "encode", "extract", "info", "load"), "codec.api")


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
