from __future__ import annotations

import pytest
import torch

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import GraphConv, HeadGraphConv


def naive(x, adjacency):
    """Sum over nodes, one number at a time; channels go to the heads in order."""
    heads, channels = len(adjacency), x.shape[2]
    y = torch.zeros_like(x)
    for b in range(len(x)):
        for n in range(x.shape[1]):
            for c in range(channels):
                head = c * heads // channels
                y[b, n, c] = sum(adjacency[head, n, m] * x[b, m, c] for m in range(x.shape[1]))
    return y


def test_forward_matches_naive_sums():
    conv = HeadGraphConv(6, num_nodes=4, num_heads=3).double()
    x = torch.randn(2, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(conv(x), naive(x, conv.adjacency))


def test_one_head_is_a_graph_convolution_without_weights():
    heads = HeadGraphConv(5, num_nodes=3, num_heads=1)
    conv = GraphConv(5, 5, num_nodes=3, adjacency=heads.adjacency[0], bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(5))
    x = torch.randn(2, 3, 5)
    torch.testing.assert_close(heads(x), conv(x))


def test_nodes_can_be_permuted():
    conv, order, x = HeadGraphConv(4, num_nodes=6, num_heads=2), torch.randperm(6), torch.randn(2, 6, 4)
    permuted = HeadGraphConv(4, num_nodes=6, num_heads=2)
    with torch.no_grad():
        permuted.adjacency.copy_(conv.adjacency[:, order][:, :, order])
    torch.testing.assert_close(permuted(x[:, order]), conv(x)[:, order])


def test_gradients():
    conv = HeadGraphConv(4, num_nodes=3, num_heads=2).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, _: conv(x), (x, conv.adjacency))


def test_initial_spread():
    torch.manual_seed(0)
    assert HeadGraphConv(32, num_nodes=100, num_heads=16).adjacency.std().item() == pytest.approx(0.05, rel=0.02)


def test_channels_that_heads_cannot_share_are_refused():
    with pytest.raises(ConfigError, match=r"num_heads: expected a divisor of channels = 10, got 4"):
        HeadGraphConv(10, num_nodes=3, num_heads=4)
    with pytest.raises(ConfigError, match="num_heads"):
        HeadGraphConv(10, num_nodes=3, num_heads=0)


def test_wrong_input_is_refused():
    with pytest.raises(ShapeError, match="graph convolution input"):
        HeadGraphConv(4, num_nodes=3, num_heads=2)(torch.zeros(2, 4, 4))


def test_prints_its_sizes():
    assert repr(HeadGraphConv(8, num_nodes=3, num_heads=4)) == "HeadGraphConv(8, num_nodes=3, num_heads=4)"
