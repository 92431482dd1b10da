"""Scenes of an archive, one by one, as training reads scenes on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from mtcodec.archive.copying import Place, places_of
from mtcodec.archive.decode import ArchiveCodec, decode
from mtcodec.archive.read import ArchiveReader, RowGroupCache
from mtcodec.files.scene import Scene
from mtcodec.tasks import Declarations

ReadScene = Callable[[Declarations, Sequence[str]], Scene]
"""Gives a scene's images by task, of those tasks that it has; declarations are those of the archive."""


def sources(reader: ArchiveReader) -> list[ReadScene]:
    """What reads the scenes of an archive. The last row group is kept, as scenes are read in order.

    Raises:
        FormatError: damage to the footer of a shard.
    """
    for index in range(len(reader.shards)):
        reader.shard(index)  # before as many entries are made as the index says
    codec, cache = ArchiveCodec(reader), RowGroupCache(reader)
    return [partial(_read, codec, cache, place) for place in places_of(reader)]


def _read(
    codec: ArchiveCodec, cache: RowGroupCache, place: Place, declared: Declarations, tasks: Sequence[str]
) -> Scene:
    """Images of those ``tasks`` that a row has."""
    row_group, row = place
    names = [name for name in tasks if name in codec.reader.manifest.task_names]
    entry = cache.entries(row_group, names)[row]
    return decode(codec, [entry], names)[0][1]
