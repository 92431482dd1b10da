"""EXR files: one image, or several layers, as Blender and other renderers write them.

A layer is what channels of one prefix make up: ``ViewLayer.Depth.Z``; each part of a file has its own.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource
from mtcodec.signals.mapping import Array

ORDER = "RGBXYZUVWA"  # of the channels of a layer
MAX_PIXELS = 1 << 28
Place = tuple[int, str]
"""The number of a part, and the name of a channel in it."""


@dataclass(frozen=True)
class Layer:
    """One layer of a file, as a source."""

    file: Path
    layer: str
    channels: tuple[Place, ...]
    share: float = 1  # of the channels of the file

    @property
    def name(self) -> str:
        return f"{self.file.name}:{self.layer}"

    suffix = ".exr"

    @property
    def size(self) -> int:
        """Its share of the file, whose channels are compressed together."""
        return round(self.share * self.file.stat().st_size)

    def read_bytes(self) -> bytes:
        return self.file.read_bytes()

    def __str__(self) -> str:
        return f"{self.file}: layer {self.layer}"


def read(source: ImageSource, note: Note) -> Array:
    """The image of a file with one layer, or that of a layer.

    Raises:
        ValueError, RuntimeError: damaged, or channels that are not one image.
    """
    if isinstance(source, Layer):
        state = source.file.stat()
        planes = _planes(source.file, state.st_mtime_ns, state.st_size)
        return _stacked([planes[place] for place in source.channels])
    with _on_disk(source) as path:
        parts = _opened(path, header_only=False)
    if len(parts) > 1:
        note(f"only the first of its {len(parts)} parts is read")
    channels: dict[Place, Array] = parts[0]
    found = _layers([list(channels)])
    if len(found) != 1:
        names = ", ".join(name for _, name in channels)
        raise ValueError(f"channels {names}; one image has one, R G B (A), or X Y Z")
    return _stacked([channels[place] for place in next(iter(found.values()))])


def layers(path: Path) -> list[Layer]:
    """The layers of a file, without its pixels; none where it cannot be read."""
    try:
        parts = _opened(path, header_only=True)
    except Exception:  # reading it as an image tells what is wrong
        return []
    count = sum(map(len, parts))
    return [Layer(path, name, tuple(places), len(places) / count) for name, places in _layers(parts).items()]


def has_alpha(source: ImageSource) -> bool:
    """Can the last channel of an image be alpha? Not that of a layer of vectors."""
    return not isinstance(source, Layer) or {"G", "A"} <= {name[-1] for _, name in source.channels}


@lru_cache(maxsize=1)
def _planes(path: Path, changed: int, size: int) -> dict[Place, Array]:
    """All channels of the file that was read last: layers of one scene are read one after the other."""
    return {place: plane for part in _opened(path, header_only=False) for place, plane in part.items()}


def _opened(path: Path, header_only: bool) -> list[Any]:
    """By part, names of channels (``header_only``), or channels by name; whole names, with the part's."""
    import OpenEXR

    # OpenEXR prints a warning for damaged pixels, then holds no part
    with contextlib.redirect_stdout(io.StringIO()):
        with OpenEXR.File(str(path), header_only=True) as file:
            for part in file.parts:
                low, high = part.header["dataWindow"]
                if int(high[0] - low[0] + 1) * int(high[1] - low[1] + 1) > MAX_PIXELS:
                    raise ValueError(f"more than {MAX_PIXELS} pixels")
            names = [
                [_whole(file, k, c.name) for c in p.header["channels"]] for k, p in enumerate(file.parts)
            ]
        if header_only:
            return names
        with OpenEXR.File(str(path), separate_channels=True) as file:
            if not file.parts:
                raise ValueError("damaged pixel data")
            return [
                {_whole(file, k, name): np.asarray(channel.pixels) for name, channel in part.channels.items()}
                for k, part in enumerate(file.parts)
            ]


def _whole(file: Any, part: int, channel: str) -> Place:
    """The place of a channel, its name with that of the part unless it says so itself, or is alone."""
    prefix = file.parts[part].name() if len(file.parts) > 1 else ""
    return part, channel if not prefix or channel.startswith(f"{prefix}.") else f"{prefix}.{channel}"


def _layers(parts: Sequence[Sequence[Place]]) -> dict[str, list[Place]]:
    """Channels by layer, in the order of an image. Those without prefix are colours, or each for itself."""
    found: dict[str, list[Place]] = {}
    for places in parts:
        plain = {name for _, name in places if "." not in name}
        together = next((own for own in ("RGBA", "RGB", "XYZ", "YA") if set(own) <= plain), "")
        for place in places:
            layer, dot, channel = place[1].rpartition(".")
            alone = not dot and channel not in together
            found.setdefault(channel if alone else layer or "Combined", []).append(place)
    for places in found.values():
        places.sort(key=lambda place: (ORDER.find(place[1].rpartition(".")[2].upper()), place))
    return found


def _stacked(planes: list[Array]) -> Array:
    return planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)


@contextlib.contextmanager
def _on_disk(source: ImageSource) -> Iterator[Path]:
    """A path of what ``source`` holds: OpenEXR opens nothing else."""
    if isinstance(source, Path):
        yield source
        return
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "image.exr"
        path.write_bytes(source.read_bytes())
        yield path
