"""Lists of times and paths as people write them: with tabs, several spaces, a byte order mark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtcodec.files.images import write_image
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.tasks import USUAL


@pytest.mark.parametrize("start, gap", [("", "\t"), ("", "   "), ("\ufeff", " ")])
def test_lists_are_read(tmp_path: Path, start: str, gap: str) -> None:
    for task, dtype, channels in (("rgb", np.uint8, (3,)), ("depth", np.uint16, ())):
        (tmp_path / task).mkdir()
        write_image(tmp_path / task / "a b.png", np.ones((4, 6, *channels), dtype))
        (tmp_path / f"{task}.txt").write_text(f"{start}# list\n1.25{gap}{task}/a b.png\n", "utf-8")
    (scene,) = find_scenes(tmp_path, USUAL, {}, lambda line: None)
    assert sorted(scene.files) == ["depth", "rgb"]
