from __future__ import annotations

import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import NodeResample


def test_forward_is_a_linear_map_of_every_channel():
    resample = NodeResample(5, 3)
    linear = nn.Linear(5, 3)
    with torch.no_grad():
        linear.weight.copy_(resample.weight)
        linear.bias.copy_(resample.bias)
    x = torch.randn(2, 5, 4)
    torch.testing.assert_close(resample(x), linear(x.transpose(1, 2)).transpose(1, 2))


def test_gradients():
    resample = NodeResample(3, 2).double()
    x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: resample(x), (x, resample.weight, resample.bias))


def test_parameters_start_as_those_of_a_linear_layer():
    torch.manual_seed(0)
    resample = NodeResample(100, 400)
    for parameter in (resample.weight, resample.bias):
        assert parameter is not None
        assert 0.95 / 10 < float(parameter.detach().abs().max()) <= 1 / 10
        assert float(parameter.detach().std()) == pytest.approx(1 / 10 / 3**0.5, rel=0.05)


def test_bias_can_be_left_out():
    resample = NodeResample(3, 2, bias=False)
    assert set(resample.state_dict()) == {"weight"}
    assert not resample(torch.zeros(1, 3, 4)).any()


def test_printed_form():
    assert str(NodeResample(66, 36)) == "NodeResample(66, 36)"


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 3)])
def test_inputs_fit_the_layer(shape):
    message = r"resample input: expected \(batch, 3 nodes, channels\), got .*Nodes are on axis 1"
    with pytest.raises(ShapeError, match=message):
        NodeResample(3, 2)(torch.zeros(shape))


def test_sizes_are_positive():
    with pytest.raises(ConfigError, match="out_nodes: expected an integer of at least 1, got 0"):
        NodeResample(3, 0)
