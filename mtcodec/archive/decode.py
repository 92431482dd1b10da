"""Rows of an archive to images: scenes that are alike share the networks, loaded when they are needed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mtcodec.archive.read import Entry, Opened
from mtcodec.codec.api import Codec
from mtcodec.codec.decoder import Scene
from mtcodec.errors import FormatError, WeightsError, WeightsInvalid
from mtcodec.format.container import Parts

if TYPE_CHECKING:
    from mtcodec.engine.networks import Networks

BATCH = 16  # scenes that are decoded at a time
PIXELS = 1 << 18  # of scenes that share a pass through the networks, where there is more than one

T = TypeVar("T")


class ArchiveCodec(Codec):
    """Decodes the scenes of an archive with installed weights, or with the archive's own."""

    def __init__(self, opened: Opened, device: str = "cpu") -> None:
        super().__init__((), device)
        self.opened = opened
        self._found: dict[str, Networks] = {}

    def networks_of(self, fingerprint: str) -> Networks:
        """The networks that a scene was encoded with.

        Raises:
            WeightsNotFound: neither installed nor in the archive. WeightsInvalid: unusable.
        """
        if fingerprint not in self._found:
            try:
                found = super().networks_of(fingerprint)
            except WeightsError:
                about = self.opened.about
                if about.weights is None or fingerprint != about.fingerprint:
                    raise
                found = self._fetch()
            self._found[fingerprint] = found
        return self._found[fingerprint]

    def _fetch(self) -> Networks:
        """The networks of the archive's own weights."""
        from mtcodec.engine.networks import load

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


def decode(codec: Codec, entries: Sequence[Entry], tasks: Sequence[str]) -> list[tuple[str, Scene]]:
    """Keys, and images of those ``tasks`` that scenes have, in order.

    Raises:
        FormatError: damage; it names the scene. WeightsNotFound: of a scene that needs networks.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    rows: list[tuple[str, Parts]] = []
    for index, (key, parts) in enumerate(entries):
        if isinstance(parts, FormatError):
            raise parts
        rows.append((key, parts))
        header = parts.header
        own = [header.task(name) for name in tasks if name in header.tasks]
        weights = header.fingerprint if any(section.neural for section in own) else ""
        alike = (header.height, header.width, weights, *((s.name, s.neural) for s in own))
        groups.setdefault(alike, []).append(index)
    found: dict[int, Scene] = {}
    for group in groups.values():
        header = rows[group[0]][1].header
        names = [name for name in tasks if name in header.tasks]
        for few in together(group, header.height * header.width):
            found |= zip(few, _decode_alike(codec, [rows[i] for i in few], names))
    return [(key, found[i]) for i, (key, _) in enumerate(rows)]


def _decode_alike(codec: Codec, rows: Sequence[tuple[str, Parts]], names: Sequence[str]) -> list[Scene]:
    """Scenes of one size and of tasks in codings of the same sort, in one pass."""
    try:
        return codec.decode_batch([parts for _, parts in rows], names)
    except FormatError as error:
        if len(rows) == 1:
            error.at(scene=rows[0][0])
            raise
        return [scene for row in rows for scene in _decode_alike(codec, [row], names)]  # find out which


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
