from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import DenseGCNConv

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import GraphConv
from posegraph.skeleton.adjacency import node_adjacency


def naive(x, adjacency, weight, bias):
    """Sum over nodes and channels, one number at a time."""
    batch, nodes, channels = x.shape
    y = torch.zeros(batch, nodes, weight.shape[1], dtype=x.dtype)
    for b in range(batch):
        for i in range(nodes):
            for o in range(weight.shape[1]):
                y[b, i, o] = bias[o]
                for j in range(nodes):
                    for c in range(channels):
                        y[b, i, o] += adjacency[i, j] * x[b, j, c] * weight[c, o]
    return y


def test_forward_matches_naive_sums():
    conv = GraphConv(3, 2, num_nodes=4).double()
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(conv(x), naive(x, conv.adjacency, conv.weight, conv.bias))


def test_forward_matches_pytorch_geometric():
    """With a normalised skeleton as adjacency it is the dense GCN of PyTorch Geometric."""
    bones = [(0, 1), (1, 2)]
    conv = GraphConv(5, 7, num_nodes=9, adjacency=node_adjacency(bones, 3))
    other = DenseGCNConv(5, 7)
    with torch.no_grad():
        other.lin.weight.copy_(conv.weight.T)
        other.bias.copy_(conv.bias)
    links = (node_adjacency(bones, 3) > 0).float().fill_diagonal_(0)
    x = torch.randn(2, 9, 5)
    torch.testing.assert_close(conv(x), other(x, links))


def test_nodes_can_be_permuted():
    conv, x, order = GraphConv(3, 4, num_nodes=6), torch.randn(2, 6, 3), torch.randperm(6)
    permuted = GraphConv(3, 4, num_nodes=6, adjacency=conv.adjacency[order][:, order])
    with torch.no_grad():
        permuted.weight.copy_(conv.weight)
        permuted.bias.copy_(conv.bias)
    torch.testing.assert_close(permuted(x[:, order]), conv(x)[:, order])


@pytest.mark.parametrize("mask", [None, torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]])])
def test_gradients(mask):
    conv = GraphConv(2, 3, num_nodes=3, mask=mask).double()
    x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    parameters = (conv.weight, conv.adjacency, conv.bias)
    assert torch.autograd.gradcheck(lambda x, *_: conv(x), (x, *parameters))


def test_all_parameters_start_within_the_output_width():
    torch.manual_seed(0)
    conv = GraphConv(400, 25, num_nodes=100)
    for parameter in (conv.weight, conv.adjacency):
        assert 0.99 / 5 < float(parameter.detach().abs().max()) <= 1 / 5
        assert float(parameter.detach().std()) == pytest.approx(1 / 5 / 3**0.5, rel=0.02)
    assert 0.7 / 5 < float(conv.bias.detach().abs().max()) <= 1 / 5


def test_reset_draws_anew_but_keeps_the_given_adjacency():
    start = torch.eye(4)
    conv = GraphConv(2, 3, num_nodes=4, adjacency=start)
    weight = conv.weight.detach().clone()
    with torch.no_grad():
        conv.adjacency.zero_()
    conv.reset_parameters()
    assert torch.equal(conv.adjacency, start)
    assert not torch.equal(conv.weight, weight)
    with torch.no_grad():
        conv.adjacency.zero_()
    assert torch.equal(start, torch.eye(4)), "the caller's matrix was changed"


def test_masked_connections_stay_off():
    mask = node_adjacency([(0, 1)], 3)
    conv = GraphConv(2, 2, num_nodes=9, mask=mask)
    x = torch.randn(4, 9, 2)
    optimizer = torch.optim.Adam(conv.parameters(), lr=0.1, weight_decay=0.1)
    before = conv.adjacency.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        conv(x).square().sum().backward()
        assert conv.adjacency.grad is not None
        assert not conv.adjacency.grad[mask == 0].any()
        optimizer.step()
    assert not torch.equal(conv.adjacency[mask != 0], before[mask != 0])
    alone = torch.zeros(1, 9, 2)
    alone[:, 6:] = 1.0  # the third joint is connected to none
    assert conv.bias is not None
    torch.testing.assert_close(conv(alone)[:, :6], conv.bias.expand(1, 6, 2))


def test_bias_can_be_left_out():
    conv = GraphConv(2, 3, num_nodes=4, bias=False)
    assert set(conv.state_dict()) == {"weight", "adjacency"}
    assert not conv(torch.zeros(1, 4, 2)).any()


def test_printed_form():
    assert str(GraphConv(35, 64, 66)) == "GraphConv(35, 64, num_nodes=66)"
    assert str(GraphConv(2, 3, 2, mask=torch.eye(2))) == "GraphConv(2, 3, num_nodes=2, masked)"


@pytest.mark.parametrize("name", ["in_channels", "out_channels", "num_nodes"])
def test_sizes_are_positive(name):
    with pytest.raises(ConfigError, match=f"{name}: expected an integer of at least 1, got 0"):
        GraphConv(**{"in_channels": 2, "out_channels": 2, "num_nodes": 2, name: 0})


@pytest.mark.parametrize("what", ["adjacency", "mask"])
def test_matrices_fit_the_nodes(what):
    message = rf"{what}: expected \(4 nodes, 4 nodes\), got \(3, 3\)\. posegraph.skeleton.node_adjacency makes one"
    with pytest.raises(ShapeError, match=message):
        GraphConv(2, 2, num_nodes=4, **{what: torch.eye(3)})


@pytest.mark.parametrize("shape", [(4, 2), (1, 5, 2), (1, 4, 3)])
def test_inputs_fit_the_layer(shape):
    with pytest.raises(ShapeError, match=r"graph convolution input: expected \(batch, 4 nodes, 2 channels\), got"):
        GraphConv(2, 3, num_nodes=4)(torch.zeros(shape))
