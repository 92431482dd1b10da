"""What comes back of a sequence that was killed, cut off or damaged."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from shared.clips import FAST, damaged, depths, frame_of, without_index, write_clip

import mtcodec
from mtcodec.container import read_through
from mtcodec.container.cursor import varint
from mtcodec.container.sequence import BEGINNING, TRAILER, TRAILER_MAGIC, GroupEntry, pack_index
from mtcodec.errors import FormatError, MtcodecWarning, SectionError, UsageError

pytestmark = pytest.mark.filterwarnings("ignore:.*read through.*:mtcodec.errors.MtcodecWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Five groups of two frames."""
    path = write_clip(tmp_path_factory.mktemp("clip") / "c.mtc", 10, group=2, fps=30)
    return path.read_bytes()


def groups_of(data: bytes) -> tuple[GroupEntry, ...]:
    return mtcodec.open(data).index.groups


# --- kills -------------------------------------------------------------------------------------------------

WRITE = """
import sys
sys.path.insert(0, sys.argv[2])
from shared.clips import FAST, frame_of
import mtcodec
with mtcodec.SequenceWriter(sys.argv[1], group=2, append=True, **FAST) as writer:
    print(writer.frame_count, flush=True)
    for number in range(writer.frame_count, 10**6):
        writer.append(frame_of(number))
"""


