"""Scenes: which images are read, alpha as a task of its own, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mtcodec.errors import SceneError
from mtcodec.files.images import write_image
from mtcodec.files.scene import Scene, read_scene
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.tasks import USUAL, declare

HEIGHT, WIDTH = 5, 7


def picture(channels: int = 3, dtype: type[np.generic] = np.uint8) -> NDArray[np.generic]:
    shape = (HEIGHT, WIDTH, channels)[: 3 if channels > 1 else 2]
    return np.random.default_rng(channels).integers(0, 256, shape).astype(dtype)


def read(directory: Path, *tasks: str) -> tuple[Scene, list[str]]:
    """Images of all tasks or of these, and the notes about them."""
    lines: list[str] = []
    (scene_files,) = find_scenes(directory)
    return read_scene(scene_files, tasks=tasks or None, note=lines.append), lines


def refused(path: Path, call: Callable[[], object], reason: str) -> None:
    """``call`` fails with one line that begins with ``path`` and holds ``reason``."""
    with pytest.raises(SceneError) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and reason in message and "\n" not in message


def test_all_images_are_read_declared_or_not(tmp_path: Path) -> None:
    scene = {"depth": picture(1, np.uint16), "rgb": picture(), "unheard_of": picture(1, np.int64)}
    write_image(tmp_path / "rgb.png", scene["rgb"])
    write_image(tmp_path / "depth.png", scene["depth"])
    write_image(tmp_path / "unheard_of.npy", scene["unheard_of"])
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_text("neither")
    back, lines = read(tmp_path)
    assert list(back) == list(scene) and not lines
    assert all(back[n].dtype == scene[n].dtype and np.array_equal(back[n], scene[n]) for n in scene)


def test_some_tasks_are_read_where_they_are_there(tmp_path: Path) -> None:
    write_image(tmp_path / "rgb.png", picture())
    write_image(tmp_path / "depth.png", picture(1))
    (tmp_path / "smell.png").write_text("no image")
    assert read(tmp_path, "depth", "normal")[0].keys() == {"depth"}
    refused(tmp_path, lambda: read(tmp_path, "normal", "semantic"), "no image of any task (normal, semantic)")


def test_declarations_say_how_images_are_read(tmp_path: Path) -> None:
    write_image(tmp_path / "heat.png", np.stack([picture(1)] * 3, axis=-1))
    scene_files = SceneFiles("a", {"heat": tmp_path / "heat.png"}, str(tmp_path))
    assert read_scene(scene_files)["heat"].shape == (HEIGHT, WIDTH, 3)
    declared = {**USUAL, "heat": declare("heat", "image", 1)}
    assert read_scene(scene_files, declared)["heat"].shape == (HEIGHT, WIDTH)


# --- alpha ---------------------------------------------------------------------------------------


def test_alpha_becomes_a_task_of_its_own(tmp_path: Path) -> None:
    image, long = picture(4), "a" * 31
    write_image(tmp_path / "rgb.png", image)
    write_image(tmp_path / f"{long}.png", image)
    write_image(tmp_path / "depth.png", picture(1))
    back, lines = read(tmp_path)
    assert np.array_equal(back["rgb"], image[..., :3]) and np.array_equal(back["rgb_alpha"], image[..., 3])
    assert back.keys() == {"depth", "rgb", "rgb_alpha", long, "a" * 25 + "_alpha"}
    assert "rgb: its alpha is kept as a task of its own, rgb_alpha" in lines and len(lines) == 2


def test_alpha_is_a_task_among_those_that_are_chosen(tmp_path: Path) -> None:
    write_image(tmp_path / "rgb.png", picture(4))
    back, lines = read(tmp_path, "rgb")
    assert back.keys() == {"rgb"} and lines == ["rgb: its alpha, rgb_alpha, is left out"]
    back, lines = read(tmp_path, "rgb_alpha")
    assert back.keys() == {"rgb_alpha"} and len(lines) == 1


def test_opaque_alpha_is_none(tmp_path: Path) -> None:
    image = picture(4)
    image[..., 3] = 255
    write_image(tmp_path / "rgb.png", image)
    write_image(tmp_path / "rgb_alpha.png", picture(1))
    back, lines = read(tmp_path)
    assert np.array_equal(back["rgb"], image[..., :3]) and np.array_equal(back["rgb_alpha"], picture(1))
    assert lines == ["rgb: its alpha says that all is opaque, and is dropped"]


def test_alpha_and_a_file_of_its_name_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "rgb.png", picture(4))
    write_image(tmp_path / "rgb_alpha.png", picture(1))
    reason = f"its alpha is task rgb_alpha, as {tmp_path / 'rgb_alpha.png'} is"
    refused(tmp_path / "rgb.png", lambda: read(tmp_path), reason)


# --- refusals ------------------------------------------------------------------------------------


def test_refuses_two_files_for_one_task(tmp_path: Path) -> None:
    write_image(tmp_path / "depth.png", picture(1))
    write_image(tmp_path / "depth.npy", picture(1))
    reason = "a second file for task 'depth', beside depth.npy"
    refused(tmp_path / "depth.png", lambda: read(tmp_path), reason)


def test_refuses_scenes_and_directories_without_images(tmp_path: Path) -> None:
    refused(tmp_path, lambda: read_scene(SceneFiles("a", {}, str(tmp_path))), "no image of any task")
    refused(tmp_path, lambda: read(tmp_path), "no scenes found")
    missing, file = tmp_path / "missing", tmp_path / "file"
    file.touch()
    refused(missing, lambda: read(missing), "no such directory")
    refused(file, lambda: read(file), "not a directory")


def test_reading_loads_nothing_heavy(tmp_path: Path) -> None:
    for name in ("rgb.png", "depth.npy"):
        write_image(tmp_path / name, picture())
    lines = (
        "import sys, pathlib; from mtcodec.files.trees.layouts import find_scenes",
        "from mtcodec.files.scene import read_scene",
        "(scene,) = find_scenes(pathlib.Path(sys.argv[1])); read_scene(scene)",
        "print({'torch', 'onnxruntime', 'matplotlib', 'tifffile', 'OpenEXR'} & sys.modules.keys())",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines), tmp_path], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")
