"""What a backbone says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mtcodec.networks.layers import Layers, Maps, Operations

if TYPE_CHECKING:
    from mtcodec.networks.config import ModelConfig, Size

Names = tuple[str, ...]


class Transform(Protocol):
    """The structure of an analysis or a synthesis.

    Attributes:
        halo: latents beyond its border that an output of a part of the image depends on.
    """

    @property
    def layers(self) -> Layers: ...

    @property
    def halo(self) -> int: ...

    def __call__(self, net: Operations, x: Maps, vector: Maps, /) -> Maps:
        """Apply it to ``x``; ``vector`` is (B, n, 1, 1)."""


@dataclass(frozen=True)
class Backbone:
    """The transforms of a model.

    Attributes:
        analysis: configuration, tasks read, streams made → g_a. It is called with the planes of
            tasks, centred on zero and concatenated, (B, ΣC, H, W), and (B, tasks + streams, 1, 1): presence
            of tasks, 0 or 1, and qualities of streams, −0.5 to 0.5. It gives the latents,
            (B, ΣN, H/16, W/16).
        synthesis: configuration, task → g_s. It is called with the latents that the task reads,
            concatenated, and their qualities. It gives the task's planes, centred on zero.
        sizes: usual ones by architecture: fields of :class:`mtcodec.networks.config.ModelConfig`.
        blocks: sides in pixels of the patches and blocks that its layers ``basis`` and ``linear`` transform;
            training starts them as Karhunen–Loève transforms (:mod:`mtcodec.train.klt`), and weights grow
            by them (:mod:`mtcodec.train.grow`). None: it has no such layers, and starts at random.
    """

    analysis: Callable[[ModelConfig, Names, Names], Transform]
    synthesis: Callable[[ModelConfig, str], Transform]
    sizes: Mapping[str, Mapping[str, Size]]
    blocks: tuple[int, int] | None = None
