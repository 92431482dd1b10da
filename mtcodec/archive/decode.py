"""Rows of an archive to images. Scenes that are alike share a pass through the networks."""

from __future__ import annotations

import math
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mtcodec import threads
from mtcodec.archive.crops import center_window, crop_sizes, image_sizes, padded
from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.rows import Entry, Row, undamaged
from mtcodec.codec import decoder
from mtcodec.codec.api import Codec
from mtcodec.codec.decoder import MAX_PARALLEL_PIXELS, Scene
from mtcodec.container.section import Size
from mtcodec.errors import FormatError, WeightsError, WeightsInvalid

if TYPE_CHECKING:
    from mtcodec.networks.engine import Networks

BATCH = 16  # scenes that are decoded at a time
MAX_PASS_PIXELS = 1 << 18  # of scenes that share a pass through the networks, where there is more than one

T = TypeVar("T")


class ArchiveCodec(Codec):
    """Decodes the scenes of an archive with installed weights, or with the archive's own."""

    def __init__(self, reader: ArchiveReader, device: str = "cpu") -> None:
        super().__init__((), device)
        self.reader = reader
        self._networks: dict[str, Networks] = {}  # by fingerprint
        self._lock = threading.Lock()  # networks are loaded once

    def networks_of(self, fingerprint: str) -> Networks:
        """The networks that a scene was encoded with.

        Raises:
            WeightsNotFound: neither installed nor in the archive. WeightsInvalid: unusable.
        """
        with self._lock:
            if fingerprint not in self._networks:
                self._networks[fingerprint] = self._load(fingerprint)
            return self._networks[fingerprint]

    def _load(self, fingerprint: str) -> Networks:
        from mtcodec.networks.engine import load

        manifest = self.reader.manifest
        try:
            return super().networks_of(fingerprint)
        except WeightsError:
            if manifest.weights_path is None or fingerprint != manifest.fingerprint:
                raise
        with tempfile.TemporaryDirectory() as directory:
            path = self.reader.copy_weights(directory)
            networks = load(path, self.device)
        if networks.info.fingerprint != fingerprint:
            raise WeightsInvalid("not the weights that the archive names", path=self.reader.path)
        return networks


def decode(
    codec: Codec,
    entries: Sequence[Entry],
    tasks: Sequence[str],
    crop: Size | None = None,
    channels_first: bool = False,
) -> list[tuple[str, Scene]]:
    """Keys, and images of those ``tasks`` that scenes have, in order.

    Args:
        crop: height and width of a part in the middle of a scene, in pixels of the largest image of ``tasks``
            that it has; others get the same part (:func:`mtcodec.archive.crops.crop_sizes`), with zeros
            where they are smaller.
        channels_first: images are (C, H, W), in any order in memory. Numbers stay as they are.

    Raises:
        FormatError: damage; it names the scene. WeightsNotFound: of a scene that needs networks.
    """
    rows = [undamaged(entry) for entry in entries]
    passes = _passes(rows, tasks)

    def decode_pass(indices: Sequence[int]) -> list[Scene]:
        files = [rows[index][1] for index in indices]
        header = files[0].header
        names = [name for name in tasks if name in header.tasks]
        sizes = image_sizes(header, names)
        crops = {} if crop is None else crop_sizes(sizes, crop)
        windows = {name: center_window(sizes[name], size) for name, size in crops.items()}
        try:
            scenes = decoder.decode(files, names, codec.networks_of, windows=windows, planar=channels_first)
            return [_as_wanted(scene, crops, sizes if channels_first else ()) for scene in scenes]
        except FormatError as error:
            if len(indices) == 1:
                raise error.at(scene=rows[indices[0]][0]) from error.__cause__
            # one by one, to find out which scene is damaged
            return [scene for index in indices for scene in decode_pass([index])]

    large = any(_pixels_of(row, tasks) > MAX_PARALLEL_PIXELS for row in rows)
    scenes: dict[int, Scene] = {}
    for indices, decoded in zip(passes, threads.parallel_map(decode_pass, passes, serial=large)):
        scenes |= zip(indices, decoded)
    return [(key, scenes[index]) for index, (key, _) in enumerate(rows)]


def _as_wanted(scene: Scene, crops: Mapping[str, Size], channels_first: Collection[str]) -> Scene:
    """A scene with images padded to the sizes of ``crops``, and those of some tasks as (C, H, W)."""
    images = scene | {name: padded(scene[name], size) for name, size in crops.items()}
    for name in channels_first:
        image = images[name]
        images[name] = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    return images


def _passes(rows: Sequence[Row], tasks: Sequence[str]) -> list[Sequence[int]]:
    """Numbers of the rows that are decoded together."""
    alike: dict[tuple[object, ...], list[int]] = {}  # those that networks can take at once
    for index, row in enumerate(rows):
        alike.setdefault(_network_shape(row, tasks) or (index,), []).append(index)
    return [
        indices
        for alike_rows in alike.values()
        for indices in passes_of(alike_rows, _pixels_of(rows[alike_rows[0]], tasks))
    ]


def _network_shape(row: Row, tasks: Sequence[str]) -> tuple[object, ...] | None:
    """What rows must have in common to share a pass through the networks; None where none are needed."""
    header = row[1].header
    sections = [header.task(name) for name in tasks if name in header.tasks]
    if not any(section.is_neural for section in sections):
        return None
    codings = ((s.name, s.is_neural, s.attributes.shape, header.size_of(s.name)) for s in sections)
    return header.fingerprint, *codings


def _pixels_of(row: Row, tasks: Sequence[str]) -> int:
    """Of the largest image of ``tasks``."""
    header = row[1].header
    return max((math.prod(header.size_of(name)) for name in tasks if name in header.tasks), default=1)


def passes_of(items: Sequence[T], pixels: int) -> Iterator[Sequence[T]]:
    """Scenes of ``pixels`` each, in as many at a time as the networks take at once."""
    count = max(1, MAX_PASS_PIXELS // pixels)
    for first in range(0, len(items), count):
        yield items[first : first + count]


def scenes(
    reader: ArchiveReader, tasks: Sequence[str] | None = None, device: str = "cpu"
) -> Iterator[tuple[str, Scene]]:
    """Keys and images of all scenes of an archive, in order.

    Args:
        tasks: only these; None: all.

    Raises:
        UsageError: a task that the archive lacks. FormatError, WeightsNotFound: see :func:`decode`.
    """
    codec = ArchiveCodec(reader, device)
    names = reader.manifest.select_tasks(tasks)
    for entries in reader.batches(BATCH, names):
        yield from decode(codec, entries, names)
