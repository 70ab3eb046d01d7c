from __future__ import annotations

import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import (
    GraphConv,
    GraphConvBlock,
    JointPool,
    NodeResample,
    PerNodeLinear,
    ResampleBlock,
    ResidualGraphBlock,
    ResidualStage,
    make_activation,
)
from posegraph.skeleton.grouping import JointGrouping


def tail(x: torch.Tensor, slope: float = 0.2) -> torch.Tensor:
    """A fresh batch norm on a training batch, then a leaky ReLU, in plain formulas."""
    normal = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
    return torch.where(normal > 0, normal, slope * normal)


def convolve(conv: GraphConv, x: torch.Tensor) -> torch.Tensor:
    return torch.einsum("mn,bnc,cd->bmd", conv.adjacency, x, conv.weight) + conv.bias


def test_graph_conv_block():
    block = GraphConvBlock(3, 4, 5, dropout=0.0)
    x = torch.randn(6, 5, 3)
    torch.testing.assert_close(block(x), tail(convolve(block.operator, x)))


def test_graph_conv_block_with_another_operator_and_activation():
    block = GraphConvBlock(3, 4, 5, dropout=0.0, activation="tanh", operator=PerNodeLinear)
    x = torch.randn(6, 5, 3)
    torch.testing.assert_close(block(x), torch.tanh(tail(block.operator.linear(x), slope=1.0)))


def test_residual_block_adds_its_input():
    block = ResidualGraphBlock(3, 5, num_layers=3, dropout=0.0, negative_slope=0.1)
    x = y = torch.randn(6, 5, 3)
    for layer in block.layers:
        y = tail(convolve(layer.operator, y), slope=0.1)
    assert len(block.layers) == 3
    torch.testing.assert_close(block(x), y + x)


def test_residual_blocks_have_two_layers_unless_asked():
    assert len(ResidualGraphBlock(3, 5).layers) == 2


@pytest.mark.parametrize("skip", [True, False])
def test_stage_chains_blocks_and_adds_its_input(skip):
    stage = ResidualStage(3, 5, num_blocks=2, skip=skip, dropout=0.0)
    x = y = torch.randn(6, 5, 3)
    for block in stage.blocks:
        y = block(y)
    torch.testing.assert_close(stage(x), y + x if skip else y)


def test_resample_block():
    resample = NodeResample(5, 2)
    block = ResampleBlock(resample, 2, channels=3, dropout=0.0)
    x = torch.randn(6, 5, 3)
    y = torch.einsum("mn,bnc->bmc", resample.weight, x) + resample.bias.view(1, -1, 1)
    torch.testing.assert_close(block(x), tail(y))


def test_resample_block_with_a_fixed_map():
    pool = JointPool(JointGrouping(((0, 1), (2, 3, 4)), 5))
    block = ResampleBlock(pool, 2, channels=3, dropout=0.0)
    x = torch.randn(6, 5, 3)
    means = torch.stack([x[:, :2].mean(1), x[:, 2:].mean(1)], dim=1)
    torch.testing.assert_close(block(x), tail(means))


def test_dropout_is_the_last_step_and_only_in_training():
    torch.manual_seed(0)
    block = GraphConvBlock(3, 40, 50, dropout=0.3)
    x = torch.randn(8, 50, 3)
    kept = block(x) != 0
    assert float(kept.float().mean()) == pytest.approx(0.7, abs=0.02)
    assert (block.eval()(x) != 0).all()


def test_settings_reach_every_layer():
    for block in (
        ResidualGraphBlock(3, 5, dropout=0.25, negative_slope=0.3, operator=PerNodeLinear),
        ResidualStage(3, 5, num_blocks=2, dropout=0.25, negative_slope=0.3, operator=PerNodeLinear),
    ):
        modules = list(block.modules())
        assert {m.p for m in modules if isinstance(m, nn.Dropout)} == {0.25}
        assert {m.negative_slope for m in modules if isinstance(m, nn.LeakyReLU)} == {0.3}
        assert not [m for m in modules if isinstance(m, GraphConv)]


def test_gradients():
    block = ResidualGraphBlock(2, 3, dropout=0.0, activation="tanh").double()
    x = torch.randn(4, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: block(x), (x, *block.parameters()))


@pytest.mark.parametrize(("name", "expected"), [("leaky_relu", -0.3), ("tanh", -0.7616), ("relu", 0.0)])
def test_activations(name, expected):
    assert make_activation(name, negative_slope=0.3)(torch.tensor(-1.0)).item() == pytest.approx(expected, abs=1e-4)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="activation: expected one of 'leaky_relu', 'tanh', 'relu'; got 'gelu'"):
        make_activation("gelu")
    with pytest.raises(ConfigError, match=r"dropout: expected a number in \[0, 1\), got 1"):
        GraphConvBlock(3, 4, 5, dropout=1)
    with pytest.raises(ConfigError, match="num_layers: expected an integer of at least 1, got 0"):
        ResidualGraphBlock(3, 5, num_layers=0)
    with pytest.raises(ConfigError, match="num_blocks: expected an integer of at least 1, got 0"):
        ResidualStage(3, 5, num_blocks=0)


def test_a_training_batch_needs_two_samples():
    with pytest.raises(ShapeError, match="expected at least two samples in training mode"):
        ResidualStage(3, 5, num_blocks=1)(torch.zeros(1, 5, 3))
