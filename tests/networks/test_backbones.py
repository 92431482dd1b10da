"""The paper's transforms: what their formulas say, and what compressai's give."""

from __future__ import annotations

import pytest
import torch

from mtcodec.networks.backbones import scale_hyperprior as paper
from mtcodec.networks.layers import BETA_MIN, Layer
from mtcodec.networks.pytorch.layers import GDN, Net


def test_gdn_is_what_its_formula_says() -> None:
    torch.manual_seed(0)
    for inverse in (False, True):
        layer = GDN(Layer(5, 5, "igdn" if inverse else "gdn"))
        with torch.no_grad():
            layer.beta_root.uniform_(0.5, 1.5)
            layer.gamma_root.uniform_(-0.5, 0.5)
            x = torch.randn(2, 5, 3, 4)
            beta, gamma = layer.beta_root**2 + BETA_MIN, layer.gamma_root**2
            root = (beta[:, None, None] + torch.einsum("ij,bjhw->bihw", gamma, x**2)).sqrt()
            assert torch.allclose(layer(x), x * root if inverse else x / root, rtol=1e-5)


def test_transforms_equal_those_of_compressai() -> None:
    """With the same weights, one task's transforms give what compressai's ScaleHyperprior gives."""
    zoo = pytest.importorskip("compressai.models")
    torch.manual_seed(0)
    theirs = zoo.ScaleHyperprior(12, 20).eval()
    analysis, synthesis = paper.Analysis((3,), 20, 12), paper.Synthesis(20, 3, 12, 12)
    g_a, g_s = Net(analysis.layers).eval(), Net(synthesis.layers).eval()
    with torch.no_grad():
        pairs = [*zip(g_a.leaves.values(), theirs.g_a), *zip(g_s.leaves.values(), theirs.g_s)]
        for our_layer, their_layer in pairs:
            if isinstance(our_layer, GDN):
                their_layer.beta.uniform_(0.7, 1.3)
                their_layer.gamma.uniform_(0.0, 0.4)
                our_layer.beta_root.copy_((their_layer.beta_reparam(their_layer.beta) - BETA_MIN).sqrt())
                our_layer.gamma_root.copy_(their_layer.gamma_reparam(their_layer.gamma).sqrt())
            else:
                our_layer.load_state_dict(their_layer.state_dict())
        x = torch.rand(2, 3, 64, 128)
        y = theirs.g_a(x)
        assert torch.allclose(analysis(g_a, x, torch.empty(0)), y, atol=1e-5)
        assert torch.allclose(synthesis(g_s, y, torch.empty(0)), theirs.g_s(y), atol=1e-5)
