"""``mtcodec.SequenceWriter``: what it keeps, and that frames are refused before they do harm."""

from __future__ import annotations

import errno
import gc
import os
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared.clips import FAST, depths, frame_of, write_clip

import mtcodec
from mtcodec import SequenceWriter
from mtcodec.errors import FormatError, MtcodecWarning, OutputError, SceneError, UsageError
from mtcodec.sequences import append_file, pending

Frame = dict[str, np.ndarray]


def same(path: Path, numbers: range) -> bool:
    clip = mtcodec.open(path)
    return len(clip) == len(numbers) and bool(np.array_equal(clip[:]["depth"], depths(numbers)))


def test_a_group_is_on_the_disk_when_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / "c.mtc"
    with SequenceWriter(path, group=3, **FAST) as writer:
        for number in range(7):
            writer.append(frame_of(number))
            assert writer.frame_count == number + 1
            if number >= 2:
                with pytest.warns(MtcodecWarning, match="no index"):
                    assert len(mtcodec.open(path)) == (number + 1) // 3 * 3
    assert same(path, range(7)) and [g.frame_count for g in mtcodec.open(path).index.groups] == [3, 3, 1]


def test_a_buffer_can_be_used_again(tmp_path: Path) -> None:
    buffer = frame_of(0)["depth"].copy()
    with SequenceWriter(tmp_path / "c.mtc", **FAST) as writer:
        for number in range(5):
            buffer[:] = frame_of(number)["depth"]
            writer.append({"depth": buffer})
    assert same(tmp_path / "c.mtc", range(5))


def test_names_and_fps(tmp_path: Path) -> None:
    with SequenceWriter(tmp_path / "c.mtc", fps=25, **FAST) as writer:
        for name in ("left", None, "000002", None, "Straße 7", "x" * 100):
            writer.append(frame_of(0), name=name)
    clip = mtcodec.open(tmp_path / "c.mtc")
    assert clip.names == ["left", "000001", "000002", "000003", "Straße 7", "x" * 100]
    assert [clip.exact_time(k) for k in range(6)] == [Fraction(k, 25) for k in range(6)]


# --- what is refused ---------------------------------------------------------------------------------------

BAD: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "no images": ({}, {}, SceneError, "without images"),
    "no scene": ([1, 2], {}, SceneError, "dictionary"),
    "another size": ({"depth": np.ones((8, 8), np.uint16)}, {}, SceneError, "8×8, but uint16 20×12 before"),
    "another dtype": ({"depth": np.ones((12, 20), np.float32)}, {}, SceneError, "float32"),
    "more channels": ({"rgb": np.ones((12, 20, 4), np.uint8)}, {}, SceneError, "×4, but"),
    "not a depth": ({"depth": np.ones((12, 20, 3), np.uint16)}, {}, SceneError, "3 channels"),
    "complex": ({"depth": np.ones((12, 20), complex)}, {}, SceneError, "dtype complex128"),
    "a name of a task": ({"Depth!": np.ones((12, 20), np.uint16)}, {}, UsageError, "not a task name"),
    "a name that is taken": (frame_of(1), {"name": "000000"}, UsageError, "two frames are called '000000'"),
    "a path": (frame_of(1), {"name": "a/b"}, UsageError, "not a name"),
    "a hidden name": (frame_of(1), {"name": ".x"}, UsageError, "not a name"),
    "an empty name": (frame_of(1), {"name": ""}, UsageError, "not a name"),
    "a long name": (frame_of(1), {"name": "x" * 101}, UsageError, "not a name"),
    "no time": (frame_of(1), {"time": None}, UsageError, "no time"),
    "an earlier time": (frame_of(1), {"time": 4.9}, UsageError, "times descend: 4.9 after 5"),
    "a time by task": (frame_of(1), {"time": {"smell": 6}}, UsageError, "'smell', which the frame lacks"),
    "not a time": (frame_of(1), {"time": float("nan")}, UsageError, "not a time"),
    "nanoseconds": (frame_of(1), {"time": 1_700_000_000_123_456_789}, UsageError, "nanoseconds"),
    "a text": (frame_of(1), {"time": "noon"}, UsageError, "not a time"),
    "not bytes": (frame_of(1), {"attach": {"a.txt": "text"}}, UsageError, "not bytes"),
    "a path attached": (frame_of(1), {"attach": {"../a": b""}}, UsageError, "plain file name"),
    "an image's name": (frame_of(1), {"attach": {"depth.png": b""}}, UsageError, "what an image"),
    "too much": (frame_of(1), {"attach": {"a": bytes(1 << 16), "b": b"1"}}, UsageError, "65536 bytes"),
    "another file": (frame_of(1), {"attach": {"a.txt": b"2"}}, UsageError, "two different attached files"),
}


