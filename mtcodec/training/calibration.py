"""Symbols that a trained model really sends, to fit its probability tables to."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor

from mtcodec.format import quality
from mtcodec.models.config import SHARED
from mtcodec.models.entropy.stream import SCALES, Step
from mtcodec.models.multitask import MultiTask
from mtcodec.training.dataset import Scenes


@torch.no_grad()
def collect(model: MultiTask, scenes: Scenes, rounds: int = 24, seed: int = 1) -> list[dict[int, int]]:
    """Histogram of symbols by table over random crops at random qualities: ``rounds`` batches of 8."""
    model.eval()
    rng = random.Random(seed)
    result: list[dict[int, int]] = [{} for _ in range(SCALES)]

    def put(step: Step, symbols: Tensor) -> None:
        mask = step.mask.expand_as(symbols)
        index = step.index[mask].to(torch.int64).numpy()
        values = symbols[mask].to(torch.int64).numpy()
        for i in np.unique(index):
            table = result[i]
            for symbol, count in zip(*np.unique(values[index == i], return_counts=True)):
                table[int(symbol)] = table.get(int(symbol), 0) + int(count)

    for k in range(rounds):
        batch = scenes.batch(8, 256, 0.0, rng)
        step = round((k + 0.5) / rounds * quality.STEPS)
        steps = torch.full((8, 1 + len(scenes.tasks)), step)
        y = model.analyse(batch.planes, batch.present, steps)
        shared: Tensor | None = None
        for name, latent in y.items():
            stream = model.stream(name)
            rows = stream.rows(stream.tables(), steps[:, 0])
            given = model.condition(name, shared)
            y_hat = stream.encode(latent, stream.h_a(latent), rows, given, put)
            if name == SHARED:
                shared = stream.canonical(y_hat, rows)
    return result
