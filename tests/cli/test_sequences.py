"""Sequences on the command line: encode, decode, info, extract, verify, concat, cut."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from shared.clips import damaged, depths, frame_of, without_index
from shared.commands import Run, fails, files, image, start, write

import mtcodec

FAST = ("--coding", "classical", "--effort", "fast")
EXACT = (*FAST, "--lossless", "depth")
COUNT = 7


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of seven frames: ``a`` and ``b``, the latter from frame 100 on."""
    root = tmp_path_factory.mktemp("data")
    for name, first in (("a", 0), ("b", 100)):
        for number in range(COUNT):
            for task, pixels in frame_of(first + number).items():
                write(root / name / task / f"{number:04d}.png", pixels)
            pose = root / name / "pose" / f"{number:04d}.txt"
            pose.parent.mkdir(exist_ok=True)
            pose.write_text(f"{number} 0 0\n")
    np.save(root / "pose.npy", np.arange(COUNT * 16.0).reshape(COUNT, 4, 4))
    return root


@pytest.fixture
def clip(data: Path, run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "a.mtc"
    result = run(
        "encode",
        data / "a",
        "-o",
        path,
        "--sequence",
        "--fps",
        "30",
        "--group",
        "3",
        *EXACT,
        "--attach",
        "pose/{key}.txt",
        "--numbers",
        data / "pose.npy",
        "-q",
    )
    assert (result.code, result.out, result.err) == (0, b"", "")
    return path


def depth(path: Path) -> np.ndarray:
    return mtcodec.open(path, tasks="depth")[:]["depth"]


# --- encode ------------------------------------------------------------------------------------------------


def test_encode_keeps_everything(clip: Path) -> None:
    sequence = mtcodec.open(clip)
    assert np.array_equal(depth(clip), depths(range(COUNT)))
    assert sequence.names == [f"{number:04d}" for number in range(COUNT)]
    assert [sequence.exact_time(number) for number in range(COUNT)] == [Fraction(n, 30) for n in range(COUNT)]
    assert [group.frame_count for group in sequence.index.groups] == [3, 3, 1]
    assert np.array_equal(sequence[:]["pose"], np.arange(COUNT * 16.0).reshape(COUNT, 4, 4))
    assert sequence.attachments() == {f"{n:04d}.txt": f"{n} 0 0\n".encode() for n in range(COUNT)}


def test_encode_makes_a_file_of_each_recording(data: Path, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("encode", data, "-o", out, "--sequence", *EXACT, "-q").code == 0
    assert files(out) == ["a.mtc", "b.mtc"]
    assert np.array_equal(depth(out / "b.mtc"), depths(range(100, 100 + COUNT)))
    before = (out / "a.mtc").read_bytes()
    fails(run("encode", data, "-o", out, "--sequence", *EXACT), 1, "exists already")
    (out / "b.mtc").unlink()
    result = run("encode", data, "-o", out, "--sequence", *EXACT, "--skip-existing", "--json")
    assert result.code == 0 and [json.loads(line)["frames"] for line in result.lines] == [COUNT]
    assert (out / "a.mtc").read_bytes() == before and (out / "b.mtc").exists()
    fails(run("encode", data, "-o", tmp_path / "x.mtc", "--sequence", *EXACT), 2, "go to a directory")


def test_a_plan_writes_nothing(data: Path, run: Run, tmp_path: Path) -> None:
    result = run("encode", data, "-o", tmp_path / "out", "--sequence", "--dry-run", "--json")
    plans = [json.loads(line) for line in result.lines if line.startswith("{")]
    assert [(plan["sequence"], len(plan["frames"])) for plan in plans] == [("a", COUNT), ("b", COUNT)]
    assert not (tmp_path / "out").exists()


def test_standard_output_is_the_same_file(data: Path, run: Run, tmp_path: Path) -> None:
    result = run("encode", data / "a", "-o", "-", "--sequence", *EXACT, "-q")
    assert run("encode", data / "a", "-o", tmp_path / "a.mtc", "--sequence", *EXACT, "-q").code == 0
    assert result.code == 0 and result.out == (tmp_path / "a.mtc").read_bytes()


def test_targets_are_of_the_whole_file(data: Path, run: Run, tmp_path: Path) -> None:
    path, common = (
        tmp_path / "t.mtc",
        (data / "a", "-o", tmp_path / "t.mtc", "--sequence", *FAST, "--force", "--json"),
    )
    facts = json.loads(run("encode", *common, "--target-psnr", "rgb=35").out)
    assert facts["tasks"]["rgb"]["psnr"] >= 35
    lower = json.loads(run("encode", *common, "--target-psnr", "rgb=30").out)
    assert (
        lower["bytes"]
        <= facts["bytes"]
        == json.loads(run("encode", *common, "--target-psnr", "rgb=35").out)["bytes"]
    )
    facts = json.loads(run("encode", *common, "--target-bytes", "700").out)
    assert facts["bytes"] <= 700 and path.stat().st_size == facts["bytes"]
    before = path.read_bytes()
    fails(run("encode", *common, "--target-bytes", "100"), 1, "out of reach", "--best-effort")
    assert path.read_bytes() == before
    assert run("encode", *common, "--target-bytes", "100", "--best-effort").code == 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--fps", "3"), 2, "--sequence"),
        (("--group", "4"), 2, "--sequence"),
        (("--sequence", "--fps", "0"), 2, "not a number of frames a second"),
        (("--sequence", "--fps", "fast"), 2, "not a number of frames a second"),
        (("--sequence", "--numbers", "no.npy"), 1, "no.npy: cannot read it"),
        (("--sequence", "--tasks", "smell"), 1, "smell"),
        (("--sequence", "--attach", "pose/{key}.json"), 1, "cannot attach it"),
        (("--sequence", "-o", "no/where.mtc"), 1, "no such directory"),
    ],
)
def test_what_encode_refuses(
    options: tuple[str, ...],
    code: int,
    words: str,
    data: Path,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    output = () if "-o" in options else ("-o", tmp_path / "x.mtc")
    fails(run("encode", data / "a", *output, *FAST, *options), code, words)
    assert files(tmp_path) == []


def test_numbers_need_a_row_a_frame(data: Path, run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "imu.npy", np.zeros((3, 2)))
    result = run(
        "encode", data / "a", "-o", tmp_path / "x.mtc", "--sequence", *FAST, "--numbers", tmp_path / "imu.npy"
    )
    fails(result, 1, "it has 3 rows, but the sequence 7 frames")


def test_two_files_of_one_name_cannot_be_attached(data: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(data / "a", tmp_path / "a")
    for number in range(COUNT):
        camera = tmp_path / "a" / f"camera-{number:04d}" / "camera.txt"
        camera.parent.mkdir()
        camera.write_text(str(number))
    result = run(
        "encode",
        tmp_path / "a",
        "-o",
        tmp_path / "x.mtc",
        "--sequence",
        *FAST,
        "--attach",
        "camera-{key}/camera.txt",
    )
    fails(result, 2, "two different attached files are called 'camera.txt'")


def test_tum_with_frames_that_lack_depth(run: Run, tmp_path: Path) -> None:
    times = [Fraction(1305031102175304, 10**6) + Fraction(33333, 10**6) * number for number in range(6)]
    lists = {"rgb": ["# colour"], "depth": ["# depth"]}
    for number, time in enumerate(times):
        for task, pixels in frame_of(number).items():
            if task == "rgb" or number not in (2, 4):
                name = f"{float(time + Fraction(7, 1000) * (task == 'depth')):.6f}"
                write(tmp_path / "tum" / task / f"{name}.png", pixels)
                lists[task].append(f"{name} {task}/{name}.png")
    for task, lines in lists.items():
        (tmp_path / "tum" / f"{task}.txt").write_text("\n".join(lines) + "\n")
    path = tmp_path / "c.mtc"
    result = run("encode", tmp_path / "tum", "-o", path, "--sequence", *EXACT, "--group", "4")
    assert result.code == 0 and "2 of 6 frames lack depth" in result.err
    clip = mtcodec.open(path)
    assert [sorted(frame) == ["depth", "rgb"] for frame in clip] == [
        number not in (2, 4) for number in range(6)
    ]
    assert clip.task_times("rgb") == times
    assert clip.task_times("depth") == [
        None if n in (2, 4) else t + Fraction(7, 1000) for n, t in enumerate(times)
    ]
    assert np.array_equal(clip[5]["depth"], frame_of(5)["depth"])
    for task, kept in (("rgb", range(6)), ("depth", [0, 1, 3, 5])):
        result = run(
            "encode", tmp_path / "tum", "-o", tmp_path / f"{task}.mtc", "--sequence", *FAST, "--tasks", task
        )
        assert result.code == 0, result
        clip = mtcodec.open(tmp_path / f"{task}.mtc")
        delay = Fraction(7, 1000) * (task == "depth")
        assert [clip.exact_time(number) for number in range(len(clip))] == [times[n] + delay for n in kept]


# --- decode ------------------------------------------------------------------------------------------------


def test_decode_writes_an_image_a_frame(clip: Path, run: Run, tmp_path: Path) -> None:
    result = run("decode", clip, "-o", tmp_path / "out")
    names = [f"{number:04d}" for number in range(COUNT)]
    expected = [
        *(f"{n}.txt" for n in names),
        *(f"{t}/{n}.png" for t in ("depth", "rgb") for n in names),
        "pose.npy",
        "times.txt",
    ]
    assert (result.code, result.err) == (0, "") and files(tmp_path / "out") == sorted(expected)
    assert sorted(result.lines) == sorted(str(tmp_path / "out" / name) for name in expected)
    assert np.array_equal(image(tmp_path / "out" / "depth" / "0005.png"), frame_of(5)["depth"])
    assert np.array_equal(
        np.load(tmp_path / "out" / "pose.npy"), np.arange(COUNT * 16.0).reshape(COUNT, 4, 4)
    )
    assert (tmp_path / "out" / "times.txt").read_text().splitlines()[3:5] == ["0.100000000", "0.133333333"]


def test_what_was_decoded_is_encoded_again(clip: Path, run: Run, tmp_path: Path) -> None:
    assert run("decode", clip, "-o", tmp_path / "out", "-q").code == 0
    again = tmp_path / "again.mtc"
    result = run("encode", tmp_path / "out", "-o", again, "--sequence", *EXACT, "-q", "--tasks", "rgb,depth")
    assert result.code == 0
    assert np.array_equal(depth(again), depths(range(COUNT)))
    assert mtcodec.open(again).times == pytest.approx(mtcodec.open(clip).times, abs=1e-9)


def test_times_by_task_are_written(run: Run, tmp_path: Path) -> None:
    with mtcodec.SequenceWriter(
        tmp_path / "c.mtc", coding="classical", effort="fast", max_error={"depth": 0}
    ) as writer:
        for number in range(4):
            time = {"rgb": number / 10, "depth": number / 10 + 0.025}
            frame = frame_of(number)
            if number == 1:
                del frame["depth"], time["depth"]
            writer.append(frame, time)
    assert run("decode", tmp_path / "c.mtc", "-o", tmp_path / "out", "-q").code == 0
    assert (tmp_path / "out/depth/times.txt").read_text().split() == [
        "0.025000000",
        "0.225000000",
        "0.325000000",
    ]
    assert not (tmp_path / "out/rgb/times.txt").exists()


@pytest.mark.parametrize(
    ("frames", "kept"),
    [("2:5", [2, 3, 4]), ("6", [6]), (":2", [0, 1]), ("-2:", [5, 6]), ("5:100", [5, 6]), ("-1", [6])],
)
def test_some_frames_of_a_task(frames: str, kept: list[int], clip: Path, run: Run, tmp_path: Path) -> None:
    assert (
        run("decode", clip, "-o", tmp_path / "out", "--tasks", "depth", f"--frames={frames}", "-q").code == 0
    )
    images = sorted((tmp_path / "out" / "depth").iterdir())
    assert [path.name for path in images] == [f"{number:04d}.png" for number in kept]
    assert np.array_equal(np.stack([image(path) for path in images]), depths(kept))
    assert not (tmp_path / "out" / "rgb").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--frames", "x"), "not frames"),
        (("--frames", "1:2:3"), "not frames"),
        (("--frames", "9:12"), "there are 7"),
        (("--frames", "4:4"), "there are 7"),
        (("--tasks", "smell"), "no task 'smell'"),
    ],
)
def test_what_decode_refuses(
    options: tuple[str, ...], words: str, clip: Path, run: Run, tmp_path: Path
) -> None:
    fails(run("decode", clip, "-o", tmp_path / "out", *options), 2, words)
    assert not (tmp_path / "out").exists()


