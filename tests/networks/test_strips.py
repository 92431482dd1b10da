"""Large images are worked on in strips, and windows of them, which changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from shared import symbols

import mtcodec
from mtcodec import memory
from mtcodec.codec import decoder
from mtcodec.codec.prepare import Scene
from mtcodec.container.mtc import Reader
from mtcodec.networks.onnx import strips
from mtcodec.networks.onnx.sessions import Sessions
from mtcodec.networks.structure import Latents
from mtcodec.networks.weights import store


@pytest.mark.parametrize("weights", ["clevr", "general", "clevr-single"])
def test_strips_give_what_the_whole_image_gives(
    scene: Scene, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tall = {name: np.concatenate([image, image[::-1]])[:, :150] for name, image in scene.items()}
    codec = symbols.codec(store.find(weights))
    data, written = symbols.encode(codec, tall, 70)
    (whole,) = symbols.decode(codec, [data])
    monkeypatch.setattr(strips, "MAX_WHOLE_PLACES", 16)
    assert len(strips.strips(32, 12, 4, 4)) > 2
    again, same = symbols.encode(codec, tall, 70)
    (parts,) = symbols.decode(codec, [data])
    assert parts.digests == whole.digests and symbols.same(parts.digests, written)
    header = symbols.reader_of(data).header
    for name, image in parts.images.items():
        assert symbols.steps_apart(header.section(name), [image, whole.images[name]]) <= 1
    assert abs(len(again) - len(data)) <= 0.02 * len(data) and same.keys() == written.keys()


def test_only_owned_processes_get_another_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[tuple[int, int]] = []
    monkeypatch.setattr(memory, "_set_option", lambda *option: options.append(option))
    monkeypatch.setattr(memory, "owned", False)
    memory.return_large_blocks()
    assert not options
    monkeypatch.setattr(memory, "owned", True)
    memory.return_large_blocks()
    assert options == [(memory.M_MMAP_THRESHOLD, memory.RETURNED_BYTES)]


WINDOWS = [(0, 0, 150, 512), (37, 141, 50, 1), (149, 400, 1, 112), (60, 250, 33, 61)]
"""First row and column, height and width."""


@pytest.mark.parametrize("weights", ["clevr", "clevr-single"])
def test_a_window_is_a_part_of_the_whole_image(
    scene: Scene, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks read little more than its latents."""
    large = {name: np.concatenate([image, image[:, ::-1]], axis=1)[:150] for name, image in scene.items()}
    large["depth"] = large["depth"].copy()
    large["depth"][40:70, 100:300] = 0  # holes
    codec, latent_sizes = mtcodec.load(weights, coding="neural"), list[tuple[int, ...]]()
    data = codec.encode(large, 60)
    whole, header = codec.decode(data), Reader(data).header
    synthesise = Sessions.synthesise

    def noted(self: Sessions, task: str, latents: Latents, *rest: Any) -> Any:
        latent_sizes.append(latents.y_hat[task].shape[2:])
        return synthesise(self, task, latents, *rest)

    monkeypatch.setattr(Sessions, "synthesise", noted)
    for top, left, height, width in WINDOWS:
        window = slice(top, top + height), slice(left, left + width)
        (part,) = decoder.decode(
            [Reader(data)], None, codec.networks_of, windows=dict.fromkeys(whole, window)
        )
        for name, image in part.items():
            expected = whole[name][window]
            assert image.shape == expected.shape and image.flags.c_contiguous
            if name == "semantic":
                assert np.array_equal(image, expected)
            else:
                assert symbols.steps_apart(header.section(name), [image, expected]) <= 1
            if name == "depth":
                assert np.array_equal(image == 0, expected == 0)
    assert latent_sizes[::3] == [(12, 32), (11, 11), (8, 12), (11, 15)]
