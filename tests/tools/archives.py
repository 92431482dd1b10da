"""Archives that several tests read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtcodec.archive import write
from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.codec.request import Request


def two_sizes(path: Path, count: int) -> Path:
    """An archive of scenes of two sizes, every fifth without depth, in groups of three rows."""
    random, scenes = np.random.default_rng(0), []
    for k in range(count):
        size = (12, 20) if k % 2 else (9, 14)
        scene = {"depth": (random.random(size) * 500 + 300).astype(np.uint16),
                 "rgb": random.integers(0, 255, (*size, 3)).astype(np.uint8)}  # fmt: skip
        if k % 5 == 4:
            del scene["depth"]
        scenes.append((f"s{k}", scene))
    job = Job(None, ("rgb", "depth"), Request(coding="classical", effort="fast"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "MAX_GROUP_ROWS", 3)
        pack_scenes(scenes, path, job, shard_rows=9)
    return path
