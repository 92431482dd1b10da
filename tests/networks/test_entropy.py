"""The order in which symbols are coded, and that decoding goes through the passes as encoding did."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.passes import PASS_COUNT, StreamPasses
from mtcodec.networks.entropy.stream import SYMBOL_LIMIT, Z_LIMIT, Stream, latent
from mtcodec.networks.pytorch.modules import StreamModel


@pytest.mark.parametrize("size", [(6, 4, 8), (5, 4, 4), (2, 8, 4)])
def test_every_symbol_is_coded_in_one_pass(size: tuple[int, int, int]) -> None:
    masks = order.masks(np.arange, *size)
    assert len(masks) == order.PASSES
    assert (np.stack(masks).sum(axis=0) == 1).all()
    groups = order.groups(np.arange, size[0])
    for mask in masks:
        for channel in range(1, size[0]):
            same = bool((mask[channel] == mask[channel - 1]).all())
            assert same == bool(groups[channel] == groups[channel - 1])


def test_passes_see_neighbours() -> None:
    """A checkerboard: around a symbol of the last pass all are known, and those of other channels."""
    first, second = order.masks(np.arange, 4, 4, 4)
    assert (first[:, 1:-1, 1:-1] == second[:, :-2, 1:-1]).all()
    assert (first[:, 1:-1, 1:-1] == second[:, 1:-1, 2:]).all()
    assert (first[:2] == second[2:]).all()


@torch.no_grad()
def test_decoding_goes_through_the_passes_as_encoding_did() -> None:
    torch.manual_seed(0)
    stream = StreamModel(Stream(6, 4, 16, conditions=6)).eval()
    for name in order.OUTPUTS:
        stream.leaves[name].get_parameter("weight").normal_(0, 0.3)
    gains = stream.gain_vectors(torch.tensor([300, 2048]))
    y, condition = 5 * torch.randn(2, 6, 8, 12), torch.randint(-255, 256, (2, 6, 8, 12)).float()
    encoding, decoding = (StreamPasses(stream, gains, (2, 8, 12), condition) for _ in range(2))
    quantiser = encoding.quantiser(y)
    sent: list[torch.Tensor] = []
    largest: list[int] = []
    for coding_pass in encoding:
        coding_pass.symbols = quantiser.symbols(coding_pass)
        sent.append(coding_pass.symbols * coding_pass.mask)
        largest.append(coding_pass.max_abs)
    assert largest == [Z_LIMIT, *[SYMBOL_LIMIT] * order.PASSES] and len(largest) == PASS_COUNT
    for coding_pass, symbols in zip(decoding, sent, strict=True):
        coding_pass.symbols = symbols
    assert torch.equal(decoding.y_hat, encoding.y_hat)
    assert (latent(encoding.y_hat, gains) - y).abs().max() < 4  # in units of the coarsest quantisation
