"""Archives checked, and parts of them copied; nothing is encoded anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtcodec.archive.copying import add, made
from mtcodec.archive.decode import ArchiveCodec, decode
from mtcodec.archive.read import Opened
from mtcodec.archive.statistics import facts
from mtcodec.archive.unpack import Progress
from mtcodec.archive.write import PART_ROWS, Writer
from mtcodec.container import attachments
from mtcodec.container import mtc as container
from mtcodec.errors import FormatError


def extract(
    opened: Opened,
    output: str | Path,
    tasks: Sequence[str],
    progress: Progress = lambda done, total: None,
    force: bool = False,
) -> int:
    """Copy the columns of ``tasks`` into a new archive; nothing is decoded.

    Scenes that have none of them are left out. Returns the number of scenes.

    Raises:
        UsageError: a task that the archive lacks. OutputError: something is there already.
        FormatError: damage to what is kept.
    """
    opened.about.needs(tasks)
    with made(output, [opened], force) as place:
        writer = Writer(place, opened.about.only(tasks), PART_ROWS)
        for done, (key, parts) in enumerate(opened.all_entries(tasks, beside=True), 1):
            if isinstance(parts, FormatError):
                raise parts
            own = [name for name in tasks if name in parts.header.tasks]
            if own:
                try:
                    add(writer, opened, key, container.extract(parts, own))
                except FormatError as error:
                    error.at(path=opened.path, scene=key)
                    raise
            progress(done, opened.rows)
        writer.finish()
        return len(writer.keys)


@dataclass
class Verified:
    """What :func:`verify` found.

    Attributes:
        damaged: what is wrong, by key.
    """

    scenes: int = 0
    damaged: dict[str, FormatError] = field(default_factory=dict)


def verify(
    opened: Opened,
    decoding: bool = False,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> Verified:
    """Check every checksum of an archive and, if ``decoding``, decode everything.

    Raises:
        WeightsNotFound, WeightsInvalid: for ``decoding``.
    """
    result, codec = Verified(), ArchiveCodec(opened, device)
    names = opened.about.facts
    for group in opened.groups:
        told = opened.column(group, names).to_pylist()
        for (key, parts), own in zip(opened.entries(group), told):
            result.scenes += 1
            try:
                if isinstance(parts, FormatError):
                    raise parts
                for section in parts.header.sections:
                    parts.payload(section.name)
                attachments.read(parts)
                if own != dict.fromkeys(names) | facts(parts, opened.about.tasks):
                    raise FormatError(f"{', '.join(names)} are not those of its header")
                if decoding:
                    decode(codec, [(key, parts)], parts.header.tasks)
            except FormatError as error:
                result.damaged[key] = error.at(path=opened.path, scene=key)
            progress(result.scenes, opened.rows)
    return result