@pytest.mark.processes
def test_a_kill_at_any_moment(tmp_path: Path) -> None:
    """The writer is killed again and again, and goes on each time from the last whole group."""
    path, counts = tmp_path / "c.mtc", [0]
    for delay in (0.05, 0.11, 0.02, 0.17):
        command = [sys.executable, "-c", WRITE, str(path), str(Path(__file__).parents[1])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            first = int(process.stdout.readline())
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        assert first == counts[-1]
        clip = mtcodec.open(path)
        counts.append(len(clip))
        assert np.array_equal(
            np.array([frame["depth"] for frame in clip]), depths(range(len(clip))) if len(clip) else []
        )
    assert counts == sorted(counts) and counts[-1] > counts[0]


def test_every_prefix(data: bytes, tmp_path: Path) -> None:
    """A kill leaves a prefix: its whole groups come back, and the writer goes on behind them."""
    ends = [group.offset + group.size for group in groups_of(data)]
    sample = {
        *range(0, len(data), 37),
        *ends,
        *(end - 1 for end in ends),
        *(end + 1 for end in ends),
        len(data) - 1,
    }
    for size in sorted(sample - {len(data)}):
        prefix = data[:size]
        if size < len(BEGINNING):
            with pytest.raises(FormatError):
                mtcodec.open(prefix)
            continue
        clip = mtcodec.open(prefix)
        whole = sum(end <= size for end in ends)
        assert len(clip) == 2 * whole, size
        assert clip.index.end == (ends[whole - 1] if whole else len(BEGINNING)) and clip.index.lost == 0
    for size in (len(BEGINNING), ends[0] + 5, ends[2], len(data) - 1):
        path = tmp_path / f"{size}.mtc"
        path.write_bytes(data[:size])
        with mtcodec.SequenceWriter(path, group=2, append=True, fps=30, **FAST) as writer:
            for number in range(writer.frame_count, 10):
                writer.append(frame_of(number))
        assert path.read_bytes() == data  # as if it had never been killed


def test_a_file_without_index_says_so(data: bytes) -> None:
    with pytest.warns(MtcodecWarning, match="there is no index, so it was read through: 5 groups"):
        assert len(mtcodec.open(without_index(data))) == 10
    with pytest.warns(MtcodecWarning, match="1 group, 9 bytes at the end are no whole group"):
        mtcodec.open(data[: groups_of(data)[1].offset + 9])


# --- damage ------------------------------------------------------------------------------------------------


def check_all_but(data: bytes, lost: set[int]) -> None:
    """All frames but those of some groups are right."""
    clip = mtcodec.open(data)
    for number in range(10):
        if number // 2 in lost:
            with pytest.raises(FormatError):
                clip[number]
        else:
            assert np.array_equal(clip[number]["depth"], frame_of(number)["depth"])
            assert clip.frames([number])[0].keys() == {"rgb", "depth"}


@pytest.mark.parametrize("group", range(5))
def test_a_damaged_header_costs_its_group(data: bytes, group: int) -> None:
    hurt = damaged(data, groups_of(data)[group].offset + 9)
    check_all_but(hurt, {group})
    clip = mtcodec.open(without_index(data)[: groups_of(data)[-1].offset + groups_of(data)[-1].size])
    assert len(clip) == 10
    clip = mtcodec.open(without_index(hurt))
    expected = [number for number in range(10) if number // 2 != group]
    assert np.array_equal(clip[:]["depth"], depths(expected))
    assert clip.names == [f"{number:06d}" for number in expected]
    assert group == 4 or clip.index.lost == groups_of(data)[group].size


def test_a_damaged_section_costs_a_task_in_its_group(data: bytes) -> None:
    clip = mtcodec.open(data)
    section = clip.group(2).header.task("depth")
    hurt = mtcodec.open(damaged(data, clip.index.groups[2].offset + section.offset + 3))
    with pytest.raises(SectionError, match="depth"):
        hurt[4]
    lost: list[SectionError] = []
    frames = hurt.frames(range(10), on_damage=lost.append)
    assert [sorted(frame) for frame in frames] == [["depth", "rgb"]] * 4 + [["rgb"]] * 2 + [
        ["depth", "rgb"]
    ] * 4
    assert {error.task for error in lost} == {"depth"}
    assert np.array_equal(hurt.frames([5], tasks="rgb")[0]["rgb"], clip[5]["rgb"])


@pytest.mark.parametrize("keeps_index", [True, False])
@pytest.mark.parametrize("group", [0, 2, 3, 4])
def test_bytes_that_are_missing_cost_a_group(data: bytes, group: int, keeps_index: bool) -> None:
    """A hole in a file moves all groups behind it: they are found again, whatever the index says."""
    entry = groups_of(data)[group]
    end = entry.offset + entry.size
    hurt = data[: end - 70] + data[end:]
    clip = mtcodec.open(hurt if keeps_index else without_index(data)[: end - 70] + without_index(data)[end:])
    names = [f"{number:06d}" for number in range(10)]
    others = [name for number, name in enumerate(names) if number // 2 != group]
    assert [name for name in clip.names if name in others] == others
    for number, name in enumerate(clip.names):
        if name in others:
            assert np.array_equal(clip[number]["depth"], frame_of(int(name))["depth"])


def test_garbage_between_groups(data: bytes) -> None:
    offset = groups_of(data)[2].offset
    clip = mtcodec.open(data[:offset] + b"MTCMTC\x41garbage" * 3 + data[offset:])
    assert np.array_equal(clip[:]["depth"], depths(range(10)))
    assert (
        clip.index.lost == len(b"MTCMTC\x41garbage") * 3
        and "42 bytes among them are damaged" in clip.index.problem
    )


def test_a_damaged_file_is_not_gone_on_with(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c.mtc"
    path.write_bytes(damaged(without_index(data), groups_of(data)[1].offset + 9))
    before = path.read_bytes()
    with pytest.raises(FormatError, match="damaged among its groups"):
        mtcodec.SequenceWriter(path, append=True)
    assert path.read_bytes() == before


# --- hostile indexes ---------------------------------------------------------------------------------------


def with_index(data: bytes, index: bytes) -> bytes:
    return without_index(data) + index + TRAILER.pack(len(index), zlib.crc32(index), TRAILER_MAGIC)


def index_of(data: bytes) -> bytes:
    return data[mtcodec.open(data).index.end : -TRAILER.size]


def test_an_index_of_other_groups_is_not_believed(data: bytes) -> None:
    groups = groups_of(data)
    longer = GroupEntry(0, groups[0].size + 1, 2, 30, 0)
    for entries in (groups[:-1], (longer, *groups[1:]), (*groups, groups[-1]), ()):
        forged = without_index(data) + pack_index(entries, ["rgb", "depth"])
        clip = mtcodec.open(forged)
        assert "not that of the file" in clip.index.problem
        assert np.array_equal(clip[:]["depth"], depths(range(10)))


def test_an_index_that_tells_other_frames_is_an_error(data: bytes) -> None:
    first, *others = groups_of(data)
    for wrong in (
        GroupEntry(4, first.size, 3, 30, 0),
        GroupEntry(4, first.size, 2, 30, 1),
        GroupEntry(4, first.size, 2),
    ):
        clip = mtcodec.open(without_index(data) + pack_index((wrong, *others), ["rgb", "depth"]))
        with pytest.raises(FormatError, match="not the group that the index tells"):
            clip[0]
    clip = mtcodec.open(without_index(data) + pack_index((first, *others), ["rgb"]))
    with pytest.raises(FormatError, match="not the group that the index tells"):
        clip[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index + b"\0",
        lambda index: index[:-1],
        lambda index: b"\x01\x03RGB" + index[1:],
        lambda index: b"\xff" * 40,
        lambda index: b"\x02\x03rgb\x03rgb\0",
        lambda index: b"\0" + varint((1 << 27) - 1),
        lambda index: b"\0\xff\xff\xff\xff\x7f",
        lambda index: b"",
        lambda index: b"\0\x01" + varint(20) + b"\x41\0",
        lambda index: b"\0\x01" + varint(20) + b"\x80\0\0",
    ],
)
def test_an_index_that_breaks_the_rules_is_left_aside(data: bytes, change: object) -> None:
    clip = mtcodec.open(with_index(data, change(index_of(data))))  # type: ignore[operator]
    assert clip.index.problem and np.array_equal(clip[:]["depth"], depths(range(10)))


def test_a_trailer_that_tells_too_much(data: bytes) -> None:
    for length in (2**32 - 1, len(data), len(index_of(data)) + 1):
        trailer = struct.pack("<II4s", length, 0, TRAILER_MAGIC)
        assert len(mtcodec.open(without_index(data) + index_of(data) + trailer)) == 10


def test_work_behind_damage_is_bounded(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_through, "MAX_TRIES", 100)
    tried: list[int] = []
    parse = read_through.parse
    monkeypatch.setattr(read_through, "parse", lambda data: tried.append(1) or parse(data))
    clip = mtcodec.open(BEGINNING + b"MTCA" * 100_000)
    assert len(clip) == 0 and len(tried) <= 2 * 102
    start = time.process_time()
    read_through.MAX_TRIES = 10_000
    mtcodec.open(BEGINNING + b"MTCA" * (1 << 20))
    assert time.process_time() - start < 2


def test_names_and_times_that_repeat_between_groups(data: bytes) -> None:
    groups = groups_of(data)
    twice = BEGINNING + data[groups[1].offset : groups[2].offset] * 2
    entry = groups[1]
    clip = mtcodec.open(twice + pack_index([entry, entry], ["rgb", "depth"]))
    with pytest.raises(FormatError, match="two frames are called '000002'"):
        clip.names  # noqa: B018
    back = data[groups[1].offset : groups[2].offset] + data[groups[0].offset : groups[1].offset]
    clip = mtcodec.open(BEGINNING + back + pack_index([groups[1], groups[0]], ["rgb", "depth"]))
    with pytest.raises(FormatError, match="times of groups descend"):
        clip.at(0.05)


def test_too_many_tasks_for_an_index() -> None:
    with pytest.raises(UsageError, match="at most 255 tasks"):
        pack_index([], [f"t{k}" for k in range(256)])
