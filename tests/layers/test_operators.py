from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import GCNConv, SAGEConv
from torch_geometric.nn import GraphConv as PyGGraphConv

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import GraphConv, PerNodeLinear, SkeletonConv, operator_factory
from posegraph.skeleton import presets
from posegraph.skeleton.adjacency import node_adjacency
from posegraph.skeleton.pyg import node_edge_index

BONES, JOINTS = [(0, 1), (1, 2), (1, 3)], 4
EDGES = node_edge_index(BONES, JOINTS)


def test_per_node_linear_maps_every_node_alike():
    linear = PerNodeLinear(3, 2, num_nodes=4)
    x = torch.randn(2, 4, 3)
    expected = torch.stack([x[:, i] @ linear.linear.weight.T + linear.linear.bias for i in range(4)], dim=1)
    torch.testing.assert_close(linear(x), expected)


def test_skeleton_conv_is_the_gcn_of_the_normalised_skeleton():
    conv = SkeletonConv(3, 5, 12, edge_index=EDGES)
    x = torch.randn(2, 12, 3)
    expected = node_adjacency(BONES, JOINTS) @ (x @ conv.conv.lin.weight.T) + conv.conv.bias
    torch.testing.assert_close(conv(x), expected)


@pytest.mark.parametrize("make", [GCNConv, PyGGraphConv, SAGEConv])
def test_skeleton_conv_runs_any_operator_sample_by_sample(make):
    conv = SkeletonConv(3, 5, 12, edge_index=EDGES, conv=make)
    x = torch.randn(2, 12, 3)
    expected = torch.stack([conv.conv(sample, EDGES) for sample in x])
    torch.testing.assert_close(conv(x), expected)


def test_skeleton_conv_gradients():
    conv = SkeletonConv(2, 2, 12, edge_index=EDGES).double()
    assert torch.autograd.gradcheck(conv, torch.randn(1, 12, 2, dtype=torch.float64, requires_grad=True))


def test_the_skeleton_is_not_stored():
    assert set(SkeletonConv(2, 2, 12, edge_index=EDGES).state_dict()) == {"conv.bias", "conv.lin.weight"}


@pytest.mark.parametrize(
    ("kind", "cls"),
    [("learned", GraphConv), ("masked", GraphConv), ("skeleton", SkeletonConv), ("per-node", PerNodeLinear)],
)
def test_the_factory_makes_the_named_operator(kind, cls):
    operator = operator_factory(kind, iter(BONES), JOINTS)(3, 5, 12)
    assert type(operator) is cls
    assert operator(torch.zeros(2, 12, 3)).shape == (2, 12, 5)


def test_masked_operators_start_from_the_normalised_skeleton():
    operator = operator_factory("masked", BONES, JOINTS)(3, 5, 12)
    graph = node_adjacency(BONES, JOINTS)
    assert isinstance(operator, GraphConv)
    assert torch.equal(operator.adjacency, graph)
    assert torch.equal(operator.mask, (graph > 0).float())


def test_masked_and_skeleton_operators_start_as_the_same_map():
    masked, fixed = (operator_factory(kind, BONES, JOINTS)(3, 5, 12) for kind in ("masked", "skeleton"))
    with torch.no_grad():
        fixed.conv.lin.weight.copy_(masked.weight.T)
        fixed.conv.bias.copy_(masked.bias)
    x = torch.randn(2, 12, 3)
    torch.testing.assert_close(masked(x), fixed(x))


@pytest.mark.parametrize("kind", ["skeleton", "masked"])
def test_skeleton_operators_commute_with_mirroring(kind):
    used = presets.get("h36m").reduced
    operator = operator_factory(kind, used.bones, used.num_joints)(3, 5, 66)
    mirror = [3 * joint + axis for joint in used.mirror for axis in range(3)]
    x = torch.randn(2, 66, 3)
    torch.testing.assert_close(operator(x[:, mirror]), operator(x)[:, mirror])


def test_unknown_operators_are_refused():
    with pytest.raises(
        ConfigError, match="operator: expected one of 'learned', 'masked', 'skeleton', 'per-node'; got 'x'"
    ):
        operator_factory("x", BONES, JOINTS)


def test_inputs_fit_the_operator():
    with pytest.raises(
        ShapeError, match=r"per-node linear input: expected \(batch, 4 nodes, 3 channels\), got \(4, 3\)"
    ):
        PerNodeLinear(3, 2, 4)(torch.zeros(4, 3))
    with pytest.raises(ShapeError, match=r"skeleton convolution input: expected \(batch, 12 nodes, 3 channels\), got"):
        SkeletonConv(3, 2, 12, edge_index=EDGES)(torch.zeros(2, 12, 4))


def test_sizes_are_positive():
    with pytest.raises(ConfigError, match="in_channels: expected an integer of at least 1, got 0"):
        PerNodeLinear(0, 2, 4)
    with pytest.raises(ConfigError, match="num_nodes: expected an integer of at least 1, got True"):
        SkeletonConv(3, 2, True, edge_index=EDGES)
