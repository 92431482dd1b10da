"""Sequences written: frames are collected, and each group is on disk when it is full."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mtcodec.codec.api import Codec
from mtcodec.codec.inputs import stored_scene
from mtcodec.codec.request import Request
from mtcodec.codec.timeline import Timeline
from mtcodec.container.frames import MAX_FRAMES
from mtcodec.container.header import Header
from mtcodec.container.mtc import Reader
from mtcodec.container.sequence import BEGINNING, GroupEntry, GroupFile, entry_of, pack_index, read_index
from mtcodec.errors import FormatError, OutputError, SceneError, UsageError
from mtcodec.messages import Loss, warn_of_loss
from mtcodec.networks.weights import store
from mtcodec.sequences.sources import FileSource

if TYPE_CHECKING:
    from mtcodec.codec.encoded import EncodedGroup

GROUP = 16  # frames of a group, by default
Seconds = float | int | Fraction | Decimal | str


@dataclass
class _Pending:
    """Frames that wait for their group to be full."""

    scenes: list[Mapping[str, Any]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    times: list[Fraction] = field(default_factory=list)
    task_times: list[Mapping[str, Fraction]] = field(default_factory=list)
    attached: dict[str, bytes] = field(default_factory=dict)

    def timeline(self) -> Timeline:
        tasks = {task for times in self.task_times for task in times}
        by_task = {task: [times.get(task) for times in self.task_times] for task in tasks}
        return Timeline(tuple(self.names), tuple(self.times), by_task)


class SequenceWriter:
    """Writes a sequence, frame by frame; memory is bounded by a group.

    It writes in place: what was written survives when the process is killed, but for the frames of the group
    that was not full. The index follows when it is closed.

    Args:
        path: of a file that is not there, unless ``append`` or ``force`` says otherwise.
        quality: see :meth:`mtcodec.Codec.encode`.
        fps: frames a second, as ``30`` or ``"30000/1001"``, for frames that come without a time.
        group: frames that are coded together, 1 to 64.
        append: go on with the sequence that is there; an index that it lacks is no obstacle.
        force: replace a file that is there.
        codec: instead of ``weights`` and ``device``.
        tell: takes each line about what was recognised, assumed or left out once; by default losses are
            warnings. on_group: called with each group that is written.
        weights, device, settings: as of :class:`mtcodec.Codec`. Targets are of single images, and refused.

    Attributes:
        frame_count: frames so far. groups: those that are written.

    Raises:
        OutputError: the file is there, cannot be written, or another process writes it.
        UsageError: a setting that makes no sense. FormatError: what is there is no sequence.

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
        self.path, self.group = Path(path), group
        self.tell, self.on_group = tell, on_group
        self.frame_seconds = None if fps is None else 1 / _positive(fps)
        self.codec = codec or Codec(weights, device)
        self.settings = settings if quality is None else {**settings, "quality": quality}
        self.request: Request = self.codec.request_for(None, self.settings)
        if self.request.target_psnr or self.request.target_bytes:
            raise UsageError("targets are of single images: a sequence is written once, with a quality")
        self.groups: list[GroupEntry] = []
        self.tasks: dict[str, tuple[Any, ...]] = {}  # by name: what may not change
        self._names: set[str] = set()
        self._last_time: Fraction | None = None
        self._pending = _Pending()
        self._told: set[str] = set()
        self._file: BinaryIO | None = self._open(append, force)

    # --- opened and closed ---------------------------------------------------------------------------------

    def _open(self, append: bool, force: bool) -> BinaryIO:
        """The file, locked, and positioned behind its last whole group."""
        is_there = self.path.exists()
        if is_there and not (append or force):
            raise OutputError(
                "exists already (append=True goes on with it, force=True replaces it)", path=self.path
            )
        try:
            file = self.path.open("r+b" if is_there else "x+b")
        except OSError as error:
            raise OutputError(f"cannot write it: {error.strerror or error}", path=self.path) from error
        try:
            _lock(file, self.path)
            if is_there and append and self.path.stat().st_size:
                end = self._read_existing()
                file.seek(end)
                file.truncate()
            else:
                file.truncate(0)
                file.write(BEGINNING)
                file.flush()
        except BaseException:
            file.close()
            raise
        return file

    def _read_existing(self) -> int:
        """Take over the groups that are there; where they end."""
        source = FileSource(self.path)
        try:
            index = read_index(source)
        except FormatError as error:
            raise error.at(path=self.path) from None
        if index.problem:
            self.tell(Loss(f"{self.path}: {index.problem}"))
        for entry in index.groups:
            header = Reader(GroupFile(source, entry)).header  # type: ignore[arg-type]
            self._check_tasks(header)
            self._add_entry(header, entry.offset)
        return index.end

    def __enter__(self) -> SequenceWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            with suppress(Exception):
                self.close()

    def close(self) -> None:
        """Write the frames that wait, and the index. The file is closed whatever happens."""
        if self._file is None:
            return
        try:
            self.flush()
            self._write(pack_index(self.groups, list(self.tasks)))
        finally:
            self._file.close()
            self._file = None

    # --- frames --------------------------------------------------------------------------------------------

    @property
    def frame_count(self) -> int:
        return sum(group.frame_count for group in self.groups) + len(self._pending.scenes)

    def append(
        self,
        frame: Mapping[str, Any],
        time: Seconds | Mapping[str, Seconds] | None = None,
        name: str | None = None,
        attach: Mapping[str, bytes] | None = None,
        layout: str = "auto",
    ) -> None:
        """Add a frame.

        Args:
            frame: images by task as :meth:`mtcodec.Codec.encode` takes them; it may lack tasks. All images of a
                task have one size and dtype. Numbers, () and (N,), are kept exactly; tables (H, W) are, if the
                setting ``numbers`` names them.
            time: in seconds, or by task where clocks differ; texts and Fractions are exact. They do not descend.
            name: by default the frame's number, such as ``000012``.
            attach: small files to keep beside it, by name.

        Raises:
            SceneError: the images are not what their tasks declare, or differ from those before.
            UsageError: a time that is missing or descends, a name that is taken.
        """
        if self._file is None:
            raise UsageError("the sequence is closed", path=self.path)
        scene = stored_scene(frame, self.request, layout)
        if not scene:
            raise SceneError("a frame without images")
        number = self.frame_count
        name = f"{number:06d}" if name is None else name
        if name in self._names:
            raise UsageError(f"two frames are called {name!r}", path=self.path)
        self._check_images(scene)
        when, task_times = self._time_of(number, time)
        self._names.add(name)
        pending = self._pending
        pending.scenes.append(scene)
        pending.names.append(name)
        pending.task_times.append(task_times)
        pending.attached |= attach or {}
        if when is not None:
            pending.times.append(when)
            self._last_time = when
        if len(pending.scenes) == self.group:
            self.flush()

    def _time_of(
        self, number: int, time: Seconds | Mapping[str, Seconds] | None
    ) -> tuple[Fraction | None, dict[str, Fraction]]:
        """The time of a frame, and those of its tasks; frames have times all or none."""
        by_task = {task: _exact(at) for task, at in time.items()} if isinstance(time, Mapping) else {}
        if by_task:
            when: Fraction | None = min(by_task.values())
        elif time is not None and not isinstance(time, Mapping):
            when = _exact(time)
        else:
            when = None if self.frame_seconds is None else number * self.frame_seconds
        if number and (when is None) != (self._last_time is None):
            raise UsageError(f"frame {number} has {'no' if when is None else 'a'} time, others differ")
        if when is not None and self._last_time is not None and when < self._last_time:
            raise UsageError(f"times descend: {float(when):g} after {float(self._last_time):g} seconds")
        return when, by_task

    def _check_images(self, scene: Mapping[str, Any]) -> None:
        """Raise SceneError where images differ in size or dtype from those that wait."""
        for name, image in scene.items():
            for other in self._pending.scenes:
                if name in other and (other[name].shape, other[name].dtype) != (image.shape, image.dtype):
                    raise SceneError(
                        f"{image.dtype} {image.shape}, but {other[name].dtype} {other[name].shape} before",
                        task=name,
                    )

    # --- groups --------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write the frames that wait as a group, though it is not full."""
        if not self._pending.scenes:
            return
        pending, self._pending = self._pending, _Pending()
        present = {name for scene in pending.scenes for name in scene}
        encoded = self.codec.encode_group(
            pending.scenes, pending.timeline(),
            **{**vars(self.request.for_tasks(present)), "attach": pending.attached},
        )  # fmt: skip
        data = encoded.to_bytes()
        header = Reader(data).header
        self._check_tasks(header)
        offset = self.groups[-1].offset + self.groups[-1].size if self.groups else len(BEGINNING)
        self._write(data)
        self._add_entry(header, offset)
        for line in (*encoded.prepared.messages, *encoded.prepared.warnings):
            if line not in self._told:
                self._told.add(line)
                self.tell(line)
        if self.on_group is not None:
            self.on_group(encoded)

    def _check_tasks(self, header: Header) -> None:
        """Raise SceneError where a task is not what it was in groups before."""
        for name in header.tasks:
            attributes = header.task(name).attributes
            facts = (attributes.dtype, attributes.channels, attributes.shape, header.size_of(name))
            if self.tasks.setdefault(name, facts) != facts:
                raise SceneError(
                    f"{facts[0]} {facts[3]}, but {self.tasks[name][0]} {self.tasks[name][3]} before",
                    task=name,
                )

    def _add_entry(self, header: Header, offset: int) -> None:
        self.groups.append(entry_of(header, offset))
        frames = header.frames
        assert frames is not None
        self._names.update(frames.names)
        if frames.rate and (self._last_time is None or frames.ticks[-1] >= self._last_time * frames.rate):
            self._last_time = Fraction(frames.ticks[-1], frames.rate)

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write it: {error.strerror or error}", path=self.path) from error


def _exact(seconds: Seconds) -> Fraction:
    """A time as it is written in decimals."""
    try:
        return seconds if isinstance(seconds, Fraction) else Fraction(str(seconds))
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"not a time in seconds: {seconds!r}") from error


def _positive(fps: Seconds) -> Fraction:
    number = _exact(fps)
    if not 0 < number <= 10**6:
        raise UsageError(f"not a number of frames a second: {fps!r}")
    return number


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep others from writing the file while it is open.

    Raises:
        OutputError: another process writes it.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputError("another process is writing it", path=path) from error
