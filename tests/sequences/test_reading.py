"""``mtcodec.open``: frames by number, slice and time, of files, bytes and pickles; threads and forks."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared.clips import FAST, SIZE, depths, frame_of, write_clip

import mtcodec
from mtcodec.container.mtc import Reader
from mtcodec.errors import FormatError, LimitError, SceneError, UsageError

COUNT = 10


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mtc", COUNT, fps=30)


@pytest.fixture
def clip(path: Path) -> mtcodec.Sequence:
    return mtcodec.open(path)


# --- frames ------------------------------------------------------------------------------------------------


def test_a_frame_is_a_dict(clip: mtcodec.Sequence) -> None:
    assert len(clip) == COUNT and clip.tasks == ("rgb", "depth")
    frame = clip[7]
    assert list(frame) == ["rgb", "depth"]
    assert frame["rgb"].shape == (*SIZE, 3) and frame["rgb"].dtype == np.uint8
    assert np.array_equal(frame["depth"], frame_of(7)["depth"]) and frame["depth"].dtype == np.uint16


@pytest.mark.parametrize("index", [-1, -COUNT, np.int64(3), True])
def test_numbers_are_those_of_lists(clip: mtcodec.Sequence, index: Any) -> None:
    assert np.array_equal(clip[index]["depth"], frame_of(range(COUNT)[index])["depth"])


@pytest.mark.parametrize("index", [COUNT, -COUNT - 1])
def test_numbers_that_are_none(clip: mtcodec.Sequence, index: int) -> None:
    with pytest.raises(IndexError, match="there are 10"):
        clip[index]


@pytest.mark.parametrize(
    "part",
    [
        slice(2, 7),
        slice(None),
        slice(None, None, 3),
        slice(8, 1, -2),
        slice(-3, None),
        slice(5, 6),
        slice(None, None, -1),
        slice(7, 100),
    ],
)
def test_slices_are_stacked(clip: mtcodec.Sequence, part: slice) -> None:
    numbers = range(COUNT)[part]
    stacked = clip[part]
    assert np.array_equal(stacked["depth"], depths(numbers))
    assert stacked["rgb"].shape == (len(numbers), *SIZE, 3)


def test_an_empty_slice_has_no_tasks(clip: mtcodec.Sequence) -> None:
    assert clip[5:5] == {}


def test_frames_in_any_order_of_some_tasks(clip: mtcodec.Sequence) -> None:
    frames = clip.frames([9, 0, -10, 4], tasks=["depth"])
    assert [list(frame) for frame in frames] == [["depth"]] * 4
    assert np.array_equal(np.stack([frame["depth"] for frame in frames]), depths([9, 0, 0, 4]))
    assert [list(frame) for frame in clip.frames([1], tasks="rgb")] == [["rgb"]]
    assert clip.frames([], tasks="rgb") == [] and clip.frames([3], tasks=[]) == [{}]


def test_a_clip_of_some_tasks_reads_only_these(path: Path) -> None:
    clip = mtcodec.open(path, tasks="depth")
    assert list(clip[3]) == ["depth"] and list(clip[3:5]) == ["depth"]
    for tasks in ("rgb", "smell"):
        with pytest.raises(UsageError, match=f"no task '{tasks}'"):
            clip.frames([1], tasks=tasks)
    with pytest.raises(UsageError, match="no task 'smell'"):
        mtcodec.open(path, tasks=["smell"])


def test_iteration_reads_and_decodes_each_group_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [{"reading": np.arange(3) + number} for number in range(64)]
    with mtcodec.SequenceWriter(tmp_path / "c.mtc", group=64) as writer:
        for frame in frames:
            writer.append(frame)
    decoded: list[str] = []
    from mtcodec.codec.decoder import DECODERS

    raw = DECODERS["raw"]
    monkeypatch.setitem(DECODERS, "raw", lambda *a: decoded.append("raw") or raw(*a))  # type: ignore
    found = list(mtcodec.open(tmp_path / "c.mtc"))
    assert all(np.array_equal(a["reading"], b["reading"]) for a, b in zip(found, frames, strict=True))
    assert len(decoded) == 1


def test_what_was_read_is_kept_for_the_next_frame(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = mtcodec.open(path)
    reads: list[int] = []
    read_at = clip.source.read_at
    monkeypatch.setattr(clip.source, "read_at", lambda o, n: reads.append(o) or read_at(o, n))
    for number in range(4):
        clip[number]
    assert len(reads) == 1


# --- sources -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_bytes_are_read(path: Path, form: Any) -> None:
    assert np.array_equal(mtcodec.open(form(path.read_bytes()))[2:4]["depth"], depths([2, 3]))


def test_a_path_stays_the_same_when_the_directory_changes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    clip = mtcodec.open(path.name)
    monkeypatch.chdir("/")
    assert np.array_equal(clip[9]["depth"], frame_of(9)["depth"])


def test_a_scene_is_a_sequence_of_one_frame(tmp_path: Path) -> None:
    (tmp_path / "scene.mtc").write_bytes(mtcodec.encode(frame_of(5), **FAST))
    clip = mtcodec.open(tmp_path / "scene.mtc")
    assert len(clip) == 1 and clip.times is None and clip.names == [""]
    assert np.array_equal(clip[0]["depth"], frame_of(5)["depth"])
    with pytest.raises(UsageError, match="no times"):
        clip.at(0)


def test_a_group_alone_is_a_sequence(path: Path) -> None:
    data, entry = path.read_bytes(), mtcodec.open(path).index.groups[1]
    clip = mtcodec.open(data[entry.offset : entry.offset + entry.size])
    assert len(clip) == 4 and np.array_equal(clip[:]["depth"], depths(range(4, 8)))
    assert clip.times == [number / 30 for number in range(4, 8)]


@pytest.mark.parametrize("data", [b"", b"M", b"MTC", b"not a file", b"\x89PNG\r\n\x1a\n" + bytes(99)])
def test_what_is_no_file_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        mtcodec.open(data)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="No such file"):
        mtcodec.open(tmp_path / "nothing.mtc")


def test_a_limit_of_pixels(path: Path) -> None:
    with pytest.raises(LimitError, match="more than the limit"):
        mtcodec.open(path, max_pixels=SIZE[0] * SIZE[1] - 1)[0]


# --- times -------------------------------------------------------------------------------------------------


def timed(path: Path, times: Iterable[Any], **settings: Any) -> mtcodec.Sequence:
    with mtcodec.SequenceWriter(path, group=3, **FAST, **settings) as writer:
        for number, time in enumerate(times):
            writer.append(frame_of(number), time)
    return mtcodec.open(path)


EXACT = {
    "tum": [f"1305031102.{175304 + 33333 * k}" for k in range(8)],
    "ntsc": [Fraction(1001 * k, 30000) for k in range(8)],
    "ros": [Decimal("1700000000.123456789") + k * Decimal("0.033333334") for k in range(8)],
    "floats": [0.1 * k for k in range(8)],
    "negative": [-3, -2, -1.5, 0, 0, 0, 7],
    "equal": ["5.5"] * 5,
}


@pytest.mark.parametrize("times", EXACT.values(), ids=EXACT)
def test_times_are_exact_to_the_nanosecond(times: list[Any], tmp_path: Path) -> None:
    clip = timed(tmp_path / "c.mtc", times)
    expected = [Fraction(str(time)) for time in times]
    rounded = [
        time
        if 10**9 % time.denominator == 0 or time.denominator < 10**9
        else round(time * 10**9) / Fraction(10**9)
        for time in expected
    ]
    assert [clip.exact_time(number) for number in range(len(times))] == rounded
    assert clip.times == [float(time) for time in rounded]


@pytest.mark.parametrize("times", EXACT.values(), ids=EXACT)
def test_a_frame_is_found_at_its_own_time(times: list[Any], tmp_path: Path) -> None:
    clip = timed(tmp_path / "c.mtc", times)
    assert clip.times is not None
    for time in (*clip.times, *map(np.float64, clip.times)):
        number = clip.number_at(time)
        assert clip.times[number] == time and number == max(i for i, t in enumerate(clip.times) if t == time)
    for number in range(len(times)):
        assert clip.exact_time(clip.number_at(clip.exact_time(number))) == clip.exact_time(number)  # type: ignore[arg-type]


def test_fps_is_exact(tmp_path: Path) -> None:
    clip = timed(tmp_path / "c.mtc", [None] * 7, fps="30000/1001")
    assert [clip.exact_time(k) for k in range(7)] == [Fraction(1001 * k, 30000) for k in range(7)]
    assert [clip.number_at(time) for time in clip.times or ()] == list(range(7))


def test_at_shows_the_last_frame_that_is_not_later(clip: mtcodec.Sequence) -> None:
    expected = {
        0: 0,
        0.01: 0,
        Fraction(1, 30): 1,
        "1/30": 1,
        1 / 30: 1,
        0.0333: 0,
        0.1: 3,
        Decimal("0.1"): 3,
        5: 9,
        np.float32(0.15): 4,
        np.int64(1): 9,
        4 / 30: 4,
        1e300: 9,
    }
    assert {seconds: clip.number_at(seconds) for seconds in expected} == expected
    assert np.array_equal(clip.at(0.11)["depth"], frame_of(3)["depth"])


@pytest.mark.parametrize("seconds", [-0.001, float("nan"), float("-inf"), "soon", None, Fraction(-1, 10**9)])
def test_no_frame_is_shown_then(clip: mtcodec.Sequence, seconds: Any) -> None:
    with pytest.raises(UsageError):
        clip.at(seconds)


def test_times_by_task_come_back(tmp_path: Path) -> None:
    with mtcodec.SequenceWriter(tmp_path / "c.mtc", group=2, **FAST) as writer:
        for number in range(5):
            frame = frame_of(number)
            times = {"rgb": Fraction(number, 30), "depth": f"{number / 30 + 0.012:.9f}"}
            if number == 3:
                del frame["depth"], times["depth"]
            writer.append(frame, times)
    clip = mtcodec.open(tmp_path / "c.mtc")
    assert clip.times == pytest.approx([number / 30 for number in range(5)], abs=1e-9)
    rgb, depth = clip.task_times("rgb"), clip.task_times("depth")
    assert rgb is not None and depth is not None
    assert [float(time or 0) for time in rgb] == pytest.approx([number / 30 for number in range(5)], abs=1e-9)
    assert depth[3] is None and depth[0] == Fraction(12, 1000)
    assert float(depth[4] or 0) == pytest.approx(4 / 30 + 0.012, abs=1e-9)


# --- threads and processes ---------------------------------------------------------------------------------


def test_threads_share_a_clip(tmp_path: Path) -> None:
    """Payloads beyond the first 64 kB are read when they are needed: by all threads at the same time."""
    noise = np.random.default_rng(0).integers(0, 60000, (4, 160, 160)).astype(np.uint16)
    with mtcodec.SequenceWriter(tmp_path / "c.mtc", group=4, max_error={"depth": 0, "height": 0}) as writer:
        for image in noise:
            writer.append({"depth": image + 1, "height": image})
    for _ in range(5):
        clip = mtcodec.open(tmp_path / "c.mtc")
        barrier = threading.Barrier(8)

        def read(number: int, clip: mtcodec.Sequence = clip, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            name = ("depth", "height")[number % 2]
            image = clip.frames([number % 4], tasks=name)[0][name]
            return bool(np.array_equal(image, noise[number % 4] + (name == "depth")))

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(read, range(8)))


def _depth(clip: mtcodec.Sequence, number: int) -> np.ndarray:
    return clip[number]["depth"]


def test_a_clip_is_pickled(clip: mtcodec.Sequence) -> None:
    clip[3]
    again = pickle.loads(pickle.dumps(clip))
    assert np.array_equal(again[3]["depth"], frame_of(3)["depth"]) and again.times == clip.times


@pytest.mark.processes
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_processes_read_it(clip: mtcodec.Sequence, method: str) -> None:
    with get_context(method).Pool(2) as pool:
        found = pool.starmap(_depth, [(clip, number) for number in range(COUNT)])
    assert np.array_equal(np.stack(found), depths(range(COUNT)))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_reads_while_threads_do(clip: mtcodec.Sequence) -> None:
    """No lock may be held for ever in the child."""
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            clip.group(0), clip.group(1), clip.group(2)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if not child:
                ok = clip.names[9] == "000009" and len({clip.group(n).size for n in range(3)}) > 0
                os._exit(0 if ok else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


# --- frames that lack tasks, numbers -----------------------------------------------------------------------


def test_tasks_that_are_lacking_or_come_later(tmp_path: Path) -> None:
    with mtcodec.SequenceWriter(tmp_path / "c.mtc", group=2, **FAST) as writer:
        for number in range(6):
            frame = frame_of(number)
            if number in (1, 2, 3):
                del frame["depth"]
            if number >= 4:
                frame["pose"] = np.eye(4)[0] * number
            writer.append(frame)
    clip = mtcodec.open(tmp_path / "c.mtc")
    assert clip.tasks == ("rgb", "depth", "pose")
    assert [sorted(frame) for frame in clip] == [
        ["depth", "rgb"],
        ["rgb"],
        ["rgb"],
        ["rgb"],
        ["depth", "pose", "rgb"],
        ["depth", "pose", "rgb"],
    ]
    with pytest.raises(SceneError, match="frame 0 lacks it"):
        clip[0:2]
    assert mtcodec.open(tmp_path / "c.mtc", tasks="depth").frames([2, 0])[0] == {}
    assert np.array_equal(
        mtcodec.open(tmp_path / "c.mtc", tasks="pose")[4:]["pose"], [np.eye(4)[0] * 4, np.eye(4)[0] * 5]
    )


NUMBERS = {
    "number": np.float64(0.1),
    "whole": np.int64(-(2**62)),
    "flag": np.bool_(True),
    "row": np.arange(7, dtype=np.float32),
    "one": np.array([2.5]),
    "table": np.arange(16, dtype=np.float64).reshape(4, 4),
    "nan": np.array([np.nan, -0.0, np.inf]),
    "line": np.ones((1, 5), np.int16),
    "column": np.ones((5, 1), np.uint64),
}


def test_numbers_come_back_as_they_are(tmp_path: Path) -> None:
    names = [name for name, array in NUMBERS.items() if np.ndim(array) == 2]
    with mtcodec.SequenceWriter(tmp_path / "c.mtc", group=2, numbers=names) as writer:
        for _ in range(3):
            writer.append({name: np.asarray(array) for name, array in NUMBERS.items()})
    clip = mtcodec.open(tmp_path / "c.mtc")
    for name, array in NUMBERS.items():
        for image in (clip[2][name], clip[1:3][name][1]):
            assert image.shape == np.shape(array) and image.dtype == array.dtype
            assert image.tobytes() == array.tobytes(), name


def test_the_reader_of_a_group_is_that_of_a_file(clip: mtcodec.Sequence) -> None:
    reader = clip.group(1)
    assert isinstance(reader, Reader) and reader.header.frame_count == 4
    assert mtcodec.attachments(reader) == {}
