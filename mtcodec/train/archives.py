"""Scenes of an archive, one by one, as training reads scenes on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from mtcodec.archive.decode import ArchiveCodec, decode
from mtcodec.archive.read import ArchiveReader, Place
from mtcodec.archive.rows import Entry
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
    codec, entries = ArchiveCodec(reader), lru_cache(1)(reader.entries)
    return [partial(_read, codec, entries, place) for place in reader.places()]


def _read(
    codec: ArchiveCodec,
    read: Callable[..., list[Entry]],
    place: Place,
    declared: Declarations,
    tasks: Sequence[str],
) -> Scene:
    """Images of those ``tasks`` that a row has; ``read`` gives the entries of a row group."""
    row_group, row = place
    names = [name for name in tasks if name in codec.reader.manifest.task_names]
    entry = read(row_group, tuple(names))[row]
    return decode(codec, [entry], names)[0][1]
