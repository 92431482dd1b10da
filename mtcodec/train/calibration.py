"""Symbols that a trained model really sends, to fit its probability tables to."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mtcodec import quality
from mtcodec.networks.entropy.gain_vectors import Rows
from mtcodec.networks.entropy.scales import SCALES
from mtcodec.networks.entropy.walk import Step
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.train.dataset import Scenes


@torch.no_grad()
def collect(model: MultiTask, scenes: Scenes, rounds: int = 24, seed: int = 1) -> list[dict[int, int]]:
    """Histogram of symbols by table over random crops at random qualities: ``rounds`` batches of 8."""
    model.eval()
    generator = torch.Generator().manual_seed(seed)
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
        batch = scenes.batch(8, 256, generator=generator)
        step = round((k + 0.5) / rounds * quality.MAX_NETWORK_LEVEL)
        steps = torch.full((8, 1 + len(scenes.tasks)), step)
        y = model.analyse(batch.planes, batch.present, steps)

        def code(name: str, rows: Rows, condition: Tensor | None, y: dict[str, Tensor] = y) -> Tensor:
            stream = model.stream(name)
            return stream.encode(y[name], stream.hyper_analysis(y[name]), rows, condition, put)

        model.walk(steps, code)
    return result
