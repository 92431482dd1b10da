"""Configuration of a model, saved with its weights; imports no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mtcodec.tasks import Task

ARCHITECTURES = ("conditional",)
BACKBONES = ("fast",)


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild a model; saved with its weights.

    ``encoder_8``, ``encoder_16``, ``decoder_8``, ``decoder_16`` are (channels, blocks) at 1/8 and 1/16.
    """

    tasks: tuple[Task, ...]
    architecture: str = "conditional"
    backbone: str = "fast"
    latents: int = 64
    hyper: int = 24
    entropy_width: int = 96
    encoder_8: tuple[int, int] = (128, 4)
    encoder_16: tuple[int, int] = (192, 5)
    decoder_8: tuple[int, int] = (128, 3)
    decoder_16: tuple[int, int] = (160, 3)

    def __post_init__(self) -> None:
        pairs = (self.encoder_8, self.encoder_16, self.decoder_8, self.decoder_16)
        sizes = (self.latents, self.hyper, self.entropy_width, *(c for c, _ in pairs))
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
