from __future__ import annotations

import pytest
import torch
import torch_geometric.nn as geometric

from posegraph import checkpoint, registry
from posegraph.errors import CheckpointError, ConfigError, ShapeError, UnknownNameError
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


IN_BATCHES = ["ARMA", "ClusterGCN", "FiLM", "GCN", "Graph", "LE", "MF", "ResGatedGraph", "SAGE", "SG", "TAG"]
IN_PARTS = ["FeaSt", "GAT", "GATv2", "GEN", "General", "Hypergraph", "SuperGAT", "Transformer"]


@pytest.mark.parametrize("name", [*IN_BATCHES, *IN_PARTS])
def test_operators_of_pytorch_geometric_treat_every_sample_by_itself(name):
    conv = operator_factory(getattr(geometric, f"{name}Conv"), BONES, JOINTS)(3, 5, 12).eval()
    assert isinstance(conv, SkeletonConv)
    assert conv._takes_batches == (name in IN_BATCHES)
    x = torch.randn(4, 12, 3)
    expected = torch.stack([conv.conv(sample, EDGES) for sample in x])
    torch.testing.assert_close(conv(x), expected, rtol=1e-4, atol=1e-5)
    assert f"{name}Conv" in str(SkeletonConv.__doc__)


def test_operators_with_more_arguments_are_wrapped():
    conv = SkeletonConv(3, 5, 12, edge_index=EDGES, conv=lambda i, o: geometric.ChebConv(i, o, K=3))
    x = torch.randn(2, 12, 3)
    torch.testing.assert_close(conv(x), torch.stack([conv.conv(sample, EDGES) for sample in x]))


@pytest.mark.parametrize(
    ("conv", "message"),
    [
        (
            geometric.ChebConv,
            r"operator ChebConv: expected one that is made from \(in_channels, out_channels\)",
        ),
        (geometric.GMMConv, "operator GMMConv: expected one that is made from"),
        (lambda i, o: geometric.GATConv(i, o, heads=2), r"expected 5 channels for each of 12 nodes, got \(12, 10\)"),
        (torch.nn.Bilinear, "expected one that is made from"),
        (torch.nn.Linear, r"expected one of the form conv\(x, edge_index\), got TypeError"),
    ],
)
def test_operators_that_do_not_fit_are_refused(conv, message):
    with pytest.raises(ConfigError, match=message):
        SkeletonConv(3, 5, 12, edge_index=EDGES, conv=conv)


@pytest.mark.parametrize("operator", [geometric.GATConv, "torch_geometric.nn.GATConv"])
def test_models_with_them_are_saved_by_name(operator, tmp_path):
    model = registry.build("msrgcn-2l", skeleton="cmu", channels=6, num_blocks=1, operator=operator).eval()
    assert model.config.operator == "torch_geometric.nn.GATConv"
    observed = 100 * torch.randn(3, 10, 25, 3)
    again = checkpoint.load(checkpoint.save_checkpoint(model, tmp_path))
    torch.testing.assert_close(again.predict(observed), model.predict(observed))


def test_factories_are_taken_as_they_are():
    def make(in_channels, out_channels, num_nodes):
        return GraphConv(in_channels, out_channels, num_nodes)

    assert operator_factory(make, BONES, JOINTS) is make
    model = registry.build("traj-gcn", channels=8, num_blocks=1, operator=make)
    with pytest.raises(CheckpointError, match="expected values that JSON can hold"):
        checkpoint.save_checkpoint(model, "unused")


def test_unknown_operators_of_pytorch_geometric_are_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"operator of torch_geometric.nn 'GATCon'\. Did you mean 'GATC"):
        operator_factory("torch_geometric.nn.GATCon", BONES, JOINTS)


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
