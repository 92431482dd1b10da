"""Files that are kept with scenes: where they are looked for, and what notes say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtcodec.errors import SceneError, UsageError
from mtcodec.files.images import write_image
from mtcodec.files.trees import attachments
from mtcodec.files.trees.layouts import find_scenes

PLANE = np.zeros((3, 4), np.uint8)


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            write_image(path, PLANE)
        else:
            path.write_text(name)


def contents(root: Path, *attach: str) -> tuple[dict[str, dict[str, bytes]], list[str]]:
    """Attached contents by scene, and notes."""
    lines: list[str] = []
    scenes = find_scenes(root, note=lines.append, attach=attach)
    return {s.key: attachments.read(s) for s in scenes}, [x.removeprefix(f"{root}: ") for x in lines]


def test_a_file_in_every_scene_s_directory(tmp_path: Path) -> None:
    make(tmp_path, *(f"{n}/{name}" for n in "ab" for name in ("rgb.png", "camera.json", "other.txt")))
    assert contents(tmp_path, "camera.json") == (
        {n: {"camera.json": f"{n}/camera.json".encode()} for n in "ab"},
        ["left out, as they are no images: 2 .txt files (a/other.txt, b/other.txt)"],
    )
    assert contents(tmp_path / "a", "camera.json", "other.txt") == (
        {"a": {"camera.json": b"a/camera.json", "other.txt": b"a/other.txt"}}, [],
    )  # fmt: skip


def test_files_of_a_directory_for_each_task(tmp_path: Path) -> None:
    make(tmp_path, *(f"{task}/{k}.png" for task in ("rgb", "depth") for k in (0, 1)))
    make(tmp_path, "pose/0.txt", "pose/1.txt", "intrinsic.txt", "more/x.txt")
    assert contents(tmp_path, "pose/{key}.txt", "intrinsic.txt") == (
        {f"{k}": {f"{k}.txt": f"pose/{k}.txt".encode(), "intrinsic.txt": b"intrinsic.txt"} for k in (0, 1)},
        ["left out, as they are no images: 1 .txt file (more/x.txt)"],
    )


def test_a_file_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "data/a/rgb.png", "calibration.txt", "data/a/here.txt", "here.txt")
    monkeypatch.chdir(tmp_path)
    attached, _ = contents(Path("data"), "calibration.txt", "here.txt")
    assert attached == {"a": {"calibration.txt": b"calibration.txt", "here.txt": b"data/a/here.txt"}}


def test_refuses(tmp_path: Path) -> None:
    make(tmp_path, "a/rgb.png", "a/x.txt", "a/y/x.txt")
    with pytest.raises(SceneError) as caught:
        contents(tmp_path, "camera.json")
    assert str(caught.value) == f"{tmp_path}/a/camera.json: cannot attach it: No such file or directory"
    with pytest.raises(UsageError, match=r"two attached files are called 'x\.txt'"):
        contents(tmp_path, "x.txt", "y/x.txt")
    (tmp_path / "a/x.txt").write_bytes(bytes(attachments.MAX_BYTES + 1))
    with pytest.raises(SceneError, match=r"x\.txt: attached files have at most 65536 bytes in all"):
        contents(tmp_path, "x.txt")
