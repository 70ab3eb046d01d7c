"""Counts against sums by hand."""

from __future__ import annotations

import pytest
import torch

from benchmarks.harness import counts
from benchmarks.suites.subjects import subject
from posegraph.layers import GraphConv, NodeResample


def test_flop_of_a_layer_by_hand() -> None:
    """A multiplication and an addition are two: 2 for each entry of each product's inner sum."""
    batch, nodes, ins, outs = 3, 5, 7, 11
    layer, x = GraphConv(ins, outs, nodes), torch.zeros(batch, nodes, ins)
    features, mixing = 2 * batch * nodes * ins * outs, 2 * batch * nodes * nodes * outs
    assert counts.flop(lambda: layer(x)) == features + mixing


def test_flop_of_gradients_by_hand() -> None:
    """Each product has two in its backward pass: for its left and for its right factor."""
    layer, x = NodeResample(5, 3, bias=False), torch.zeros(2, 5, 4, requires_grad=True)
    product = 2 * 2 * 3 * 5 * 4
    assert counts.flop(lambda: layer(x).sum().backward()) == 3 * product


@pytest.mark.parametrize(
    ("name", "forecast", "step"),
    [("msrgcn-released", 200.9, 602.5), ("msrgcn", 560.5, 1680), ("traj-gcn", 266.0, 797)],
)
def test_flop_of_models_is_that_of_their_layers(name: str, forecast: float, step: float) -> None:
    """Counted from the sizes of all graph convolutions and resampling maps, in millions.

    The DCT of each scale, which those counts leave out, is less than half a per cent.
    """
    about = subject(name)
    assert forecast <= about.flop / 1e6 <= 1.005 * forecast
    assert about.flop_step / 1e6 == pytest.approx(step, rel=5e-3)
    assert about.flop_folded < about.flop


def test_operations_are_those_that_the_code_calls() -> None:
    layer, x = GraphConv(4, 4, 5), torch.zeros(2, 5, 4)
    with torch.inference_mode():
        layer(x)
        assert counts.count(lambda: layer(x), "cpu").operations == 5  # two products and three views


def test_memory_is_the_most_at_a_time() -> None:
    x = torch.zeros(2**18)  # 1 MiB

    def call() -> torch.Tensor:
        y = x + 1
        z = y + y
        del y
        return z + 1  # here z and the result; before, y and z

    assert counts.count(call, "cpu").call_memory_mib == pytest.approx(2.0, abs=0.01)
    assert counts.count(lambda: x.add_(1), "cpu").call_memory_mib == pytest.approx(0.0, abs=0.01)
