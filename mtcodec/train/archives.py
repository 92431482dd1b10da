"""Scenes of an archive, one by one, as training reads scenes on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from mtcodec.archive.decode import ArchiveCodec, decode
from mtcodec.archive.read import Entry, Opened
from mtcodec.files.scene import Scene
from mtcodec.tasks import Declarations


class Reader:
    """Decodes scenes; the rows of the last group are kept, as scenes are read in order."""

    def __init__(self, opened: Opened) -> None:
        self.opened, self.codec = opened, ArchiveCodec(opened)
        self.group, self.entries = -1, list[Entry]()

    def scene(self, group: int, row: int, declared: Declarations, tasks: Sequence[str]) -> Scene:
        """Images of those ``tasks`` that a row has.

        Raises:
            FormatError: damage.
        """
        names = [name for name in tasks if name in self.opened.about.names]
        if group != self.group:
            self.group, self.entries = group, self.opened.entries(self.opened.groups[group], names)
        return decode(self.codec, [self.entries[row]], names)[0][1]


def sources(opened: Opened) -> list[Callable[[Declarations, Sequence[str]], Scene]]:
    """What reads the scenes of an archive, in order."""
    reader = Reader(opened)
    for part in range(len(opened.parts)):
        opened.part(part)  # before as many entries are made as the index tells
    rows = ((k, row) for k, group in enumerate(opened.groups) for row in range(group.rows))
    return [partial(reader.scene, k, row) for k, row in rows]
