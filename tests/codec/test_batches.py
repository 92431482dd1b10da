"""Several files decoded together."""

from __future__ import annotations

import numpy as np

from mtcodec import Codec
from mtcodec.codec import decoder
from mtcodec.container.mtc import Reader


def test_files_without_networks_may_differ_in_size() -> None:
    """Each image is whole, whatever the size of the first file's."""
    codec = Codec((), coding="classical")
    images = [np.arange(h * w, dtype=np.int32).reshape(h, w) for h, w in ((3, 5), (9, 11), (2, 4))]
    readers = [Reader(codec.encode({"ids": image})) for image in images]
    scenes = decoder.decode(readers, ["ids"], codec.networks_of)
    for image, scene in zip(images, scenes, strict=True):
        assert np.array_equal(scene["ids"], image)
    window = slice(1, 3), slice(2, 4)
    for image, scene in zip(
        images, decoder.decode(readers, ["ids"], codec.networks_of, windows={"ids": window})
    ):
        assert np.array_equal(scene["ids"], image[window])
