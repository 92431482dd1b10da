"""The frames of a group, each read like a scene of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from threading import RLock
from typing import Any

from mtcodec.container import frames
from mtcodec.container.mtc import Reader
from mtcodec.container.section import Section
from mtcodec.errors import FormatError, SectionError, UsageError


class GroupPayloads:
    """Payloads of a group, each read and divided into frames once."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._joint: dict[str, Any] = {}
        self._lock = RLock()
        self._payloads: dict[str, bytes | SectionError] = {}
        self._frames: dict[str, list[bytes]] = {}

    def payload(self, name: str) -> bytes:
        """That of a section.

        Raises:
            SectionError: damaged.
        """
        with self._lock:  # threads decode frames side by side
            if name not in self._payloads:
                try:
                    self._payloads[name] = self.reader.payload(name)
                except SectionError as error:
                    self._payloads[name] = error
            payload = self._payloads[name]
        if isinstance(payload, SectionError):
            raise payload
        return payload

    def of_frame(self, name: str, index: int) -> bytes:
        """The part of a section that is its frame number ``index``, of those that it has."""
        if name not in self._frames:
            count = len(self.reader.header.frames_of(name))
            try:
                self._frames[name] = frames.split(self.payload(name), count)
            except SectionError:
                raise
            except FormatError as error:
                raise SectionError(error.reason, section=name) from error
        return self._frames[name][index]

    def once(self, name: str, decode: Callable[[], Any]) -> Any:
        """What a section that holds all frames together decodes to."""
        with self._lock:
            if name not in self._joint:
                self._joint[name] = self.reader.once(name, decode)
            return self._joint[name]


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

    def joint_payload(self, name: str) -> tuple[bytes, int, int]:
        frames_of_section = self.payloads.reader.header.frames_of(name)
        return self.payloads.payload(name), len(frames_of_section), self._index(name)

    def once(self, name: str, decode: Callable[[], Any]) -> Any:
        return self.payloads.once(name, decode)

    def _index(self, name: str) -> int:
        """Which of the frames of a section it is."""
        return self.payloads.reader.header.frames_of(name).index(self.frame)


def frame_readers(reader: Reader, frame_numbers: Iterable[int] | None = None) -> list[FrameReader]:
    """Readers of some frames of a group, or of all."""
    payloads = GroupPayloads(reader)
    numbers = range(reader.header.frame_count) if frame_numbers is None else frame_numbers
    return [FrameReader(payloads, number) for number in numbers]
