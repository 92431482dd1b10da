"""Sequences written: frames are collected, and each group is on disk when it is full."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtcodec.codec.api import Codec
from mtcodec.codec.inputs import stored_scene
from mtcodec.codec.prepare import Facts, facts_of
from mtcodec.codec.request import Request
from mtcodec.container import attachments
from mtcodec.container.attachments import read as read_attachments
from mtcodec.container.frames import MAX_FRAMES, MAX_NAME, is_name
from mtcodec.container.header import Header, parse
from mtcodec.container.read_through import read_index
from mtcodec.container.sequence import MAX_TASKS, GroupEntry, GroupReader, entry_of, pack_index
from mtcodec.errors import FormatError, OutputError, SceneError, SectionError, UsageError
from mtcodec.messages import Loss, warn_of_loss
from mtcodec.networks.weights import store
from mtcodec.sequences.append_file import AppendFile
from mtcodec.sequences.facts import stored_facts
from mtcodec.sequences.pending import PendingFrame, PendingGroup
from mtcodec.sequences.seconds import Seconds, exact, frame_seconds
from mtcodec.sequences.sources import FileSource

if TYPE_CHECKING:
    from mtcodec.codec.encoded import EncodedGroup

GROUP = 16  # frames of a group, by default


class SequenceWriter:
    """Writes a sequence, frame by frame; memory is bounded by a group.

    It writes in place: what was written survives when the process is killed, but for the frames of the group
    that was not full. The index follows when it is closed.

    Args:
        path: of a file that is not there, unless ``append`` or ``force`` says otherwise.
        quality: see :meth:`mtcodec.Codec.encode`.
        fps: frames a second, as ``30`` or ``"30000/1001"``, for frames that come without a time: they follow
            the one before.
        group: frames that are coded together, 1 to 64; fewer where pixels or attached files are more than a
            group can hold, which is told.
        append: go on with the sequence that is there, if any; an index that it lacks is no obstacle.
        force: replace a file that is there.
        codec: instead of ``weights`` and ``device``.
        tell: takes each line about what was recognised, assumed or left out once; by default losses are
            warnings. on_group: called with each group that is written.
        weights, device, settings: as of :class:`mtcodec.Codec`. Targets are of single images, and refused.

    Attributes:
        groups: those that are written.

    Raises:
        OutputError: the file is there, cannot be written, or another process writes it.
        UsageError: a setting that makes no sense. FormatError: what is there is no sequence, or damaged.

    Warns:
        MtcodecWarning: once for each line about what is assumed or left out.
    """

    def __init__(
        self,
        path: str | Path,
        quality: float | str | None = None,
        *,
        fps: Seconds | None = None,
        group: int = GROUP,
        append: bool = False,
        force: bool = False,
        weights: str | Path = store.AUTO,
        device: str = "cpu",
        codec: Codec | None = None,
        tell: Callable[[str], None] = warn_of_loss,
        on_group: Callable[[EncodedGroup], None] | None = None,
        **settings: Any,
    ) -> None:
        if not 1 <= group <= MAX_FRAMES:
            raise UsageError(f"a group has 1 to {MAX_FRAMES} frames, not {group}")
        self.path, self.group = Path(path).absolute(), group
        self.tell, self.on_group = tell, on_group
        self.frame_seconds = None if fps is None else frame_seconds(fps)
        self.codec = codec or Codec(weights, device)
        self.settings = settings if quality is None else {**settings, "quality": quality}
        self.request: Request = self.codec.request_for(None, self.settings)
        if self.request.target_psnr or self.request.target_bytes:
            raise UsageError("targets are of single images: a sequence is written once, with a quality")
        if self.request.attach:
            raise UsageError("files are attached to frames: append(frame, attach=...)")
        self.groups: list[GroupEntry] = []
        self.tasks: dict[str, Facts] = {}
        self._names: set[str] = set()
        self._attached: dict[str, bytes] = {}  # digests of files by name
        self._last_time: Fraction | None = None
        self._pending = PendingGroup()
        self._told: set[str] = set()
        self._file: AppendFile | None = self._open(append, force)

    # --- opened and closed ---------------------------------------------------------------------------------

    def _open(self, append: bool, force: bool) -> AppendFile:
        """The file, locked, and without what follows its last whole group."""
        if self.path.exists() and not (append or force):
            raise OutputError(
                "exists already (append=True goes on with it, force=True replaces it)", path=self.path
            )
        file = AppendFile(self.path, force and not append)
        try:
            if file.was_there:
                file.cut(self._read_existing())
        except BaseException:
            file.close()
            raise
        return file

    def _read_existing(self) -> int:
        """Take over the groups that are there; where they end."""
        source = FileSource(self.path)
        try:
            index = read_index(source)
            if index.lost:
                raise FormatError(
                    f"damaged among its groups: {index.lost} bytes (mtcodec cut copies parts of it)"
                )
            for entry in index.groups:
                reader = GroupReader(source, entry)
                self._take_over(reader, entry)
        except FormatError as error:
            raise error.at(path=self.path) from None
        if index.problem:
            self.tell(Loss(f"{self.path}: {index.problem}"))
        return index.end

    def _take_over(self, reader: GroupReader, entry: GroupEntry) -> None:
        """Note what a group has that was there."""
        frames = reader.header.frames
        if frames is None or not self._names.isdisjoint(frames.names):
            raise FormatError("no group, or with frames whose names repeat")
        self._add_group(entry_of(reader.header, entry.offset), reader.header)
        self._names.update(frames.names)
        self._last_time = Fraction(frames.ticks[-1], frames.rate) if frames.rate else None
        with suppress(SectionError):  # what is damaged cannot be told from others of its name
            files = read_attachments(reader)
            self._attached |= {name: _digest(content) for name, content in files.items()}

    def __enter__(self) -> SequenceWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            with suppress(Exception):
                self.close()

    def close(self) -> None:
        """Write the frames that wait, and the index, also where the former fails. Closed whatever happens."""
        file = self._file
        if file is None:
            return
        try:
            if not file.is_inherited:
                try:
                    self.flush()
                finally:
                    file.write(pack_index(self.groups, list(self.tasks)))
                self._tell_of_unused()
        finally:
            self._file = None
            if not file.is_inherited:
                file.close()

    def _tell_of_unused(self) -> None:
        """Tell of settings of tasks that no frame has."""
        unused = sorted(self.request.tasks_named() - set(self.tasks))
        if unused:
            self.tell(Loss(f"settings of {', '.join(unused)}, which no frame has, are left aside"))

    # --- frames --------------------------------------------------------------------------------------------

    @property
    def frame_count(self) -> int:
        """Frames so far, with those that wait."""
        return sum(group.frame_count for group in self.groups) + len(self._pending)

    def append(
        self,
        frame: Mapping[str, Any],
        time: Seconds | Mapping[str, Seconds] | None = None,
        name: str | None = None,
        attach: Mapping[str, bytes] | None = None,
        layout: str = "auto",
    ) -> None:
        """Add a frame. Its arrays are copied, so that a camera's buffer can be used again.

        Args:
            frame: images by task as :meth:`mtcodec.Codec.encode` takes them; it may lack tasks. All images
                of a task have one size and dtype. Numbers, () and (N,), are kept exactly; tables (H, W) are,
                if the setting ``numbers`` names them.
            time: in seconds, or by task where clocks differ. They do not descend. Texts, Decimals and
                Fractions are exact, floats mean their decimals; all to the nanosecond.
            name: by default the frame's number, such as ``000012``.
            attach: small files to keep beside it, by name. Files of one name in a sequence are the same.

        Raises:
            SceneError: the images are not what their tasks declare, or differ from those before.
            UsageError: a time that is missing or descends, a name that is taken or none, files that cannot be
                attached. OutputError: the group, now full, cannot be written.
                But for the last, the frame is as if it had never come.
        """
        if self._file is None:
            raise UsageError("the sequence is closed", path=self.path)
        checked = self._checked(frame, time, name, attach or {}, layout)
        if len(self._pending) >= self.group or not self._has_room(checked):
            self.flush()
        self._pending.add(checked)
        self._names.add(checked.name)
        self._attached |= {name: _digest(content) for name, content in checked.attached.items()}
        self.tasks |= checked.facts
        self._last_time = checked.time
        if len(self._pending) == self.group:
            self.flush()

    def _checked(
        self,
        frame: Mapping[str, Any],
        time: Seconds | Mapping[str, Seconds] | None,
        name: str | None,
        attach: Mapping[str, bytes],
        layout: str,
    ) -> PendingFrame:
        """The frame, if it can follow those before."""
        scene = stored_scene(frame, self.request, layout)
        if not scene:
            raise SceneError("a frame without images")
        facts = facts_of(scene, self.request)
        self._check_facts(facts)
        attachments.check(attach, scene)
        self._check_attached(attach)
        name = self._free_name() if name is None else name
        if not is_name(name):
            raise UsageError(f"not a name of a frame: {name!r} (at most {MAX_NAME} bytes, no / or \\)")
        if name in self._names:
            raise UsageError(f"two frames are called {name!r}", path=self.path)
        when, task_times = self._time_of(scene, time)
        images = {task: np.array(image) for task, image in scene.items()}
        return PendingFrame(images, facts, name, when, task_times, dict(attach))

    def _free_name(self) -> str:
        """The frame's number, or the next one that is no name yet."""
        number = self.frame_count
        while f"{number:06d}" in self._names:
            number += 1
        return f"{number:06d}"

    def _time_of(
        self, scene: Mapping[str, Any], time: Seconds | Mapping[str, Seconds] | None
    ) -> tuple[Fraction | None, dict[str, Fraction]]:
        """The time of a frame, and those of its tasks; frames have times all or none."""
        by_task = {task: exact(at) for task, at in time.items()} if isinstance(time, Mapping) else {}
        for task in by_task:
            if task not in scene:
                raise UsageError(f"a time of task {task!r}, which the frame lacks")
        last, number = self._last_time, self.frame_count
        if by_task:
            when: Fraction | None = min(by_task.values())
        elif time is not None and not isinstance(time, Mapping):
            when = exact(time)
        elif self.frame_seconds is not None:
            when = Fraction(0) if last is None else last + self.frame_seconds
        else:
            when = None
        if number and (when is None) != (last is None):
            raise UsageError(f"frame {number} has {'no' if when is None else 'a'} time, others differ")
        if when is not None and last is not None and when < last:
            raise UsageError(f"times descend: {float(when):.15g} after {float(last):.15g} seconds")
        return when, by_task

    def _check_facts(self, facts: Mapping[str, Facts]) -> None:
        """Raise SceneError where a task is not what it was before, UsageError for too many tasks."""
        for name, of_task in facts.items():
            before = self.tasks.get(name, of_task)
            if of_task != before:
                raise SceneError(f"{of_task}, but {before} before", task=name)
        if len({*self.tasks, *facts}) > MAX_TASKS:
            raise UsageError(f"more than {MAX_TASKS} tasks")

    def _check_attached(self, files: Mapping[str, bytes]) -> None:
        """Raise UsageError where a file is another one than that of its name before."""
        for name, content in files.items():
            if self._attached.get(name, _digest(content)) != _digest(content):
                raise UsageError(f"two different attached files are called {name!r}", path=self.path)

    # --- groups --------------------------------------------------------------------------------------------

    def _has_room(self, frame: PendingFrame) -> bool:
        """May the group that waits have this frame, too? That it may not is told."""
        if not len(self._pending) or self._pending.has_room(frame):
            return True
        self._tell_once(
            f"some groups have fewer than {self.group} frames, by the limits of pixels and attached files"
        )
        return False

    def flush(self) -> None:
        """Write the frames that wait as a group, though it is not full. If that fails, they wait on.

        Raises:
            OutputError: it cannot be written. SceneError: values that cannot be kept.
        """
        pending = self._pending
        if self._file is None or not len(pending):
            return
        try:
            encoded = self.codec.encode_group(
                [frame.images for frame in pending.frames], pending.timeline(),
                **{**vars(self.request.for_tasks(pending.tasks)), "attach": pending.attached},
            )  # fmt: skip
        except (SceneError, UsageError) as error:
            first = self.frame_count - len(pending)
            error.reason = f"{error.reason} (among frames {first} to {self.frame_count - 1})"
            raise
        data, offset = encoded.to_bytes(), self._file.end
        self._file.write(data)
        self._pending = PendingGroup()
        header = parse(data)
        self._add_group(entry_of(header, offset), header)
        for line in (*encoded.prepared.messages, *encoded.prepared.warnings):
            self._tell_once(line)
        if self.on_group is not None:
            self.on_group(encoded)

    def _add_group(self, entry: GroupEntry, header: Header) -> None:
        """Note what a group on the disk holds."""
        facts = stored_facts(header)
        self._check_facts(facts)
        self.tasks |= facts
        self.groups.append(entry)

    def _tell_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self.tell(line)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
