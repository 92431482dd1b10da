"""Qualities drawn in training, and what the loss is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import SMALL, TASKS

from mtcodec.networks.config import ModelConfig
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.quality import MAX_NETWORK_LEVEL, lambda_of, level_of_lambda
from mtcodec.train.dataset import Batch
from mtcodec.train.objective import DIRECTION_SHARE, Balance, draw_qualities, objective, vector_squares


def tiny(architecture: str) -> MultiTask:
    return MultiTask(replace(ModelConfig(TASKS, architecture), **SMALL))


def test_fixed_lambdas_are_drawn() -> None:
    for lam in (0.001, 0.01, 0.1):
        assert lambda_of(float(level_of_lambda(lam))) == pytest.approx(lam, rel=3e-3)
    levels = draw_qualities(300, 3, 0.0, (0.001, 0.1))
    assert set(levels.unique().tolist()) == {level_of_lambda(0.001), level_of_lambda(0.1)}
    assert (levels == levels[:, :1]).all()
    assert draw_qualities(9, 3, 1.0, (50.0,)).max() == MAX_NETWORK_LEVEL  # a λ that networks do not know


def test_uncertainty_weights_become_inverse_to_the_errors() -> None:
    model = tiny("disjoint")
    balance = Balance(model, "uncertainty")
    declared = torch.tensor([t.weight for t in TASKS])
    assert torch.allclose(balance.weights(), declared.log().mean().exp())
    for k in range(50):
        balance.update(torch.tensor([40.0, 2.0, 10.0 if k % 3 else 0.0]))  # the third is absent at times
    weights = balance.weights()
    assert torch.allclose(weights * torch.tensor([40.0, 2.0, 10.0]), weights[0] * 40, rtol=1e-4)
    assert weights.log().mean() == pytest.approx(float(declared.log().mean()), abs=1e-4)
    assert torch.equal(Balance(model, "declared").weights(), declared)
    assert torch.allclose(Balance(model, "equal").weights(), declared.log().mean().exp())


def test_the_weight_of_the_shared_stream_counts_its_bits() -> None:
    model = tiny("conditional").eval()
    planes = {t.name: torch.rand(1, t.channels, 64, 64) for t in TASKS}
    batch = Batch(planes, torch.ones(1, 3), {})
    levels = torch.full((1, 4), MAX_NETWORK_LEVEL // 2)
    with torch.no_grad():
        out = model(planes, batch.present, levels)
        one, three = (objective(model, out, batch, levels, None, w) for w in (1.0, 3.0))
    assert float(three["loss"] - one["loss"]) == pytest.approx(2 * float(one["bpp_shared"]), rel=1e-3)
    assert np.isclose(float(one["bpp_shared"]), float(out.bits["shared"] / 64**2))


def test_errors_of_vectors_are_mostly_those_of_their_direction() -> None:
    """Length costs little, as decoders restore it; originals of another length are compared as they are."""
    unit = torch.tensor([0.6, 0.0, 0.8]).view(1, 3, 1, 1) / 2 + 0.5
    shorter = torch.tensor([0.3, 0.0, 0.4]).view(1, 3, 1, 1) / 2 + 0.5
    raw = float((unit - shorter).square().sum())
    assert float(vector_squares(shorter, unit).sum()) == pytest.approx((1 - DIRECTION_SHARE) * raw, rel=1e-4)
    assert float(vector_squares(unit, shorter).sum()) == pytest.approx(raw, rel=1e-4)
    zero = torch.full((1, 3, 1, 1), 0.5, requires_grad=True)
    vector_squares(zero, unit).sum().backward()
    assert zero.grad is not None and bool(torch.isfinite(zero.grad).all())
