"""Symbols that a trained model really sends, to fit its probability tables to."""

from __future__ import annotations

import numpy as np
import torch

from mtcodec import quality
from mtcodec.networks.entropy.fit import Histograms
from mtcodec.networks.entropy.passes import CodingPass
from mtcodec.networks.entropy.scales import SCALES
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.networks.structure import Latents
from mtcodec.train.dataset import Batch, Scenes

BATCH, CROP = 8, 256  # scenes of a batch, and the side of their crops in pixels


def collect(model: MultiTask, scenes: Scenes, rounds: int = 24, seed: int = 1) -> Histograms:
    """Histogram of symbols by table over random crops: ``rounds`` batches of 8, each at one quality.

    The qualities are spread evenly over the range of the networks.
    """
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    histograms: Histograms = [{} for _ in range(SCALES)]
    for k in range(rounds):
        batch = scenes.batch(BATCH, CROP, generator=generator)
        count_symbols(histograms, model, batch, round((k + 0.5) / rounds * quality.MAX_NETWORK_LEVEL))
    return histograms


@torch.no_grad()
def count_symbols(histograms: Histograms, model: MultiTask, batch: Batch, level: int) -> None:
    """Add the symbols of all streams of ``batch`` at a quality level to ``histograms``."""
    levels = torch.full((len(batch.present), 1 + batch.present.shape[1]), level)
    y = model.analyse(batch.planes, batch.present, levels)
    latents = Latents()
    for stream in model.graph.streams:
        batch_size, _, height, width = y[stream].shape
        passes = model.passes(stream, levels, (batch_size, height, width), latents)
        quantiser = passes.quantiser(y[stream])
        for coding_pass in passes:
            coding_pass.symbols = quantiser.symbols(coding_pass)
            _count_pass(histograms, coding_pass)
        latents.add(stream, passes)


def _count_pass(histograms: Histograms, coding_pass: CodingPass) -> None:
    mask = coding_pass.mask.expand_as(coding_pass.symbols)
    table_indexes = coding_pass.table_indexes[mask].to(torch.int64).numpy()
    symbols = coding_pass.symbols[mask].to(torch.int64).numpy()
    for table_index in np.unique(table_indexes):
        histogram = histograms[table_index]
        for symbol, count in zip(*np.unique(symbols[table_indexes == table_index], return_counts=True)):
            histogram[int(symbol)] = histogram.get(int(symbol), 0) + int(count)
