"""The frames of a group, each read like a scene of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar, cast

from mtcodec.container import frames
from mtcodec.container.mtc import Reader
from mtcodec.container.section import Section
from mtcodec.errors import FormatError, SectionError, UsageError

T = TypeVar("T")


class GroupPayloads:
    """Payloads of a group, each read and divided into frames once, whatever threads ask for them."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._lock = threading.Lock()  # of the reader's file, too
        self._frames: dict[str, list[bytes] | FormatError] = {}
        self._joint: dict[str, Any] = {}

    def of_frame(self, name: str, index: int) -> bytes:
        """The part of a section that is its frame number ``index``, of those that it has.

        Raises:
            SectionError: damaged.
        """
        with self._lock:
            if name not in self._frames:
                self._frames[name] = _value_or_error(lambda: self._split(name))
            by_frame = self._frames[name]
        if isinstance(by_frame, FormatError):
            raise by_frame
        return by_frame[index]

    def _split(self, name: str) -> list[bytes]:
        payload = self.reader.payload(name)
        try:
            return frames.split(payload, len(self.reader.header.frames_of(name)))
        except FormatError as error:
            raise SectionError(error.reason, section=name) from error

    def joint(self, name: str, decode: Callable[[bytes, int], T]) -> T:
        """What ``decode`` makes of the payload of a section that holds so many frames together.

        Raises:
            FormatError: damaged.
        """
        with self._lock:
            if name not in self._joint:
                self._joint[name] = _value_or_error(lambda: self._decoded(name, decode))
            decoded = self._joint[name]
        if isinstance(decoded, FormatError):
            raise decoded
        return cast(T, decoded)

    def _decoded(self, name: str, decode: Callable[[bytes, int], T]) -> T:
        return decode(self.reader.payload(name), len(self.reader.header.frames_of(name)))


def _value_or_error(make: Callable[[], T]) -> T | FormatError:
    try:
        return make()
    except FormatError as error:
        return error


class FrameReader(Reader):
    """One frame of a group as a scene: the tasks that it has, their payloads, no notes and attachments.

    Args:
        payloads: of the group, shared by its frames.
        frame: its number.
    """

    def __init__(self, payloads: GroupPayloads, frame: int) -> None:
        group = payloads.reader.header
        if not 0 <= frame < group.frame_count:
            raise UsageError(f"no frame {frame}: the group has {group.frame_count}")
        self.payloads, self.frame = payloads, frame
        tasks = [name for name in group.tasks if frame in group.frames_of(name)]
        needed = {name for task in tasks for name in group.needs(task)}
        sections = tuple(self._alone(s) for s in group.sections if s.name in needed)
        self.header = replace(group, sections=sections, frames=None)
        self.size = payloads.reader.size

    @staticmethod
    def _alone(section: Section) -> Section:
        return replace(section, attributes=replace(section.attributes, frames=None, delays=None))

    def payload(self, name: str) -> bytes:
        section = self.header.section(name)
        if section is None:
            raise UsageError(f"no section {name!r}")
        return self.payloads.of_frame(name, self._index(name))

    def joint(self, name: str, decode: Callable[[bytes, int], T]) -> tuple[T, int]:
        """What ``decode`` makes of a section that holds all frames together, and which of them is meant.

        Args:
            decode: gets the payload, and how many frames it holds. It is called once for a group.

        Raises:
            FormatError: damaged.
        """
        return self.payloads.joint(name, decode), self._index(name)

    def _index(self, name: str) -> int:
        """Which of the frames of a section it is."""
        return self.payloads.reader.header.frames_of(name).index(self.frame)


def frame_readers(reader: Reader, frame_numbers: Iterable[int] | None = None) -> list[FrameReader]:
    """Readers of some frames of a group, or of all."""
    payloads = GroupPayloads(reader)
    numbers = range(reader.header.frame_count) if frame_numbers is None else frame_numbers
    return [FrameReader(payloads, number) for number in numbers]
