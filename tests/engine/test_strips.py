"""Large images are worked on in strips, which changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from tools import symbols

from mtcodec.codec.prepare import Scene
from mtcodec.engine import strips
from mtcodec.weights import store


@pytest.mark.parametrize("weights", ["clevr", "general", "clevr-single"])
def test_strips_give_what_the_whole_image_gives(
    scene: Scene, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tall = {name: np.concatenate([image, image[::-1]])[:, :150] for name, image in scene.items()}
    codec = symbols.codec(store.find(weights))
    data, written = symbols.encode(codec, tall, 70)
    (whole,) = symbols.decode(codec, [data])
    monkeypatch.setattr(strips, "WHOLE", 16)
    assert len(strips.strips(32, 12, 4, 4)) > 2
    again, same = symbols.encode(codec, tall, 70)
    (parts,) = symbols.decode(codec, [data])
    assert parts.digests == whole.digests and symbols.same(parts.digests, written)
    header = symbols.reader_of(data).header
    for name, image in parts.images.items():
        assert symbols.steps_apart(header.section(name), [image, whole.images[name]]) <= 1
    assert abs(len(again) - len(data)) <= 0.02 * len(data) and same.keys() == written.keys()
