"""What tests make for themselves: smooth scenes, small untrained networks, an archive of two sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mtcodec.archive import write
from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.codec.prepare import Scene
from mtcodec.codec.request import Request
from mtcodec.networks.config import ModelConfig
from mtcodec.networks.entropy import order
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.train import klt
from mtcodec.train.dataset import Scenes

# --- images --------------------------------------------------------------------------------------


def wave(height: int, width: int, shift: float = 0.0) -> np.ndarray:
    """A smooth (H, W) surface in [0, 1]."""
    y, x = np.mgrid[:height, :width]
    return np.asarray(0.5 + 0.25 * np.sin(x / 9 + shift) + 0.25 * np.cos(y / 7 - shift))


def scene_of(size: int = 48, shift: float = 0.0) -> Scene:
    """A smooth scene of four usual tasks, H = W = ``size``, which every codec codes well."""
    planes = np.stack([wave(size, size, shift + k) for k in range(3)], axis=-1)
    vectors = planes - 0.5
    vectors[..., 2] = 0.8
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return {
        "rgb": np.rint(planes * 255).astype(np.uint8),
        "depth": np.rint(6000 + 18000 * wave(size, size, shift)).astype(np.uint16),
        "normal": np.rint((vectors + 1) / 2 * 255).astype(np.uint8),
        "semantic": (planes[..., 0] > 0.6).astype(np.uint8) * 3,
    }


def crop(scene: Scene, top: int, left: int, height: int, width: int) -> Scene:
    """Contiguous copies of a window of all images of a scene."""
    window = slice(top, top + height), slice(left, left + width)
    return {name: np.ascontiguousarray(image[window]) for name, image in scene.items()}


# --- networks ------------------------------------------------------------------------------------


def untrained(config: ModelConfig, scenes: Scenes, seed: int = 0) -> MultiTask:
    """An untrained model whose linear paths fit ``scenes``."""
    torch.manual_seed(seed)
    model = MultiTask(config)
    klt.initialise(model, scenes, crops=32)
    return model


def excite_entropy_networks(model: MultiTask) -> None:
    """Random weights where untrained entropy networks have zeros.

    Entropy parameters then depend on latents and neighbours, as those of trained networks do.
    """
    with torch.no_grad():
        for stream in model.streams.values():
            for name in order.OUTPUTS:
                stream.leaves[name].weight.normal_(0, 0.1)  # type: ignore[index, union-attr]


# --- archives ------------------------------------------------------------------------------------


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
