"""Scenes of an archive, one by one, as training reads scenes on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from mtcodec.archive.copying import places_of
from mtcodec.archive.decode import ArchiveCodec, decode
from mtcodec.archive.read import ArchiveReader, RowGroupCache
from mtcodec.files.scene import Scene
from mtcodec.tasks import Declarations

ReadScene = Callable[[Declarations, Sequence[str]], Scene]
"""Gives a scene's images by task, of those tasks that it has; declarations are those of the archive."""


class SceneReader:
    """Decodes scenes. The rows of the last row group are kept, as scenes are read in order."""

    def __init__(self, reader: ArchiveReader) -> None:
        self.codec, self.cache = ArchiveCodec(reader), RowGroupCache(reader)

    def read(self, row_group: int, row: int, declared: Declarations, tasks: Sequence[str]) -> Scene:
        """Images of those ``tasks`` that a row has, by the numbers of its row group and of the row in it.

        Raises:
            FormatError: damage.
        """
        names = [name for name in tasks if name in self.codec.reader.manifest.task_names]
        entry = self.cache.entries(row_group, names)[row]
        return decode(self.codec, [entry], names)[0][1]


def sources(reader: ArchiveReader) -> list[ReadScene]:
    """What reads the scenes of an archive, in order.

    Raises:
        FormatError: damage to the footer of a shard.
    """
    for index in range(len(reader.shards)):
        reader.shard(index)  # before as many entries are made as the index says
    scene_reader = SceneReader(reader)
    return [partial(scene_reader.read, row_group, row) for row_group, row in places_of(reader)]
