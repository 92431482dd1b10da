"""Scenes of an archive, one by one, as training reads scenes on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from mtcodec.archive.decode import ArchiveCodec, decode
from mtcodec.archive.read import ArchiveReader, RowGroup
from mtcodec.files.scene import Scene
from mtcodec.tasks import Declarations

ReadScene = Callable[[Declarations, Sequence[str]], Scene]
"""Gives a scene's images by task, of those tasks that it has; declarations are those of the archive."""


class SceneReader:
    """Decodes scenes. The rows of the last row group are kept, as scenes are read in order."""

    def __init__(self, reader: ArchiveReader) -> None:
        self.codec, self.entries = ArchiveCodec(reader), lru_cache(1)(reader.entries)

    def read(self, row_group: RowGroup, row: int, declared: Declarations, tasks: Sequence[str]) -> Scene:
        """Images of those ``tasks`` that a row has, by its row group and its number in it.

        Raises:
            FormatError: damage.
        """
        names = [name for name in tasks if name in self.codec.reader.manifest.task_names]
        entry = self.entries(row_group, tuple(names))[row]
        return decode(self.codec, [entry], names)[0][1]


def sources(reader: ArchiveReader) -> list[ReadScene]:
    """What reads the scenes of an archive, in order.

    Raises:
        FormatError: damage to the footer of a shard.
    """
    for index in range(len(reader.shards)):
        reader.shard(index)  # before as many entries are made as the index says
    scene_reader = SceneReader(reader)
    return [partial(scene_reader.read, row_group, row) for row_group, row in reader.places()]