@pytest.mark.parametrize(("frame", "arguments", "error", "words"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("waits", [True, False])
def test_a_frame_that_is_refused_leaves_no_trace(
    frame: Any, arguments: dict[str, Any], error: type[Exception], words: str, waits: bool, tmp_path: Path
) -> None:
    path = tmp_path / "c.mtc"
    with SequenceWriter(path, group=4, **FAST) as writer:
        writer.append(frame_of(0), 5, attach={"a.txt": b"1"})
        if not waits:
            writer.flush()
        with pytest.raises(error, match=words):
            writer.append(frame, **{"time": 6, **arguments})
        assert writer.frame_count == 1
        writer.append(frame_of(1), 5.5)
    assert same(path, range(2)) and mtcodec.open(path).times == [5, 5.5]
    assert mtcodec.open(path).attachments() == {"a.txt": b"1"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"group": 0}, "1 to 64"),
        ({"group": 65}, "1 to 64"),
        ({"fps": 0}, "frames a second"),
        ({"fps": "x"}, "frames a"),
        ({"fps": -1}, "frames a second"),
        ({"fps": float("nan")}, "frames a second"),
        ({"target_psnr": {"rgb": 30}}, "targets"),
        ({"target_bytes": 9}, "targets"),
        ({"quality": 101}, "0 to 100"),
        ({"attach": {"a": b""}}, "attached to frames"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        SequenceWriter(tmp_path / "c.mtc", **settings)
    assert not (tmp_path / "c.mtc").exists()


def test_settings_of_a_task_that_never_comes_are_told(tmp_path: Path) -> None:
    with pytest.warns(MtcodecWarning, match="settings of depht, which no frame has"):
        write_clip(tmp_path / "c.mtc", 2, max_error={"depht": 0, "depth": 0})


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mtc", 3)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        SequenceWriter(path)
    assert path.read_bytes() == before
    with SequenceWriter(path, force=True, **FAST) as writer:
        writer.append(frame_of(7))
    assert same(path, range(7, 8))


def test_a_closed_writer_refuses_frames(tmp_path: Path) -> None:
    writer = SequenceWriter(tmp_path / "c.mtc", **FAST)
    writer.append(frame_of(0))
    writer.close()
    writer.close()
    with pytest.raises(UsageError, match="closed"):
        writer.append(frame_of(1))
    assert same(tmp_path / "c.mtc", range(1))


def test_a_sequence_without_frames(tmp_path: Path) -> None:
    SequenceWriter(tmp_path / "c.mtc").close()
    clip = mtcodec.open(tmp_path / "c.mtc")
    assert len(clip) == 0 and clip.tasks == () and list(clip) == [] and clip[:] == {} and clip.names == []
    assert clip.times is None
    with pytest.raises(UsageError):
        clip.at(0)
    with SequenceWriter(tmp_path / "c.mtc", append=True, **FAST) as writer:
        writer.append(frame_of(0))
    assert same(tmp_path / "c.mtc", range(1))


def test_what_waits_is_written_when_a_program_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), SequenceWriter(tmp_path / "c.mtc", **FAST) as writer:
        writer.append(frame_of(0))
        raise KeyError
    assert same(tmp_path / "c.mtc", range(1))


def test_a_forgotten_writer_writes_what_waits(tmp_path: Path) -> None:
    SequenceWriter(tmp_path / "c.mtc", **FAST).append(frame_of(0))
    gc.collect()
    assert same(tmp_path / "c.mtc", range(1))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.mtc"
    writer = SequenceWriter(path, **FAST)
    writer.append(frame_of(0))
    child = os.fork()
    if not child:
        writer.close()
        del writer
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    writer.append(frame_of(1))
    writer.close()
    assert same(path, range(2))


def test_two_writers(tmp_path: Path) -> None:
    path = tmp_path / "c.mtc"
    writer = SequenceWriter(path, **FAST)
    writer.append(frame_of(0))
    for arguments in ({"append": True}, {"force": True}):
        with pytest.raises(OutputError, match="another process is writing"):
            SequenceWriter(path, **arguments)
    writer.close()
    assert same(path, range(1))


# --- groups and their limits -------------------------------------------------------------------------------


def test_groups_end_before_their_limit_of_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MAX_PIXELS", 3 * 12 * 20)
    told: list[str] = []
    write_clip(tmp_path / "c.mtc", 8, group=16, tell=told.append)
    assert [group.frame_count for group in mtcodec.open(tmp_path / "c.mtc").index.groups] == [3, 3, 2]
    assert [line for line in told if "fewer than 16 frames" in line] != []
    assert same(tmp_path / "c.mtc", range(8))


def test_attached_files_are_by_frame_and_limited_by_group(tmp_path: Path) -> None:
    told: list[str] = []
    with SequenceWriter(tmp_path / "c.mtc", tell=told.append, **FAST) as writer:
        for number in range(10):
            writer.append(frame_of(number), attach={f"{number}-{k}.txt": bytes([k]) for k in range(20)})
    clip = mtcodec.open(tmp_path / "c.mtc")
    assert [group.frame_count for group in clip.index.groups] == [3, 3, 3, 1]
    assert len(clip.attachments()) == 200 and set(clip.attachments([3])) == {f"9-{k}.txt" for k in range(20)}
    assert clip.attachments()["7-4.txt"] == b"\x04"
    assert sum("fewer than 16 frames" in line for line in told) == 1


def test_a_file_of_all_frames_is_kept_once_a_group(tmp_path: Path) -> None:
    with SequenceWriter(tmp_path / "c.mtc", group=2, **FAST) as writer:
        for number in range(4):
            writer.append(frame_of(number), attach={"camera.json": b"{}"})
    clip = mtcodec.open(tmp_path / "c.mtc")
    assert clip.attachments([1]) == clip.attachments() == {"camera.json": b"{}"}


# --- goes on -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_index", [True, False])
@pytest.mark.parametrize("tail", [b"", b"M", b"MTC\x41 and no more"])
def test_a_writer_goes_on(has_index: bool, tail: bytes, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mtc", 6, fps=30)
    if not has_index or tail:
        end = mtcodec.open(path).index.end
        path.write_bytes(path.read_bytes()[:end] + tail)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with SequenceWriter(path, append=True, group=4, fps=10, **FAST) as writer:
            assert writer.frame_count == 6
            for number in range(6, 11):
                writer.append(frame_of(number))
    lines = [str(warning.message) for warning in caught if "read through" in str(warning.message)]
    assert len(lines) == (not has_index or tail != b"")
    assert same(path, range(11))
    clip = mtcodec.open(path)
    assert clip.names == [f"{number:06d}" for number in range(11)]
    assert clip.exact_time(6) == Fraction(5, 30) + Fraction(1, 10)  # behind the last one


def test_what_cannot_go_on(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mtc", 3, fps=30)
    before = path.read_bytes()
    with SequenceWriter(path, append=True, **FAST) as writer:
        for arguments, words in (
            ({}, "no time"),
            ({"time": 0.01}, "descend"),
            ({"time": 9, "name": "000001"}, "two frames"),
        ):
            with pytest.raises(UsageError, match=words):
                writer.append(frame_of(3), **arguments)  # type: ignore[arg-type]
        with pytest.raises(SceneError, match="before"):
            writer.append({"depth": np.ones((3, 3), np.uint16)}, 9)
    assert path.read_bytes() == before
    scene = tmp_path / "scene.mtc"
    scene.write_bytes(mtcodec.encode(frame_of(0), **FAST))
    before = scene.read_bytes()
    with pytest.raises(FormatError, match="not an mtc sequence"):
        SequenceWriter(scene, append=True)
    assert scene.read_bytes() == before


def test_names_that_numbers_have_already(tmp_path: Path) -> None:
    with SequenceWriter(tmp_path / "c.mtc", **FAST) as writer:
        writer.append(frame_of(0), name="000001")
        writer.append(frame_of(1))
        writer.append(frame_of(2), name="000003")
        writer.append(frame_of(3))
    assert mtcodec.open(tmp_path / "c.mtc").names == ["000001", "000002", "000003", "000004"]


# --- disks -------------------------------------------------------------------------------------------------


class FullDisk:
    """A file of which only so many bytes fit; ``None``: no limit."""

    def __init__(self, file: Any, room: int | None) -> None:
        self.file, self.room = file, room

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, data: bytes) -> int:
        if self.room is not None:
            data = data[: max(0, self.room - self.file.tell())]
            if not data:
                raise OSError(errno.ENOSPC, "No space left on device")
        return int(self.file.write(data))


def test_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "c.mtc"
    writer = SequenceWriter(path, group=4, **FAST)
    for number in range(4):
        writer.append(frame_of(number))
    size = path.stat().st_size
    disk = FullDisk(writer._file._file, size + 40)  # type: ignore[union-attr]
    writer._file._file = disk  # type: ignore[union-attr, assignment]
    for number in range(4, 7):
        writer.append(frame_of(number))
    with pytest.raises(OutputError, match="No space left"):
        writer.append(frame_of(7))
    with pytest.raises(OutputError, match="No space left"):
        writer.append(frame_of(8))
    assert path.stat().st_size == size and writer.frame_count == 8
    disk.room = None
    writer.append(frame_of(8))
    writer.close()
    assert same(path, range(9))


def test_a_disk_that_stays_full(tmp_path: Path) -> None:
    path = tmp_path / "c.mtc"
    with pytest.raises(OutputError, match="No space left"), SequenceWriter(path, group=2, **FAST) as writer:
        for number in range(2):
            writer.append(frame_of(number))
        writer._file._file = FullDisk(writer._file._file, path.stat().st_size + 40)  # type: ignore
        writer.append(frame_of(2))
    assert same(path, range(2))  # the index fits


@pytest.mark.parametrize("name", ["no/such/directory.mtc", "."])
def test_where_nothing_can_be_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write it"):
        SequenceWriter(tmp_path / name, force=True)


def test_locks_are_given_back(tmp_path: Path) -> None:
    file = append_file.AppendFile(tmp_path / "c.mtc", force=False)
    file.close()
    append_file.AppendFile(tmp_path / "c.mtc", force=False).close()


# --- values that only a group shows ------------------------------------------------------------------------


def test_a_group_that_cannot_be_encoded_says_which_frames(tmp_path: Path) -> None:
    path = tmp_path / "c.mtc"
    huge = {"depth": np.full((12, 20), 1e300)}
    with (
        pytest.raises(SceneError, match=r"float32 cannot hold \(among frames 2 to 3\)"),
        SequenceWriter(path, group=2, coding="classical") as w,
    ):
        for number in range(2):
            w.append({"depth": np.full((12, 20), 1.0 + number)})
        for _ in range(2):
            w.append(huge)
    assert len(mtcodec.open(path)) == 2
