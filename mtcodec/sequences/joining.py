"""Sequences joined to one: names, times and attached files are changed where they clash."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain

from mtcodec.codec.prepare import Facts
from mtcodec.container import attachments
from mtcodec.container.frames import MAX_RATE, Frames, is_name
from mtcodec.container.mtc import Reader, build
from mtcodec.container.section import ATTACHMENTS
from mtcodec.errors import FormatError, MtcodecError, SceneError
from mtcodec.sequences.copying import Copied, Write, write_groups
from mtcodec.sequences.facts import stored_facts
from mtcodec.sequences.read import Sequence as Clip

NAME_OF_SCENE = "frame"  # of the only frame of a scene


def concat(clips: Sequence[Clip], write: Write) -> Copied:
    """Copy the groups of several sequences, one after the other.

    Frames whose names are taken, and attached files that differ from one of their name before, are called
    ``<number of the clip>-<name>``. Times of a clip that would begin before the one before it ends are moved
    behind that. ``Copied.notes`` tell it.

    Raises:
        SceneError: their tasks differ in size, dtype or channels, or only some have times.
        FormatError: damage.
    """
    _check_alike(clips)
    joined, notes = _Joined(), list[str]()
    groups = chain.from_iterable(_groups(clip, number, joined, notes) for number, clip in enumerate(clips, 1))
    frames, count = write_groups(groups, write)
    return Copied(frames, count, tuple(notes))


@dataclass
class _Joined:
    """What the clips before hold.

    Attributes:
        names: of frames. files: digests of attached files by name.
        end: when the next one may begin, in seconds.
    """

    names: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    end: Fraction | None = None


@dataclass(frozen=True)
class _Changes:
    """How a clip's groups change.

    Attributes:
        prefix: of names of frames. file_prefix: of the attached files in ``clashing``.
        shift: of times, in seconds.
    """

    prefix: str
    file_prefix: str
    clashing: frozenset[str]
    shift: Fraction

    def name(self, name: str) -> str:
        """What a frame is called."""
        return self.prefix + (name or NAME_OF_SCENE)

    def file(self, name: str) -> str:
        """What an attached file is called."""
        return self.file_prefix + name if name in self.clashing else name


def _groups(clip: Clip, number: int, joined: _Joined, notes: list[str]) -> Iterator[bytes]:
    """The groups of a clip, with names and times that fit those before."""
    files = _digests(clip)
    names = [name or NAME_OF_SCENE for name in clip.names]
    clashing = frozenset(n for n, digest in files.items() if joined.files.get(n, digest) != digest)
    changes = _Changes(
        _free_prefix(names, joined.names, number),
        _free_prefix(sorted(clashing), set(joined.files) | set(files), number),
        clashing, _shift(clip, joined.end),
    )  # fmt: skip
    notes += _told(clip, names, changes)
    joined.names.update(map(changes.name, names))
    joined.files |= {changes.file(name): digest for name, digest in files.items()}
    last = clip.exact_time(len(clip) - 1)
    joined.end = None if last is None else last + changes.shift + _frame_seconds(clip)
    for group in range(len(clip.index.groups)):
        try:
            yield _changed(clip.group(group), changes)
        except MtcodecError as error:
            raise error.at(path=f"{clip.source.label}: group {group}") from error.__cause__


def _told(clip: Clip, names: Sequence[str], changes: _Changes) -> Iterator[str]:
    """Lines about what changes."""
    label = clip.source.label
    if changes.prefix or clip.names[0] == "":
        yield f"{label}: its frames are called {changes.name(names[0])} … {changes.name(names[-1])}"
    for name in sorted(changes.clashing):
        yield f"{label}: its attached file {name} is called {changes.file(name)}"
    if changes.shift:
        yield f"{label}: its times are moved by {float(changes.shift):g} seconds"


def _free_prefix(names: Sequence[str], taken: set[str], number: int) -> str:
    """What makes names that are not taken: nothing, or the first number from ``number`` on that does."""
    prefix = ""
    while not taken.isdisjoint(prefix + name for name in names):
        prefix, number = f"{number}-", number + 1
    return prefix


def _digests(clip: Clip) -> dict[str, bytes]:
    """Of attached files by name."""
    digests: dict[str, bytes] = {}
    for number in range(len(clip.index.groups)):
        for name, content in clip.attachments([number]).items():
            digest = hashlib.sha256(content).digest()
            if digests.setdefault(name, digest) != digest:
                raise FormatError(f"two different attached files {name!r}", path=clip.source.label)
    return digests


# --- times ---------------------------------------------------------------------------------------------


def _shift(clip: Clip, end: Fraction | None) -> Fraction:
    """By how much times move to begin at ``end``: exactly, or a little more where no rate tells that."""
    start = clip.exact_time(0)
    if start is None or end is None or start >= end:
        return Fraction(0)
    shift, rates = end - start, {group.rate for group in clip.index.groups}
    if all(math.lcm(rate, shift.denominator) <= MAX_RATE for rate in rates):
        return shift
    common = math.gcd(*rates)  # its ticks are whole ticks of all rates
    return Fraction(math.ceil(shift * common), common)


def _frame_seconds(clip: Clip) -> Fraction:
    """How long the last frame is shown: as long as the one before; a second where it is the only one."""
    if len(clip) < 2:
        return Fraction(1)
    times = [clip.exact_time(len(clip) - 2), clip.exact_time(len(clip) - 1)]
    assert times[0] is not None and times[1] is not None
    return times[1] - times[0]


# --- groups --------------------------------------------------------------------------------------------


def _changed(reader: Reader, changes: _Changes) -> bytes:
    """A group with other names, times and names of files."""
    old = reader.header.frames or Frames(("",))
    names = tuple(map(changes.name, old.names))
    if not all(map(is_name, names)):
        raise SceneError(f"a name of a frame gets too long: {max(names, key=len)!r}")
    header = replace(reader.header, frames=replace(old, names=names)).shifted(changes.shift)
    payloads = {section.name: reader.payload(section.name) for section in header.sections}
    if ATTACHMENTS in payloads and changes.clashing:
        files = {changes.file(name): content for name, content in attachments.read(reader).items()}
        attachments.check(files, header.tasks)
        payloads[ATTACHMENTS] = attachments.pack(files)
    return build(header, payloads)


def _check_alike(clips: Sequence[Clip]) -> None:
    """Raise SceneError where tasks differ from those of the clips before, or some have no times."""
    facts: dict[str, Facts] = {}
    for clip in clips:
        label = clip.source.label
        if not len(clip):
            raise SceneError("a sequence without frames", path=label)
        if clip.has_times != clips[0].has_times:
            raise SceneError("some have times and others have none", path=label)
        for number in range(len(clip.index.groups)):
            for name, of_task in stored_facts(clip.group(number).header).items():
                if facts.setdefault(name, of_task) != of_task:
                    raise SceneError(f"{of_task}, but {facts[name]} before", path=label, task=name)
