"""Recordings: which scenes are frames of one sequence, in which order, and when they were taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from mtcodec.files.reading import Reading
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.files.trees.sequences import SequenceFiles, find_sequences, looks_like_recordings
from mtcodec.messages import Loss
from tests.files.test_public_layouts import put


def sequences_of(
    root: Path, names: Iterable[str] = (), texts: Mapping[str, str] = {}
) -> tuple[dict[str, SequenceFiles], list[str]]:
    """Sequences by key, and the lines of finding them."""
    put(root, names)
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    lines: list[str] = []
    sequences = find_sequences(find_scenes(root), lines.append)
    return {sequence.key: sequence for sequence in sequences}, [
        line.removeprefix(f"{root}: ") for line in lines
    ]


def times(*decimals: str | None) -> tuple[Fraction | None, ...]:
    return tuple(None if decimal is None else Fraction(decimal) for decimal in decimals)


# --- which frames, in which order --------------------------------------------------------------------


def test_plain_directories(tmp_path: Path) -> None:
    root = tmp_path / "walk"
    sequences, lines = sequences_of(root, [f"{t}/{k:06}.png" for t in ("rgb", "depth") for k in range(12)])
    (sequence,) = sequences.values()
    assert sequence.key == "walk" and sequence.label == str(root)
    assert sequence.names == tuple(f"{k:06}" for k in range(12))
    assert [frame.files["depth"] for frame in sequence.frames] == [
        root / f"depth/{k:06}.png" for k in range(12)
    ]
    assert sequence.times == {} and lines == []


def test_names_are_in_natural_order(tmp_path: Path) -> None:
    sequences, _ = sequences_of(
        tmp_path, [f"{t}/frame-{k}.png" for t in ("rgb", "depth") for k in (0, 2, 10)]
    )
    assert sequences[tmp_path.name].names == ("frame-0", "frame-2", "frame-10")


def test_a_directory_of_scene_directories(tmp_path: Path) -> None:
    names = [f"{run}/{k}/{t}.png" for run in "ab" for k in (1, 2, 10) for t in ("rgb", "depth")]
    sequences, _ = sequences_of(tmp_path, names)
    assert {key: s.names for key, s in sequences.items()} == dict.fromkeys("ab", ("1", "2", "10"))
    assert sequences["a"].label == f"{tmp_path}: sequence a"
    sequences, _ = sequences_of(tmp_path / "a")
    assert list(sequences) == ["a"]


def test_scannet(tmp_path: Path) -> None:
    names = [
        f"scene000{s}_00/{d}"
        for s in (0, 1)
        for k in (0, 2, 10)
        for d in (f"color/{k}.png", f"depth/{k}.png")
    ]
    sequences, _ = sequences_of(tmp_path, names)
    assert list(sequences) == ["scene0000_00", "scene0001_00"]
    assert sequences["scene0001_00"].names == ("0", "2", "10") and sequences["scene0001_00"].times == {}


def test_seven_scenes(tmp_path: Path) -> None:
    names = [f"seq-{s:02}/frame-{k:06}.{t}.png" for s in (2, 10) for k in (0, 1) for t in ("color", "depth")]
    sequences, _ = sequences_of(tmp_path, names)
    assert {k: s.names for k, s in sequences.items()} == dict.fromkeys(
        ("seq-02", "seq-10"), ("frame-000000", "frame-000001")
    )


def test_a_frame_may_lack_a_task(tmp_path: Path) -> None:
    names = [f"s/rgb/{k}.png" for k in range(4)] + [f"s/depth/{k}.png" for k in (0, 1, 3)] + ["s/one/rgb.png"]
    sequences, lines = sequences_of(tmp_path, names)
    assert sequences["s"].names == ("0", "1", "2", "3", "one")
    assert "sequence s: 2 of 5 frames lack depth: 2, one" in lines


def test_a_scene_alone_is_a_sequence_of_one_frame_with_a_line(tmp_path: Path) -> None:
    sequences, lines = sequences_of(tmp_path / "a", ["rgb.png", "depth.png"])
    assert sequences["a"].names == ("a",) and lines == [f"1 of 1 sequences have one frame: {tmp_path / 'a'}"]


# --- times of names ----------------------------------------------------------------------------------

TUM = {"rgb": ("1305031102.175304", "1305031102.211214"), "depth": ("1305031102.160407", "1305031102.226738")}


@pytest.mark.parametrize("has_lists", [True, False])
def test_tum(has_lists: bool, tmp_path: Path) -> None:
    """Colour and depth have clocks of their own."""
    texts = {
        f"{task}.txt": "# time path\n" + "".join(f"{time} {task}/{time}.png\n" for time in stamps)
        for task, stamps in TUM.items()
    }
    names = [f"{task}/{time}.png" for task, stamps in TUM.items() for time in stamps]
    sequences, lines = sequences_of(tmp_path, names, texts if has_lists else {})
    (sequence,) = sequences.values()
    assert sequence.names == TUM["rgb"] and lines == []
    assert sequence.times == {task: times(*stamps) for task, stamps in TUM.items()}


def test_tum_without_partners_keeps_all_frames_where_it_is_asked_for(tmp_path: Path) -> None:
    rgb, depth = ("5.100", "5.133", "6.217"), ("5.101", "5.500", "5.134")
    names = [f"{task}/{time}.png" for task, stamps in (("rgb", rgb), ("depth", depth)) for time in stamps]
    put(tmp_path, names)
    texts = {task: [f"{stamp} {task}/{stamp}.png" for stamp in stamps]
             for task, stamps in (("rgb", rgb), ("depth", sorted(depth)))}  # fmt: skip
    for task, lines in texts.items():
        (tmp_path / f"{task}.txt").write_text("\n".join(lines))
    assert len(find_scenes(tmp_path)) == 2
    notes: list[str] = []
    scenes = find_scenes(tmp_path, note=notes.append, reading=Reading(keeps_unpaired=True))
    (sequence,) = find_sequences(scenes, notes.append)
    assert sequence.names == ("5.100", "5.133", "5.500", "6.217")
    assert sequence.times == {
        "rgb": times("5.1", "5.133", None, "6.217"), "depth": times("5.101", "5.134", "5.500", None)
    }  # fmt: skip
    assert [note for note in notes if isinstance(note, Loss)] == []
    assert f"{tmp_path}: 1 of 4 frames lack depth: 6.217" in notes


def test_bonn(tmp_path: Path) -> None:
    rgb, depth = ("1548266469.88633", "1548266469.91982"), ("1548266469.89025", "1548266469.9")
    names = [f"balloon/{t}/{k}.png" for t, stamps in (("rgb", rgb), ("depth", depth)) for k in stamps]
    sequences, _ = sequences_of(tmp_path, names)
    assert sequences["balloon"].times == {"rgb": times(*rgb), "depth": times(*depth)}


def test_arkitscenes_in_order_of_time(tmp_path: Path) -> None:
    stamps = ("999.995", "1000.012", "1000.1")  # names as text would come in another order
    names = [f"Training/7/{t}/7_{s}.png" for t in ("lowres_wide", "lowres_depth") for s in stamps[:2]]
    sequences, lines = sequences_of(tmp_path, [*names, f"Training/7/lowres_wide/7_{stamps[2]}00.png"])
    sequence = sequences["Training/7"]
    assert sequence.names == ("7_999.995", "7_1000.012", "7_1000.100")
    assert sequence.times == {"rgb": times(*stamps), "depth": times(*stamps[:2], None)}
    assert lines == ["sequence Training/7: 1 of 3 frames lack depth: 7_1000.100"]


@pytest.mark.parametrize(
    ("stamps", "unit"),
    [
        (("1403636579763555584", "1403636579813555456"), 10**9),
        (("1446206199850043", "1446206199912531"), 10**6),
    ],
)
def test_whole_numbers_since_1970(stamps: tuple[str, str], unit: int, tmp_path: Path) -> None:
    names = [f"{t}/{s}.png" for t in ("rgb", "depth") for s in stamps]
    (sequence,) = sequences_of(tmp_path, names)[0].values()
    assert sequence.times["rgb"] == tuple(Fraction(int(stamp), unit) for stamp in stamps)


@pytest.mark.parametrize(
    "stamps",
    [
        ("0001", "0002"), ("1.5", "2.5"), ("12.0000", "12.0001"), ("12.0001", "12.0003"), ("1", "1.250"),
        ("0000000000000001", "0000000000000002"), ("9999999999999999", "9999999999999998"),
        ("140363657976355558", "140363657976355559"), ("3.100", "x_3.217"),
    ],
)  # fmt: skip
def test_numbers_that_may_count_frames_are_no_times(stamps: tuple[str, str], tmp_path: Path) -> None:
    (sequence,) = sequences_of(tmp_path, [f"{t}/{s}.png" for t in ("rgb", "depth") for s in stamps])[
        0
    ].values()
    assert sequence.times == {}


def test_scene_directories_named_after_times(tmp_path: Path) -> None:
    (sequence,) = sequences_of(
        tmp_path, [f"{s}/{t}.png" for s in ("5.017", "5.125") for t in ("rgb", "depth")]
    )[0].values()
    assert sequence.times == dict.fromkeys(("rgb", "depth"), times("5.017", "5.125"))


# --- times of lists ----------------------------------------------------------------------------------

DATES = ("2011-09-26 13:02:25.964389445", "2011-09-26 13:02:26.074344")
DRIVE = "2011_09_26_drive_0001_sync"


def test_raw_kitti_has_dates_for_each_camera(tmp_path: Path) -> None:
    names = [f"2011_09_26/{DRIVE}/image_0{c}/data/000000000{k}.png" for c in (2, 3) for k in (0, 1)]
    depth = f"train/{DRIVE}/proj_depth/groundtruth/image_02/0000000001.png"
    texts = {f"2011_09_26/{DRIVE}/image_02/timestamps.txt": "\n".join(DATES) + "\n"}
    sequences, lines = sequences_of(tmp_path, [*names, depth], texts)
    assert list(sequences) == [f"{DRIVE}/image_02", f"{DRIVE}/image_03"]
    day = 1317042145  # 2011-09-26 13:02:25 UTC
    assert sequences[f"{DRIVE}/image_02"].times == {
        "rgb": (day + Fraction("0.964389445"), day + 1 + Fraction("0.074344"))
    }
    assert sequences[f"{DRIVE}/image_03"].times == {}
    assert lines == [f"sequence {DRIVE}/image_02: 1 of 2 frames lack depth: 0000000000"]


def test_odometry_of_kitti(tmp_path: Path) -> None:
    names = [f"{d}/{k:06}.png" for d in ("image_2", "depth") for k in range(3)]
    sequences, _ = sequences_of(tmp_path, names, {"times.txt": "0.000000e+00\n1.036224e-01\n2.1e-1\n"})
    (sequence,) = sequences.values()
    assert sequence.times == dict.fromkeys(("rgb", "depth"), times("0", "0.1036224", "0.21"))


def test_frames_that_were_dropped(tmp_path: Path) -> None:
    """A list of more times than frames counts from 0 on; otherwise nobody knows which are missing."""
    texts = {"times.txt": "0.0\n0.1\n0.2\n0.35\n"}
    for root, kept in (("a", (0, 1, 3)), ("b", (1, 2, 3)), ("c", (0, 1, 4))):
        names = [f"{t}/{k}.png" for t in ("rgb", "depth") for k in kept]
        sequences, lines = sequences_of(tmp_path / root, names, texts)
        if root == "a":
            assert sequences["a"].times == dict.fromkeys(("rgb", "depth"), times("0", "0.1", "0.35"))
            assert lines == []
        else:
            assert sequences[root].times == {}
            assert lines[0].startswith("depth: times.txt is not used, as it has 4 times for 3 images")


def test_lists_of_single_tasks(tmp_path: Path) -> None:
    names = [f"rgb/{k}.png" for k in range(3)] + ["depth/0.png", "depth/2.png"]
    texts = {"rgb/times.txt": "1.0\n1.1\n1.2", "depth/timestamps.txt": "1.05\n1.25\n"}
    (sequence,) = sequences_of(tmp_path, names, texts)[0].values()
    assert sequence.times == {"rgb": times("1", "1.1", "1.2"), "depth": times("1.05", None, "1.25")}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.0\nsoon\n", "line 2 is no time"),
        ("0\n33\n", "line 1 is a whole number, whose unit is not told"),
        ("2011-13-26 13:02:25.9\n2011-09-26 13:02:26\n", "line 1 is no date"),
        ("0.0\n-1.0\n", "line 2 is no time"),
        ("0.0\n1e9999\n", "line 2 is no time"),
        ("0.0\nnan\n", "line 2 is no time"),
        ("", "it has 0 times for 2 images"),
    ],
)
def test_lists_that_are_not_used_are_told(text: str, reason: str, tmp_path: Path) -> None:
    names = [f"{t}/{k}.png" for t in ("rgb", "depth") for k in range(2)]
    sequences, lines = sequences_of(tmp_path, names, {"times.txt": text})
    assert sequences[tmp_path.name].times == {}
    assert reason in lines[0] and "times.txt is not used" in lines[0]
    assert len(lines) == 2


def test_times_that_do_not_increase_are_told(tmp_path: Path) -> None:
    names = [f"{t}/{k}.png" for t in ("rgb", "depth") for k in range(2)]
    _, lines = sequences_of(tmp_path, names, {"rgb/times.txt": "0.5\n0.5"})
    assert lines == ["rgb: times that do not increase from frame to frame are kept as they are"]


# --- what looks like a recording ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("seq-01/frame-{:06}.{}.png", "a sequence of 9 frames"),
        ("a/{1}/{0:06}.png", ""),
        ("{0:04}_{1}.png", ""),
    ],
)
def test_what_looks_like_a_recording(name: str, line: str, tmp_path: Path) -> None:
    put(tmp_path, [name.format(k, t) for k in range(9) for t in ("rgb", "depth")])
    told = looks_like_recordings(find_scenes(tmp_path))
    assert told == (f"this looks like {line} (--sequence stores each as one file)" if line else "")


def test_poses_beside_frames_make_a_recording(tmp_path: Path) -> None:
    put(
        tmp_path,
        [f"{s}/{t}/{k}.png" for s, n in (("a", 9), ("b", 20)) for t in ("rgb", "depth") for k in range(n)],
    )
    put(tmp_path, ["a/pose/0.txt", "b/times.txt"])
    assert looks_like_recordings(find_scenes(tmp_path)) == (
        "this looks like 2 sequences of 9 to 20 frames (--sequence stores each as one file)"
    )


def test_losses_of_sequences_are_warnings(tmp_path: Path) -> None:
    put(tmp_path, [f"{t}/{k}.png" for t in ("rgb", "depth") for k in range(2)])
    (tmp_path / "times.txt").write_text("now")
    lines: list[str] = []
    find_sequences(find_scenes(tmp_path), lines.append)
    assert lines and all(isinstance(line, Loss) for line in lines)