def test_decode_overwrites_nothing(clip: Path, run: Run, tmp_path: Path) -> None:
    write(tmp_path / "out" / "rgb" / "0006.png", np.zeros((2, 2), np.uint8))
    fails(run("decode", clip, "-o", tmp_path / "out"), 1, "0006.png: exists already")
    assert files(tmp_path / "out") == ["rgb/0006.png"]
    shutil.rmtree(tmp_path / "out")
    assert run("decode", clip, "-o", tmp_path / "out", "-q").code == 0
    fails(
        run("decode", clip, "-o", tmp_path / "out", "--frames", "0", "--tasks", "depth"), 1, "exists already"
    )
    assert run("decode", clip, "-o", tmp_path / "out", "--force", "-q").code == 0


def test_frames_are_of_sequences(data: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.mtc").write_bytes(mtcodec.encode(frame_of(0), coding="classical"))
    fails(run("decode", tmp_path / "s.mtc", "-o", tmp_path / "out", "--frames", "0"), 2, "this is a scene")


def test_standard_input(clip: Path, tmp_path: Path) -> None:
    for arguments in (
        ("info", "-"),
        ("decode", "-", "-o", tmp_path / "out"),
        ("verify", "-"),
        ("extract", "-", "--tasks", "depth", "-o", tmp_path / "d.mtc"),
    ):
        assert start(*arguments, input=clip.read_bytes()).returncode == 0, arguments
    assert len(files(tmp_path / "out")) == 3 * COUNT + 2 and mtcodec.open(tmp_path / "d.mtc").tasks == (
        "depth",
    )


# --- damage ------------------------------------------------------------------------------------------------


def test_a_damaged_section_costs_a_task_in_its_group(clip: Path, run: Run, tmp_path: Path) -> None:
    sequence = mtcodec.open(clip)
    offset = sequence.index.groups[1].offset
    for task, lost in (("depth", "depth"), ("pose", "pose")):
        path = tmp_path / f"{task}.mtc"
        path.write_bytes(damaged(clip.read_bytes(), offset + sequence.group(1).header.task(task).offset + 2))
        result = run("decode", path, "-o", tmp_path / task, "-q")
        assert result.code == 3 and result.err.count(f"task {lost} of frames 3 to 5 is lost") == 1
        assert result.err.splitlines()[-1].endswith("damaged; 18 images decoded, 3 lost")
        assert len(files(tmp_path / task / "depth")) == (4 if task == "depth" else 7)
        assert f"frames 3 to 5: section {task}: damaged" in run("verify", path).err
        assert run("info", path).code == 0
    assert len(np.load(tmp_path / "pose" / "pose.npy")) == 4
    assert "pose.npy has 4 rows, as 3 frames lack it: 0003, 0004, 0005" in result.err


def test_a_damaged_header_costs_its_group(clip: Path, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "hurt.mtc"
    path.write_bytes(damaged(clip.read_bytes(), mtcodec.open(clip).index.groups[1].offset + 9))
    result = run("decode", path, "-o", tmp_path / "out", "-q")
    assert result.code == 3 and "everything of frames 3 to 5 is lost" in result.err
    assert [path.name for path in sorted((tmp_path / "out/rgb").iterdir())] == [
        "0000.png",
        "0001.png",
        "0002.png",
        "0006.png",
    ]
    info = run("info", path, "--json")
    assert info.code == 3 and json.loads(info.out)["damaged"][0].startswith("frames 3 to 5: ")
    assert "damaged: frames 3 to 5: " in run("info", path).out.decode()
    assert run("cut", path, "--frames", "0:3", "-o", tmp_path / "whole.mtc").code == 0
    fails(run("cut", path, "--frames", "0:4", "-o", tmp_path / "hurt2.mtc"), 3, "hurt.mtc")
    assert not (tmp_path / "hurt2.mtc").exists()


def test_a_file_without_index_says_so(clip: Path, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "open.mtc"
    path.write_bytes(without_index(clip.read_bytes()))
    result = run("decode", path, "-o", tmp_path / "out", "-q")
    assert result.code == 0 and "warning: " in result.err and "it was read through: 3 groups" in result.err
    assert run("verify", path).code == 3
    assert run("cut", path, "--frames", "0:7", "-o", tmp_path / "whole.mtc", "-q").code == 0
    assert (tmp_path / "whole.mtc").read_bytes() == clip.read_bytes()


# --- info, extract, cut, concat ----------------------------------------------------------------------------


def test_info(clip: Path, run: Run) -> None:
    facts = json.loads(run("info", clip, "--json").out)
    assert (facts["bytes"], facts["frames"], facts["groups"], facts["fps"]) == (clip.stat().st_size, 7, 3, 30)
    assert (
        facts["seconds"] == pytest.approx(7 / 30, abs=1e-6) and facts["complete"] and facts["damaged"] == []
    )
    total = sum(section["bytes"] for section in facts["sections"])
    assert total + facts["overhead_bytes"] == facts["bytes"]
    assert facts["tasks"]["pose"]["shape"] == "table" and facts["tasks"]["depth"]["frames"] == 7
    text = run("info", clip).out.decode()
    assert "7 frames" in text and "3 groups of up to 3" in text and "7 attached files" in text


@pytest.mark.parametrize("command", ["cut", "extract"])
def test_cutting_is_at_groups_and_says_where(command: str, clip: Path, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "c.mtc"
    result = run(command, clip, "--frames", "4:5", "-o", out)
    assert result.code == 0 and "cut at groups: frames 3:6, not 4:5" in result.err
    assert np.array_equal(depth(out), depths(range(3, 6)))
    fails(run(command, clip, "--frames", "3:6", "-o", out), 1, "exists already")
    before = out.read_bytes()
    assert (
        run(command, clip, "--frames", "3:6", "-o", out, "--force").code == 0 and out.read_bytes() == before
    )
    assert run(command, clip, "--frames", "3:6", "-o", "-").out == before
    fails(run(command, clip, "--frames", "7:", "-o", tmp_path / "x.mtc"), 2, "there are 7")
    fails(run(command, clip, "--frames", "x", "-o", tmp_path / "x.mtc"), 2, "not frames")
    fails(run(command, tmp_path / "no.mtc", "--frames", "1:2", "-o", tmp_path / "x.mtc"), 1, "No such file")


def test_extract_takes_tasks(clip: Path, run: Run, tmp_path: Path) -> None:
    assert (
        run("extract", clip, "--tasks", "depth,pose", "--frames", "0:3", "-o", tmp_path / "d.mtc").code == 0
    )
    part = mtcodec.open(tmp_path / "d.mtc")
    assert part.tasks == ("depth", "pose") and np.array_equal(part[:]["depth"], depths(range(3)))
    fails(run("extract", clip, "--tasks", "smell", "-o", tmp_path / "x.mtc"), 2, "no task 'smell'")
    fails(run("extract", clip, "-o", tmp_path / "x.mtc"), 2, "nothing to extract")


def test_concat(clip: Path, data: Path, run: Run, tmp_path: Path) -> None:
    other, out = tmp_path / "b.mtc", tmp_path / "ab.mtc"
    options = ("--sequence", "--fps", "10", *EXACT, "-q")
    assert run("encode", data / "b", "-o", other, *options).code == 0
    result = run("concat", clip, other, "-o", out, "--json")
    assert result.code == 0 and json.loads(result.out)["frames"] == 2 * COUNT
    assert "its frames are called 2-0000 … 2-0006" in result.err and "moved by 0.233333 seconds" in result.err
    assert np.array_equal(depth(out), depths([*range(7), *range(100, 107)]))
    assert run("verify", out).code == 0
    fails(run("concat", clip, other, "-o", out), 1, "exists already")
    fails(run("concat", clip, tmp_path / "no.mtc", "-o", tmp_path / "x.mtc"), 1, "No such file")
    fails(run("concat", clip, data / "pose.npy", "-o", tmp_path / "x.mtc"), 3, "pose.npy")
    assert not (tmp_path / "x.mtc").exists()


def test_a_cut_is_told_once_and_follows_links(clip: Path, run: Run, tmp_path: Path) -> None:
    target, link = tmp_path / "target.mtc", tmp_path / "link.mtc"
    target.write_bytes(b"old")
    link.symlink_to(target)
    result = run("cut", clip, "--frames", "1:2", "-o", link, "--force")
    assert result.code == 0 and result.err.count("cut at groups") == 1
    assert link.is_symlink() and len(mtcodec.open(target)) > 0
    quiet = run("cut", clip, "--frames", "1:2", "-o", tmp_path / "q.mtc", "-q")
    assert quiet.code == 0 and quiet.err == ""
    extracted = run("extract", clip, "--frames", "1:2", "-o", tmp_path / "x.mtc")
    assert extracted.err.count("cut at groups") == 1
