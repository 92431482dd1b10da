"""Rows of an archive to images: scenes that are alike share the networks, loaded when they are needed."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mtcodec import threads
from mtcodec.archive.batches import middle
from mtcodec.archive.read import Entry, Opened
from mtcodec.codec import decoder
from mtcodec.codec.api import Codec
from mtcodec.codec.decoder import MAX_PARALLEL_PIXELS, Scene
from mtcodec.container.mtc import SplitReader
from mtcodec.errors import FormatError, WeightsError, WeightsInvalid

if TYPE_CHECKING:
    from mtcodec.networks.engine import Networks

BATCH = 16  # scenes that are decoded at a time
PIXELS = 1 << 18  # of scenes that share a pass through the networks, where there is more than one

T = TypeVar("T")


class ArchiveCodec(Codec):
    """Decodes the scenes of an archive with installed weights, or with the archive's own."""

    def __init__(self, opened: Opened, device: str = "cpu") -> None:
        super().__init__((), device)
        self.opened = opened
        self._found: dict[str, Networks] = {}
        self._lock = threading.Lock()  # networks are loaded once

    def networks_of(self, fingerprint: str) -> Networks:
        """The networks that a scene was encoded with.

        Raises:
            WeightsNotFound: neither installed nor in the archive. WeightsInvalid: unusable.
        """
        with self._lock:
            if fingerprint not in self._found:
                self._found[fingerprint] = self._load(fingerprint)
            return self._found[fingerprint]

    def _load(self, fingerprint: str) -> Networks:
        try:
            return super().networks_of(fingerprint)
        except WeightsError:
            about = self.opened.about
            if about.weights is None or fingerprint != about.fingerprint:
                raise
            return self._fetch()

    def _fetch(self) -> Networks:
        """The networks of the archive's own weights."""
        from mtcodec.networks.engine import load

        assert self.opened.about.weights is not None
        data = self.opened.weights_bytes()
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / Path(self.opened.about.weights).name
            path.write_bytes(data)
            found = load(path, self.device)
        if found.info.fingerprint != self.opened.about.fingerprint:
            raise WeightsInvalid("not the weights that the archive names", path=self.opened.path)
        return found


def together(items: Sequence[T], pixels: int) -> Iterator[Sequence[T]]:
    """Scenes of so many pixels each, in groups that the networks can take at once."""
    count = max(1, PIXELS // pixels)
    for first in range(0, len(items), count):
        yield items[first : first + count]


def decode(
    codec: Codec,
    entries: Sequence[Entry],
    tasks: Sequence[str],
    crop: tuple[int, int] | None = None,
    planar: bool = False,
) -> list[tuple[str, Scene]]:
    """Keys, and images of those ``tasks`` that scenes have, in order.

    Args:
        crop: height and width; of larger images, only the middle is wanted.
        planar: leave images whose planes lie one by one in memory as they are.

    Raises:
        FormatError: damage; it names the scene. WeightsNotFound: of a scene that needs networks.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    rows: list[tuple[str, SplitReader]] = []
    for index, (key, parts) in enumerate(entries):
        if isinstance(parts, FormatError):
            raise parts
        rows.append((key, parts))
        header = parts.header
        own = [header.task(name) for name in tasks if name in header.tasks]
        alike: tuple[object, ...] = (index,)
        if any(section.is_neural for section in own):
            alike = (header.height, header.width, header.fingerprint, *((s.name, s.is_neural) for s in own))
        groups.setdefault(alike, []).append(index)
    passes = [few for group in groups.values() for few in together(group, _pixels(rows[group[0]]))]

    def decode(few: Sequence[int]) -> list[Scene]:
        own = [rows[i] for i in few]
        names = [name for name in tasks if name in own[0][1].header.tasks]
        return _decode_alike(codec, own, names, crop, planar)

    found: dict[int, Scene] = {}
    for few, images in zip(
        passes, threads.parallel_map(decode, passes, any(_pixels(row) > MAX_PARALLEL_PIXELS for row in rows))
    ):
        found |= zip(few, images)
    return [(key, found[i]) for i, (key, _) in enumerate(rows)]


def _pixels(row: tuple[str, SplitReader]) -> int:
    header = row[1].header
    return header.height * header.width


def _decode_alike(
    codec: Codec,
    rows: Sequence[tuple[str, SplitReader]],
    names: Sequence[str],
    crop: tuple[int, int] | None,
    planar: bool,
) -> list[Scene]:
    """Scenes of one size and of tasks in codings of the same sort, in one pass."""
    files = [parts for _, parts in rows]
    window = None if crop is None else middle((files[0].header.height, files[0].header.width), crop)
    try:
        return decoder.decode(files, names, codec.networks_of, window=window, planar=planar)
    except FormatError as error:
        if len(rows) == 1:
            error.at(scene=rows[0][0])
            raise
        each = (_decode_alike(codec, [row], names, crop, planar) for row in rows)  # to find out which
        return [scene for (scene,) in each]


def scenes(
    opened: Opened, tasks: Sequence[str] | None = None, device: str = "cpu"
) -> Iterator[tuple[str, Scene]]:
    """Keys and images of all scenes of an archive, in order; ``tasks``: only these."""
    codec = ArchiveCodec(opened, device)
    names = list(opened.about.names if tasks is None else tasks)
    opened.about.needs(names)
    with closing(opened.ahead(opened.groups, names)) as fetched:
        for _, entries in fetched:
            for first in range(0, len(entries), BATCH):
                yield from decode(codec, entries[first : first + BATCH], names)
