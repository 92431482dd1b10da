"""Configuration of a model, saved with its weights; imports no torch.

An *architecture* says which streams there are and who reads them (:class:`StreamGraph`), a *backbone* what
the transforms are made of (:mod:`mtcodec.networks.backbones`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, cast

from mtcodec.networks.backbones import BACKBONES
from mtcodec.tasks import Task

ARCHITECTURES = ("single", "mixed", "disjoint", "shared", "conditional")
SHARED = "shared"  # the stream that every task reads
SIZES = (
    *("latents", "shared_latents", "hyper", "entropy_width", "head"),
    *("encoder_8", "encoder_16", "decoder_8", "decoder_16"),
)
"""Fields of a configuration that say how large the networks are."""
Size = int | tuple[int, int]


@dataclass(frozen=True)
class StreamGraph:
    """Which streams there are, what makes them and who reads them.

    Attributes:
        analyses: (tasks that it reads, streams that it makes) of every analysis transform.
        reads: streams that a task's synthesis reads.
        conditioned: are tasks' streams coded given the shared one?
    """

    analyses: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    reads: dict[str, tuple[str, ...]]
    conditioned: bool

    @property
    def streams(self) -> tuple[str, ...]:
        """All streams in the order of coding."""
        return tuple(name for _, streams in self.analyses for name in streams)

    @property
    def separable(self) -> bool:
        """Do tasks have streams of their own?"""
        return self.streams != (SHARED,)


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild a model; saved with its weights.

    ``latents`` and ``shared_latents`` are channels of a task's stream and of the shared one. ``encoder_8``,
    ``encoder_16``, ``decoder_8``, ``decoder_16`` are (channels, blocks) at 1/8 and 1/16 of the backbone
    ``fast``; ``head`` are the channels *C* that each task gets in ``scale-hyperprior``.
    """

    tasks: tuple[Task, ...]
    architecture: str = "conditional"
    backbone: str = "fast"
    latents: int = 64
    shared_latents: int = 64
    hyper: int = 24
    entropy_width: int = 96
    encoder_8: tuple[int, int] = (128, 4)
    encoder_16: tuple[int, int] = (192, 5)
    decoder_8: tuple[int, int] = (128, 3)
    decoder_16: tuple[int, int] = (160, 3)
    head: int = 42

    def __post_init__(self) -> None:
        pairs = (self.encoder_8, self.encoder_16, self.decoder_8, self.decoder_16)
        widths = (self.latents, self.shared_latents, self.hyper, self.entropy_width, self.head)
        sizes = (*widths, *(c for c, _ in pairs))
        if not self.tasks or len({t.name for t in self.tasks}) != len(self.tasks) or len(self.tasks) > 16:
            raise ValueError("tasks must be 1 to 16 different ones")
        if any(not isinstance(n, int) or not 2 <= n <= 1024 or n % 2 for n in sizes):
            raise ValueError("channels must be even numbers from 2 to 1024")
        if any(not isinstance(n, int) or not 0 <= n <= 32 for _, n in pairs):
            raise ValueError("numbers of blocks must be 0 to 32")
        if self.architecture not in ARCHITECTURES or self.backbone not in BACKBONES:
            raise ValueError(f"unknown architecture {self.architecture!r} or backbone {self.backbone!r}")

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "tasks": [t.to_json() for t in self.tasks]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ModelConfig:
        tasks = tuple(Task.from_json(t) for t in values["tasks"])
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**{**values, "tasks": tasks})

    @property
    def task_names(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.tasks)

    def task(self, name: str) -> Task:
        """The declaration of a task."""
        return self.tasks[self.task_names.index(name)]

    def channels(self, *streams: str) -> int:
        """Latent channels of streams, all together."""
        return sum(self.shared_latents if name == SHARED else self.latents for name in streams)

    @cached_property
    def graph(self) -> StreamGraph:
        """The streams of this architecture."""
        names = self.task_names
        if self.architecture == "single":
            return StreamGraph(tuple(((n,), (n,)) for n in names), {n: (n,) for n in names}, False)
        if self.architecture == "disjoint":
            return StreamGraph(((names, names),), {n: (n,) for n in names}, False)
        if self.architecture == "mixed":
            return StreamGraph(((names, (SHARED,)),), dict.fromkeys(names, (SHARED,)), False)
        reads: dict[str, tuple[str, ...]] = {n: (SHARED, n) for n in names}
        return StreamGraph(((names, (SHARED, *names)),), reads, self.architecture == "conditional")


def preset(tasks: tuple[Task, ...], architecture: str, backbone: str = "fast") -> ModelConfig:
    """The usual sizes of an architecture (:attr:`mtcodec.networks.backbones.backbone.Backbone.sizes`)."""
    config = ModelConfig(tasks, architecture, backbone)
    return replace(config, **cast(dict[str, Any], BACKBONES[backbone].sizes[architecture]))
