"""EXR files: one image, or several layers, as Blender and other renderers write them.

A layer is what channels of one prefix make up: ``ViewLayer.Depth.Z``; each part of a file has its own.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from mtcodec.files.formats.base import ImageFormat, Meaning, Shape, array_shape
from mtcodec.files.formats.exr_windows import Windows, placed, windows_of
from mtcodec.files.notes import Note, ignore
from mtcodec.files.sources import ImageSource, Layer, UnreadableImage, printable
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array
from mtcodec.silence import native_silence

CHANNEL_ORDER = "RGBXYZUVWA"  # of the channels of a layer
COLOR_CHANNELS = ("RGBA", "RGB", "XYZ", "YA")  # channels without prefix that are one image
CHANGED_DTYPES = {
    "PXR24": ("float32",), "B44": ("float16",), "B44A": ("float16",),
    "DWAA": ("float16", "float32"), "DWAB": ("float16", "float32"),
}  # fmt: skip
"""By compression, the dtypes whose values it changes."""

UNNAMED_LAYER = "Combined"  # of channels without prefix
Place = tuple[int, str]
"""The number of a part, and the name of a channel in it."""


class _Part(NamedTuple):
    """What a part of a file holds: its channels, (H, W) each, and where they lie."""

    planes: dict[Place, Array]
    windows: Windows


def _layers(source: ImageSource, note: Note) -> list[Layer]:
    """The layers of a file, without its pixels."""
    with _on_disk(source) as path:
        parts = _read_channel_names(path)
    channel_count = sum(map(len, parts))
    return [
        Layer(source, "layer", printable(name), tuple(places), len(places) / channel_count, is_float=True)
        for name, places in _places_by_layer(parts).items()
    ]


def _read(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    """The image of a file with one layer, or that of a layer."""
    if isinstance(source, Layer):
        places: Sequence[Place] = cast("tuple[Place, ...]", source.place)
        return _image(_parts_of(source.source)[places[0][0]], places, note)
    with _on_disk(source) as path:
        parts = _read_parts(path)
    if len(parts) > 1:
        note(Loss(f"only the first of its {len(parts)} parts is read"))
    places_by_layer = _places_by_layer([list(parts[0].planes)])
    if len(places_by_layer) != 1:
        names = ", ".join(printable(name) for _, name in parts[0].planes)
        raise UnreadableImage(f"channels {names}; one image has one, R G B (A), or X Y Z")
    (places,) = places_by_layer.values()
    return _image(parts[0], places, note)


def _image(part: _Part, places: Sequence[Place], note: Note) -> Array:
    """The image of these channels of a part, in its display window."""
    planes = [part.planes[place] for place in places]
    if any(plane.shape != part.windows.data_size for plane in planes):
        raise UnreadableImage("its channels are of several sizes")
    are_colors = _channel_names(places) >= set("RGB")
    return placed(np.stack(planes, axis=-1), part.windows, are_colors, note)


def _channel_names(places: Sequence[Place]) -> set[str]:
    """The last parts of names of channels: ``R G B``."""
    return {name.rpartition(".")[2].upper() for _, name in places}


def _read_shape(source: ImageSource) -> Shape:
    image = _read(source, Meaning.COLORS, ignore)  # OpenEXR tells no pixel types of headers alone
    return array_shape(image.shape, image.dtype.name, has_axes=True)


def _may_have_alpha(source: ImageSource) -> bool:
    """Can the last channel of an image be alpha? Not that of a layer of vectors."""
    return not isinstance(source, Layer) or _channel_names(cast("tuple[Place, ...]", source.place)) >= {
        "G",
        "A",
    }


def _is_lossy(source: ImageSource) -> bool:
    """Does the compression of its part change its values?"""
    number = cast("tuple[Place, ...]", source.place)[0][0] if isinstance(source, Layer) else 0
    stored = source.source if isinstance(source, Layer) else source
    with _on_disk(stored) as path, _open(path, header_only=True) as file:
        compression = str(file.parts[number].header["compression"])
    changed = CHANGED_DTYPES.get(compression.rpartition(".")[2].removesuffix("_COMPRESSION"), ())
    return bool(changed) and _read_shape(source).dtype in changed


def _parts_of(file: ImageSource) -> list[_Part]:
    if isinstance(file, Path):
        state = file.stat()
        return _parts_read_last(file, state.st_mtime_ns, state.st_size)
    with _on_disk(file) as path:
        return _read_parts(path)


@lru_cache(maxsize=1)
def _parts_read_last(path: Path, mtime_ns: int, size: int) -> list[_Part]:
    """The file that was read last: layers of one scene are read one after the other."""
    return _read_parts(path)


def _read_channel_names(path: Path) -> list[list[Place]]:
    """By part, the places of its channels; UnreadableImage if a part is too large."""
    with _open(path, header_only=True) as file:
        for part in file.parts:
            windows_of(part.header)
        return [
            [_place(file, number, channel.name) for channel in part.header["channels"]]
            for number, part in enumerate(file.parts)
        ]


def _read_parts(path: Path) -> list[_Part]:
    """All channels of a file, by part."""
    _read_channel_names(path)  # refuses what is too large
    with _open(path, separate_channels=True) as file:
        if not file.parts:
            raise UnreadableImage("its pixels are damaged or cut off")
        return [
            _Part(
                {_place(file, number, name): np.asarray(chan.pixels) for name, chan in part.channels.items()},
                windows_of(part.header),
            )
            for number, part in enumerate(file.parts)
        ]


@contextlib.contextmanager
def _open(path: Path, **options: bool) -> Iterator[Any]:
    """A file of OpenEXR, which prints warnings for damaged pixels, then holds no part."""
    import OpenEXR

    with contextlib.redirect_stdout(io.StringIO()), native_silence():
        opened = OpenEXR.File(str(path), **options)
    with opened as file:
        yield file


def _place(file: Any, part: int, channel: str) -> Place:
    """The place of a channel, its name with that of the part unless it says so itself, or is alone."""
    prefix = file.parts[part].name() if len(file.parts) > 1 else ""
    return part, channel if not prefix or channel.startswith(f"{prefix}.") else f"{prefix}.{channel}"


def _places_by_layer(parts: Sequence[Sequence[Place]]) -> dict[str, list[Place]]:
    """Channels by layer, in the order of an image. Those without prefix are colours, or each for itself."""
    by_layer: dict[str, list[Place]] = {}
    for places in parts:
        plain_names = {name for _, name in places if "." not in name}
        colors = next((channels for channels in COLOR_CHANNELS if set(channels) <= plain_names), "")
        for place in places:
            layer, dot, channel = place[1].rpartition(".")
            is_alone = not dot and channel not in colors
            by_layer.setdefault(channel if is_alone else layer or UNNAMED_LAYER, []).append(place)
    for places in by_layer.values():
        places.sort(key=lambda place: (CHANNEL_ORDER.find(place[1].rpartition(".")[2].upper()), place))
    return by_layer


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


FORMAT = ImageFormat(
    "EXR",
    (".exr",),
    (b"v/1\x01",),
    _read,
    _read_shape,
    may_have_alpha=_may_have_alpha,
    is_lossy=_is_lossy,
    layers=_layers,
)
