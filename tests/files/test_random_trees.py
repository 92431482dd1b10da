"""Random trees of images: each image is in one scene, or in a line that says that it is left out."""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from pathlib import Path

import imagecodecs
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mtcodec.errors import SceneError
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.files.trees.listing import read_tree

IMAGE = imagecodecs.png_encode(np.zeros((16, 20), np.uint8))
TASKS = ("rgb", "depth", "normals", "semantic_segmentation", "color", "smell", "front_rgb", "wrist_depth",
         "depth_map", "left", "gt")  # fmt: skip
KEYS = ("0001", "1", "2", "a_b", "café", unicodedata.normalize("NFD", "café"), "x-07", "f.1", "train", "Ж3",
        "i0_0", "d0_0", "1305031102.175304", "..x")  # fmt: skip
SEPARATORS = ("_", "-", ".", " ", "")
OTHERS = ("readme.txt", "camera.json", "labels", "rgb.txt", ".hidden.png", "box.npy", "poses/1.txt")

words = st.sampled_from(TASKS) | st.sampled_from(KEYS)
names = st.builds(str.__add__, words, st.just("")) | st.builds(
    lambda a, s, b: a + s + b, words, st.sampled_from(SEPARATORS), words
)
suffixes = st.sampled_from((".png", ".jpg", ".PNG", ".npy"))
images = st.builds(
    lambda parents, stem, suffix: "/".join((*parents, stem + suffix)),
    st.lists(names, max_size=3), names, suffixes,
)  # fmt: skip
grids = st.builds(  # what people have: all of some tasks and keys, in one of the usual ways
    lambda form, tasks, keys: [form.format(task=task, key=key) for task in tasks for key in keys],
    st.sampled_from(("{task}/{key}.png", "{key}/{task}.png", "{key}_{task}.png", "{task}_{key}.png",
                     "run/{task}/{task}_{key}.png", "a/b/{key}.{task}.png", "cam_{task}/x/{key}.png")),
    st.lists(st.sampled_from(TASKS), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True),
)  # fmt: skip


def _write(root: Path, paths: list[str]) -> None:
    for name in paths:
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(IMAGE)
        except OSError:  # a file where a directory is to be, or the other way round
            continue


@settings(max_examples=300, deadline=None)
@given(grids, st.lists(images, max_size=6), st.lists(st.sampled_from(OTHERS), max_size=3))
def test_every_image_is_in_a_scene_or_in_a_line(grid: list[str], more: list[str], others: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "dataset"
        _write(root, [*grid, *more, *others])
        lines: list[str] = []
        try:
            scenes = find_scenes(root, note=lines.append)
        except SceneError as error:
            assert str(error).startswith(str(root)) and "\n" not in str(error)
            return
        used = [str(source) for scene in scenes for source in scene.files.values()]
        assert len(set(used)) == len(used), "an image is in two scenes"
        assert len({scene.key for scene in scenes}) == len(scenes), "two scenes of one key"
        every = {path for _, listing in read_tree(str(root)).walk() for _, path in listing.images}
        assert set(used) <= every
        missing = sorted(os.path.relpath(path, root) for path in every - set(used))
        left = " ".join(line for line in lines if "left out" in line)
        more_than_shown = sum(int(count) for count in re.findall(r"and (\d+) more", left))
        unnamed = {path.partition("/")[0] for path in missing if not _is_named(path, left)}  # or directories
        assert len(unnamed) <= more_than_shown, (unnamed, lines)


def _is_named(path: str, lines: str) -> bool:
    """Is a file, or a directory around it, in a line?"""
    parents = [f"{parent}/" for parent in Path(path).parents if str(parent) != "."]
    return any(name in lines for name in (path, *parents))
