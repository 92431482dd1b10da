"""The paper's transforms: what their formulas say, and what compressai's give."""

from __future__ import annotations

import pytest
import torch

from mtcodec.models.backbones import scale_hyperprior as gdn


def test_gdn_is_what_its_formula_says() -> None:
    torch.manual_seed(0)
    for inverse in (False, True):
        layer = gdn.GDN(5, inverse)
        with torch.no_grad():
            layer.beta_root.uniform_(0.5, 1.5)
            layer.gamma_root.uniform_(-0.5, 0.5)
            x = torch.randn(2, 5, 3, 4)
            beta, gamma = layer.beta_root**2 + gdn.BETA_MIN, layer.gamma_root**2
            root = (beta[:, None, None] + torch.einsum("ij,bjhw->bihw", gamma, x**2)).sqrt()
            assert torch.allclose(layer(x), x * root if inverse else x / root, rtol=1e-5)


def test_transforms_equal_those_of_compressai() -> None:
    """With the same weights, one task's transforms give what compressai's ScaleHyperprior gives."""
    zoo = pytest.importorskip("compressai.models")
    torch.manual_seed(0)
    theirs = zoo.ScaleHyperprior(12, 20).eval()
    analysis, synthesis = gdn.Analysis([3], 20, 12).eval(), gdn.Synthesis(20, 3, 12, 12).eval()
    ours_a = [*analysis.heads[0], *analysis.trunk]
    with torch.no_grad():
        for ours, other in [*zip(ours_a, theirs.g_a), *zip(synthesis.layers, theirs.g_s)]:
            if isinstance(ours, gdn.GDN):
                other.beta.uniform_(0.7, 1.3)
                other.gamma.uniform_(0.0, 0.4)
                ours.beta_root.copy_((other.beta_reparam(other.beta) - gdn.BETA_MIN).sqrt())
                ours.gamma_root.copy_(other.gamma_reparam(other.gamma).sqrt())
            else:
                ours.load_state_dict(other.state_dict())
        x = torch.rand(2, 3, 64, 128)
        y = theirs.g_a(x)
        assert torch.allclose(analysis(x, torch.empty(0)), y, atol=1e-5)
        assert torch.allclose(synthesis(y, torch.empty(0)), theirs.g_s(y), atol=1e-5)
