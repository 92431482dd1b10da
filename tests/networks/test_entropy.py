"""The order in which symbols are coded, and that decoding walks as encoding did."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.stream import SYMBOL_LIMIT, Z_LIMIT, Stream, latent
from mtcodec.networks.entropy.walk import Step
from mtcodec.networks.pytorch.modules import StreamModel


@pytest.mark.parametrize("size", [(6, 4, 8), (5, 4, 4), (2, 8, 4)])
def test_every_symbol_is_coded_in_one_step(size: tuple[int, int, int]) -> None:
    masks = order.masks(np.arange, *size)
    assert len(masks) == order.STEPS
    assert (np.stack(masks).sum(axis=0) == 1).all()
    groups = order.groups(size[0])
    for mask in masks:
        for channel in range(1, size[0]):
            same = bool((mask[channel] == mask[channel - 1]).all())
            assert same == bool(groups[channel] == groups[channel - 1])


def test_steps_see_neighbours() -> None:
    """A checkerboard: around a symbol of the last step all are known, and those of other channels."""
    first, second = order.masks(np.arange, 4, 4, 4)
    assert (first[:, 1:-1, 1:-1] == second[:, :-2, 1:-1]).all()
    assert (first[:, 1:-1, 1:-1] == second[:, 1:-1, 2:]).all()
    assert (first[:2] == second[2:]).all()


@torch.no_grad()
def test_decoding_walks_as_encoding_did() -> None:
    torch.manual_seed(0)
    stream = StreamModel(Stream(6, 4, 16, conditions=6)).eval()
    for name in order.OUTPUTS:
        stream.leaves[name].weight.normal_(0, 0.3)
    rows = stream.rows(torch.tensor([300, 2048]))
    y, condition = 5 * torch.randn(2, 6, 8, 12), torch.randint(-255, 256, (2, 6, 8, 12)).float()
    sent: list[torch.Tensor] = []
    limits: list[int] = []

    def put(step: Step, symbols: torch.Tensor) -> None:
        sent.append(symbols * step.mask)
        limits.append(step.limit)

    y_hat = stream.encode(y, stream.hyper_analysis(y), rows, condition, put)
    assert limits == [Z_LIMIT, *[SYMBOL_LIMIT] * order.STEPS]
    symbols = iter(sent)
    assert torch.equal(stream.decode(rows, (2, 8, 12), condition, lambda step: next(symbols)), y_hat)
    assert (latent(y_hat, rows) - y).abs().max() < 4  # in units of the coarsest step
