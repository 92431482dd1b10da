"""What a backbone says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from mtcodec.models.config import ModelConfig, Size

Names = tuple[str, ...]


@dataclass(frozen=True)
class Backbone:
    """The transforms of a model.

    Attributes:
        analysis: configuration, tasks read, streams made → a network g_a. It is called with the planes of
            tasks, centred on zero and concatenated, (B, ΣC, H, W), and (B, tasks + streams): presence of
            tasks, 0 or 1, and qualities of streams, −0.5 to 0.5. It gives the latents, (B, ΣN, H/16, W/16).
        synthesis: configuration, task → a network g_s. It is called with the latents that the task reads,
            concatenated, and their qualities. It gives the task's planes, centred on zero, in float32.
        sizes: usual ones by architecture: fields of :class:`mtcodec.models.config.ModelConfig`.
        blocks: sides in pixels of the patches and blocks that its layers ``basis`` and ``linear`` transform;
            training starts them as Karhunen–Loève transforms (:mod:`mtcodec.training.klt`), and weights grow
            by them (:mod:`mtcodec.training.grow`). None: it has no such layers, and starts at random.
    """

    analysis: Callable[[ModelConfig, Names, Names], nn.Module]
    synthesis: Callable[[ModelConfig, str], nn.Module]
    sizes: Mapping[str, Mapping[str, Size]]
    blocks: tuple[int, int] | None = None
