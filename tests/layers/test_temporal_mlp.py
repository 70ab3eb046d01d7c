from __future__ import annotations

import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import TemporalMLPBlock


def trained(num_frames: int, channels: int) -> TemporalMLPBlock:
    """With parameters far from their small initial values."""
    block = TemporalMLPBlock(num_frames, channels)
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    return block


def test_forward_matches_a_linear_layer_along_time():
    block, x = trained(5, 7), torch.randn(3, 5, 7)
    linear = nn.Linear(5, 5)
    with torch.no_grad():
        linear.weight.copy_(block.weight)
        linear.bias.copy_(block.bias)
    y = linear(x.transpose(1, 2)).transpose(1, 2)
    centred = y - y.mean(2, keepdim=True)
    normal = centred / (centred.square().mean(2, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(block(x), x + normal * block.norm.weight + block.norm.bias)


def test_the_norm_cancels_the_bias():
    block, x = trained(5, 7), torch.randn(3, 5, 7)
    expected = block(x)
    with torch.no_grad():
        block.bias.add_(torch.randn(5))
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)


def test_gradients():
    block = trained(3, 4).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: block(x), (x, *block.parameters()))


def test_a_new_block_changes_almost_nothing():
    block, x = trained(50, 66), torch.randn(4, 50, 66)
    with torch.no_grad():
        assert float((block(x) - x).abs().max()) > 1
        block.reset_parameters()
        assert 0 < float((block(x) - x).abs().max()) < 1e-4
    bound = 1e-8 * (6 / 100) ** 0.5
    assert 0.99 * bound < float(block.weight.detach().abs().max()) <= bound
    assert not block.bias.any()


def test_printed_form():
    assert "num_frames=50, channels=66" in str(TemporalMLPBlock(50, 66))


@pytest.mark.parametrize("name", ["num_frames", "channels"])
def test_sizes_are_positive(name):
    with pytest.raises(ConfigError, match=f"{name}: expected an integer of at least 1, got 0"):
        TemporalMLPBlock(**{"num_frames": 2, "channels": 2, name: 0})


@pytest.mark.parametrize("shape", [(5, 7), (1, 7, 5), (1, 5, 6), (1, 5, 7, 1)])
def test_inputs_fit_the_block(shape):
    message = r"temporal block input: expected \(batch, 5 frames, 7 channels\), got \(.*Rearrange poses"
    with pytest.raises(ShapeError, match=message):
        TemporalMLPBlock(5, 7)(torch.zeros(shape))
