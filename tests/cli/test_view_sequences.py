"""``mtcodec view`` of sequences: which frames, which originals, what becomes of damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shared.clips import damaged, frame_of, without_index, write_clip
from shared.commands import Run, fails, start, write
from view.pages import Tree

import mtcodec
from mtcodec.errors import WeightsNotFound


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Nine frames in groups of three, called 000000 and so on."""
    return write_clip(tmp_path / "rec.mtc", 9, group=3, fps=10)


def labels(page: bytes) -> list[str]:
    """What the page says of each frame that it shows."""
    return [label.text for label in Tree(page).root.all("div", "when")[0].all("p")]


def numbers(page: bytes) -> list[int]:
    return [int(label.partition("frame ")[2].split()[0]) for label in labels(page)]


def test_a_page_lies_beside_its_sequence(run: Run, clip: Path) -> None:
    result = run("view", clip)
    page = clip.with_suffix(".html")
    assert (result.code, result.out) == (0, b"")
    assert result.err == f"{page}: 9 frames, {page.stat().st_size} bytes\n"
    assert numbers(page.read_bytes()) == list(range(9))
    fails(run("view", clip), 1, "rec.html: exists already (--force overwrites it)")


@pytest.mark.processes
def test_standard_streams(clip: Path) -> None:
    result = start("view", "-", "-o", "-", "--tasks", "depth", input=clip.read_bytes())
    assert result.returncode == 0 and len(Tree(result.stdout).root.all("figure")) == 1


def test_frames_are_chosen(run: Run, clip: Path) -> None:
    assert numbers(run("view", clip, "-o", "-", "--frames", "2:5").out) == [2, 3, 4]
    assert numbers(run("view", clip, "-o", "-", "--frames", "-2:").out) == [7, 8]
    assert numbers(run("view", clip, "-o", "-", "--limit", "4").out) == [0, 3, 6]
    assert numbers(run("view", clip, "-o", "-", "--frames", "1:6", "--limit", "2").out) == [1, 4]
    assert numbers(run("view", clip, "-o", "-", "--limit", "0").out) == list(range(9))
    assert "3 of 9 frames" in run("view", clip, "-o", "-", "--limit", "4").err
    fails(run("view", clip, "-o", "-", "--frames", "20:30"), 2, "no such frames: there are 9")
    fails(run("view", clip, "-o", "-", "--frames", "x"), 2, "not frames: 'x'")
    fails(run("view", clip, "-o", "-", "--tasks", "normal"), 2, "no task 'normal' (there is rgb, depth)")


def test_frames_are_of_sequences_only(run: Run, labels: Path) -> None:
    fails(run("view", labels, "-o", "-", "--frames", "0:2"), 2, "--frames are of sequences")


def test_damage_is_shown_and_told(run: Run, clip: Path) -> None:
    data = clip.read_bytes()
    clip.write_bytes(damaged(data, mtcodec.open(data).index.groups[1].offset + 4))
    result = run("view", clip)
    assert result.code == 3 and "rec.mtc: damaged, as the page shows" in result.err
    assert "mtcodec: warning: " in result.err and "frames 3 to 5: the header" in result.err
    assert len(labels(clip.with_suffix(".html").read_bytes())) == 9


def write_originals(directory: Path, count: int) -> Path:
    for number in range(count):
        for task, image in frame_of(number).items():
            write(directory / task / f"{number:06d}.png", image)
    return directory


def compared(page: bytes) -> int:
    return len(Tree(page).root.all("img", "original"))


def test_originals_have_the_names_of_frames(run: Run, clip: Path, tmp_path: Path) -> None:
    names = mtcodec.open(clip).names
    assert names[0] == "000000"
    whole = write_originals(tmp_path / "o" / "rec", 9)
    result = run("view", clip, "-o", "-", "--original", whole)
    assert result.code == 0 and compared(result.out) == 18 and "without" not in result.err
    some = write_originals(tmp_path / "p", 4)
    result = run("view", clip, "-o", "-", "--original", some)
    assert compared(result.out) == 8 and "without an original: 000004" in result.err
    write_originals(tmp_path / "o" / "x", 9)
    assert compared(run("view", clip, "-o", "-", "--original", tmp_path / "o").out) == 18
    clip = clip.rename(clip.with_name("z.mtc"))
    fails(run("view", clip, "-o", "-", "--original", tmp_path / "o"), 2, "name one of these directories")
    (tmp_path / "q").mkdir()
    for task, image in frame_of(0).items():
        write(tmp_path / "q" / task / "other.png", image)
    fails(run("view", clip, "-o", "-", "--original", tmp_path / "q"), 2, "no original of '000000'")


def test_large_frames_are_refused_on_request(run: Run, clip: Path) -> None:
    fails(run("view", clip, "-o", "-", "--max-pixels", "100"), 3, "pixels")


def test_a_recording_in_progress_is_shown(run: Run, clip: Path) -> None:
    clip.write_bytes(without_index(clip.read_bytes()))
    result = run("view", clip, "-o", "-")
    assert result.code == 0 and len(labels(result.out)) == 9 and "mtcodec: warning: " in result.err


def test_without_their_weights_networks_show_what_needs_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, x = np.mgrid[:64, :64]
    rgb = np.stack([x * 3, y * 3, x + y], -1).astype(np.uint8)
    with mtcodec.SequenceWriter(tmp_path / "n.mtc", coding="neural", group=2) as writer:
        for number in range(3):
            writer.append({"rgb": np.roll(rgb, number, 0), "semantic": (x // 9 + number).astype(np.uint8)})
    (tmp_path / "nothing").mkdir()
    header = mtcodec.open(tmp_path / "n.mtc").group(0).header
    assert header.task("rgb").is_neural and not header.task("semantic").is_neural
    weights = "mtcodec.codec.api.Codec.networks_of"
    monkeypatch.setattr(weights, lambda *_: (_ for _ in ()).throw(WeightsNotFound("no such weights")))
    result = run("view", tmp_path / "n.mtc", "-o", tmp_path / "n.html")
    assert result.code == 4 and "rgb: no such weights" in result.err
    figures = Tree((tmp_path / "n.html").read_bytes()).root.all("figure")
    assert {one.attributes["data-task"]: len(one.all("img")) for one in figures} == {"rgb": 0, "semantic": 3}
    fails(run("view", tmp_path / "n.mtc", "-o", tmp_path / "o.html", "--tasks", "rgb"), 4, "no such weights")
