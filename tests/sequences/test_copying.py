"""``cut`` and ``concat``: groups are copied; names, times and attached files change only where they clash."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared.clips import FAST, damaged, depths, frame_of, write_clip

import mtcodec
from mtcodec.errors import FormatError, SceneError, UsageError
from mtcodec.sequences.copying import Copied, cut
from mtcodec.sequences.joining import concat


def joined(*clips: mtcodec.Sequence) -> tuple[mtcodec.Sequence, Copied]:
    out = bytearray()
    copied = concat(clips, out.extend)
    return mtcodec.open(out), copied


def steps(times: Any) -> list[Fraction]:
    return [after - before for before, after in pairwise(times)]


def timed(path: Path, times: list[Any], **settings: Any) -> mtcodec.Sequence:
    with mtcodec.SequenceWriter(path, **{"group": 2, **FAST, **settings}) as writer:
        for number, time in enumerate(times):
            writer.append(frame_of(number), time)
    return mtcodec.open(path)


@pytest.fixture
def clip(tmp_path: Path) -> mtcodec.Sequence:
    return mtcodec.open(write_clip(tmp_path / "clip.mtc", 7, group=3, fps=10))


# --- cut ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "kept"),
    [
        (None, (0, 7)),
        (slice(3, 6), (3, 6)),
        (slice(4, 5), (3, 6)),
        (slice(2, 4), (0, 6)),
        (slice(-1, None), (6, 7)),
    ],
)
def test_groups_are_copied_whole(clip: mtcodec.Sequence, frames: slice | None, kept: tuple[int, int]) -> None:
    out = bytearray()
    copied = cut(clip, out.extend, frames)
    again = mtcodec.open(out)
    assert again.names == clip.names[slice(*kept)] and again.times == (clip.times or [])[slice(*kept)]
    assert np.array_equal(again[:]["depth"], depths(range(*kept)))
    is_exact = frames is None or range(*frames.indices(7)) == range(*kept)
    assert copied.frames == kept[1] - kept[0] and bool(copied.notes) == (not is_exact)


def test_tasks_are_cut(clip: mtcodec.Sequence) -> None:
    out = bytearray()
    cut(clip, out.extend, None, ["depth"])
    assert mtcodec.open(out).tasks == ("depth",) and np.array_equal(
        mtcodec.open(out)[:]["depth"], depths(range(7))
    )
    with pytest.raises(UsageError, match="no task 'smell'"):
        cut(clip, out.extend, None, ["smell"])


@pytest.mark.parametrize("frames", [slice(9, 12), slice(4, 4), slice(5, 2)])
def test_no_such_frames(clip: mtcodec.Sequence, frames: slice) -> None:
    with pytest.raises(UsageError, match="no such frames: there are 7"):
        cut(clip, bytearray().extend, frames)


def test_damage_is_not_copied(clip: mtcodec.Sequence) -> None:
    data = Path(clip.source.label).read_bytes()
    entry = clip.index.groups[1]
    hurt = mtcodec.open(damaged(data, entry.offset + entry.size - 3))
    with pytest.raises(FormatError, match="group 1"):
        cut(hurt, bytearray().extend)
    out = bytearray()
    cut(hurt, out.extend, slice(6, 7))
    assert np.array_equal(mtcodec.open(out)[:]["depth"], depths([6]))


# --- concat ------------------------------------------------------------------------------------------------


def test_clips_follow_each_other(clip: mtcodec.Sequence) -> None:
    both, copied = joined(clip, clip)
    assert np.array_equal(both[:]["depth"], depths([*range(7), *range(7)]))
    assert both.names == [*clip.names, *(f"2-{name}" for name in clip.names)]
    assert [both.exact_time(k) for k in range(14)] == [Fraction(k, 10) for k in range(14)]
    assert len(copied.notes) == 2 and (copied.frames, copied.groups) == (14, 6)


def test_names_stay_unique_however_often_clips_are_joined(clip: mtcodec.Sequence) -> None:
    both, _ = joined(clip, clip)
    third, _ = joined(both, clip)
    fourth, _ = joined(clip, third, both)
    for each, count in ((third, 21), (fourth, 42)):
        assert len(set(each.names)) == count == len(each)


def test_names_and_times_that_fit_stay(tmp_path: Path, clip: mtcodec.Sequence) -> None:
    data = bytearray()
    cut(clip, data.extend, slice(6, 7))
    start = bytearray()
    cut(clip, start.extend, slice(0, 3))
    both, copied = joined(mtcodec.open(start), mtcodec.open(data))
    assert both.names == ["000000", "000001", "000002", "000006"] and copied.notes == ()
    assert both.times == [0.0, 0.1, 0.2, 0.6]


def test_times_of_groups_with_other_rates_move_alike(tmp_path: Path) -> None:
    """A third of a second is no whole number of tenths: no group may move more than the others."""
    first = timed(tmp_path / "a.mtc", [0, "1/3", "2/3"])
    second = timed(tmp_path / "b.mtc", [0, "0.1", "0.15", "0.151", "0.152", "0.1520001"])
    both, _ = joined(first, second)
    times = [both.exact_time(number) for number in range(9)]
    assert times[3:] == [1 + Fraction(t) for t in ("0", "0.1", "0.15", "0.151", "0.152", "0.1520001")]
    third = timed(tmp_path / "c.mtc", [0, Fraction(1, 7)])
    both, _ = joined(third, second)
    moved = [both.exact_time(number) for number in range(8)]
    assert steps(moved[2:]) == steps(times[3:])
    assert moved == sorted(moved) and both.number_at(both.times[4]) == 4  # type: ignore


def test_shifts_that_no_rate_tells_exactly(tmp_path: Path) -> None:
    first = timed(tmp_path / "a.mtc", [0, "1/999999937"])
    second = timed(tmp_path / "b.mtc", [0, "0.000000001", "0.5", "0.75"])
    both, _ = joined(first, second)
    times = [both.exact_time(number) for number in range(6)]
    assert times == sorted(times) and times[2] >= Fraction(2, 999999937)  # type: ignore
    assert steps(times[2:]) == [Fraction(1, 10**9), Fraction("0.499999999"), Fraction(1, 4)]


def test_times_by_task_move_too(tmp_path: Path) -> None:
    times = [{"rgb": Fraction(k, 30), "depth": Fraction(k, 30) + Fraction(1, 100)} for k in range(4)]
    clip = timed(tmp_path / "a.mtc", times)
    both, _ = joined(clip, clip)
    depth = both.task_times("depth")
    assert depth == [Fraction(k, 30) + Fraction(1, 100) for k in range(8)]


def test_attached_files_that_differ_are_renamed(tmp_path: Path) -> None:
    clips = []
    for content in (b"one", b"two", b"three"):
        path = tmp_path / f"{content.decode()}.mtc"
        with mtcodec.SequenceWriter(path, group=1, **FAST) as writer:
            for number in range(2):
                writer.append(frame_of(number), attach={"camera.json": content, "same.txt": b"same"})
        clips.append(mtcodec.open(path))
    all_three, copied = joined(*clips)
    assert all_three.attachments() == {
        "camera.json": b"one",
        "2-camera.json": b"two",
        "3-camera.json": b"three",
        "same.txt": b"same",
    }
    assert any("camera.json is called 2-camera.json" in line for line in copied.notes)
    again, _ = joined(all_three, clips[1])
    assert again.attachments() == {**all_three.attachments(), "4-camera.json": b"two"}


def test_scenes_are_frames(tmp_path: Path) -> None:
    scene = mtcodec.open(mtcodec.encode(frame_of(0), **FAST))
    both, _ = joined(scene, scene, scene)
    assert both.names == ["frame", "2-frame", "3-frame"] and both.times is None
    assert np.array_equal(both[:]["depth"], depths([0, 0, 0]))


def test_what_does_not_fit(tmp_path: Path, clip: mtcodec.Sequence) -> None:
    small = mtcodec.open(mtcodec.encode({"depth": np.ones((4, 4), np.uint16)}, **FAST))
    untimed = mtcodec.open(write_clip(tmp_path / "u.mtc", 2))
    with pytest.raises(SceneError, match="some have times"):
        joined(clip, untimed)
    with pytest.raises(SceneError, match="4×4, but uint16 20×12 before"):
        joined(untimed, small)
    mtcodec.SequenceWriter(tmp_path / "e.mtc").close()
    with pytest.raises(SceneError, match="without frames"):
        joined(mtcodec.open(tmp_path / "e.mtc"))
    with mtcodec.SequenceWriter(tmp_path / "long.mtc", **FAST) as writer:
        writer.append(frame_of(0), name="x" * 100)
    with pytest.raises(SceneError, match="too long"):
        joined(*[mtcodec.open(tmp_path / "long.mtc")] * 2)
