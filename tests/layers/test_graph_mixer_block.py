from __future__ import annotations

import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import GraphMixerBlock


def trained(dropout=0.0):
    """A block whose zero parameters are zero no more."""
    torch.manual_seed(0)
    block = GraphMixerBlock(6, num_nodes=4, num_heads=2, expansion=3, dropout=dropout).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return block


def layer_norm(x, norm):
    """Each node by itself: mean 0 and variance 1 over the channels, then scale and shift."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias


def gelu(x):
    return x * (1 + torch.erf(x / 2**0.5)) / 2


def linear(x, layer):
    return torch.einsum("bnc,dc->bnd", x, layer.weight) + layer.bias


def test_forward_matches_the_formula():
    block, x = trained(), torch.randn(2, 4, 6, dtype=torch.float64)
    values = linear(layer_norm(x, block.node_norm), block.value)
    mixed = torch.cat(
        [torch.einsum("nm,bmc->bnc", block.graph.adjacency[h], values[..., 3 * h : 3 * h + 3]) for h in (0, 1)], 2
    )
    middle = x + linear(gelu(mixed), block.output)
    expected = middle + linear(gelu(linear(layer_norm(middle, block.channel_norm), block.expand)), block.contract)
    torch.testing.assert_close(block(x), expected)


def test_a_new_block_is_the_identity():
    x = torch.randn(2, 4, 8)
    assert torch.equal(GraphMixerBlock(8, num_nodes=4, num_heads=2)(x), x)


def test_dropout_drops_in_training_only():
    block, x = trained(dropout=0.5), torch.randn(2, 4, 6, dtype=torch.float64)
    assert not torch.equal(block(x), block(x))
    block.eval()
    torch.testing.assert_close(block(x), trained()(x))


def test_samples_are_independent_in_training_too():
    block, x = trained(), torch.randn(3, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(block(x)[:1], block(x[:1]))


def test_every_parameter_learns():
    block = trained()
    block(torch.randn(2, 4, 6, dtype=torch.float64)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in block.parameters())
    assert sum(isinstance(module, nn.LayerNorm) for module in block.modules()) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"num_heads": 5}, "num_heads"), ({"expansion": 0}, "expansion"), ({"dropout": 1.5}, "dropout")],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        GraphMixerBlock(16, num_nodes=4, **settings)


def test_wrong_input_is_refused():
    with pytest.raises(ShapeError, match="graph convolution input"):
        GraphMixerBlock(8, num_nodes=4, num_heads=2)(torch.zeros(2, 5, 8))
