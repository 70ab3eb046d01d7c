from __future__ import annotations

import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError
from posegraph.folding.layers import Affine, FoldedLayer, FoldedResidual, affine, as_double, fold, multiply, with_tail
from posegraph.layers import (
    GraphConv,
    GraphConvBlock,
    JointPool,
    JointUnpool,
    NodeResample,
    PerNodeLinear,
    ResampleBlock,
    ResidualGraphBlock,
    ResidualStage,
    SkeletonConv,
    operator_factory,
)
from posegraph.skeleton import presets
from posegraph.skeleton.grouping import JointGrouping
from tests.inference.models import randomize_norms

NODES = 9
BONES = ((0, 1), (1, 2))
OVERLAPPING = JointGrouping(((0, 1, 2), (2, 3, 4), (5, 6, 7, 8)), NODES)


def operators() -> list[nn.Module]:
    edges = operator_factory("skeleton", BONES, 3)(5, 7, NODES)
    return [
        GraphConv(5, 7, NODES),
        GraphConv(7, 5, NODES, bias=False),
        operator_factory("masked", BONES, 3)(5, 7, NODES),
        edges,
        PerNodeLinear(5, 7, NODES),
        NodeResample(NODES, 4),
        NodeResample(NODES, 4, bias=False),
        JointPool(OVERLAPPING),
        JointUnpool(JointGrouping(((0, 1), (1, 2)), 3).over_axes()),
    ]


@pytest.mark.parametrize("layer", operators(), ids=lambda layer: type(layer).__name__)
def test_affine_maps_are_those_of_the_layers(layer: nn.Module) -> None:
    layer = layer.double()
    channels = getattr(layer, "in_channels", 5)
    nodes = 6 if isinstance(layer, JointUnpool) else NODES
    x = torch.randn(3, nodes, channels, dtype=torch.float64)
    torch.testing.assert_close(affine(layer)(x), layer(x), rtol=0, atol=1e-12)


def test_linear_maps_of_the_channels_join_an_affine_map() -> None:
    layer = GraphConv(5, 7, NODES).double()
    before, after = torch.randn(4, 5, dtype=torch.float64), torch.randn(7, 3, dtype=torch.float64)
    x = torch.randn(2, NODES, 4, dtype=torch.float64)
    joined = affine(layer).after_channels(before, 0.7, NODES)
    torch.testing.assert_close(joined(x), layer(x @ before + 0.7), rtol=0, atol=1e-12)
    y = torch.randn(2, NODES, 5, dtype=torch.float64)
    joined = affine(layer).before_channels(after, 0.7)
    torch.testing.assert_close(joined(y), (layer(y) + 0.7) @ after, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("width", "first"), [((5, 70), "nodes"), ((70, 5), "channels")])
def test_products_take_the_cheaper_order(width: tuple[int, int], first: str) -> None:
    left, right, x = torch.randn(NODES, NODES), torch.randn(*width), torch.randn(NODES, width[0])
    traced = torch.fx.symbolic_trace(lambda x: multiply(left, x, right))
    matmuls = [node for node in traced.graph.nodes if node.target is torch.matmul]
    assert isinstance(matmuls[0].args[0 if first == "channels" else 1], torch.fx.Node)
    assert matmuls[0].all_input_nodes[-1 if first == "nodes" else 0].op == "placeholder"
    torch.testing.assert_close(traced(x), left @ x @ right, rtol=1e-5, atol=1e-4)


def blocks() -> list[nn.Module]:
    grouping = next(iter(presets.get("h36m").scales(2))).over_axes()
    return [
        GraphConvBlock(5, 7, NODES, activation="tanh"),
        GraphConvBlock(5, 7, NODES, activation="relu", operator=PerNodeLinear),
        GraphConvBlock(5, 7, NODES, negative_slope=0.3),
        ResampleBlock(NodeResample(NODES, 4), 4, 5),
        ResampleBlock(JointPool(grouping), grouping.num_groups, 5),
        ResidualGraphBlock(5, NODES, num_layers=3),
        ResidualStage(5, NODES, num_blocks=2),
        ResidualStage(5, NODES, num_blocks=2, skip=False),
        nn.Sequential(GraphConvBlock(5, 7, NODES), GraphConv(7, 2, NODES)),
    ]


@pytest.mark.parametrize("block", blocks(), ids=lambda block: type(block).__name__)
@pytest.mark.parametrize("batch", [(), (3,)])
def test_folded_blocks_compute_the_same(block: nn.Module, batch: tuple[int, ...]) -> None:
    randomize_norms(block, torch.Generator().manual_seed(0))
    block = block.double().eval()
    pools = [module for module in block.modules() if isinstance(module, JointPool)]
    nodes = pools[0].grouping.num_joints if pools else NODES
    x = torch.randn(*batch, nodes, 5, dtype=torch.float64)
    before = x.clone()
    expected = block(x if batch else x.unsqueeze(0)).view(*batch, *block(x if batch else x.unsqueeze(0)).shape[1:])
    torch.testing.assert_close(fold(block)(x), expected.detach(), rtol=0, atol=1e-12)
    assert torch.equal(x, before), "an operation in place reached the input"


def test_folded_residuals_leave_their_input_alone() -> None:
    layer = FoldedLayer([Affine(right=torch.eye(4))], activation=nn.LeakyReLU(0.2, inplace=True))
    x = torch.randn(NODES, 4)
    before = x.clone()
    y = FoldedResidual([layer])(x)
    assert torch.equal(x, before)
    torch.testing.assert_close(y, x + nn.functional.leaky_relu(x, 0.2))


def test_two_inputs_are_summed_with_both_shifts_scaled() -> None:
    maps = [
        Affine(right=torch.randn(4, 2), shift=torch.randn(2)),
        Affine(right=torch.randn(3, 2), shift=torch.randn(2)),
    ]
    scale, shift = torch.randn(NODES, 2), torch.randn(NODES, 2)
    x, y = torch.randn(5, NODES, 4), torch.randn(5, NODES, 3)
    layer = FoldedLayer(maps, scale=scale, shift=shift)
    torch.testing.assert_close(layer(x, y), scale * (maps[0](x) + maps[1](y)) + shift)


def test_values_come_as_float64() -> None:
    assert as_double(nn.Parameter(torch.ones(2))).dtype == torch.float64


def test_layers_without_a_rule_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected a layer whose matrices are known, got Conv1d. Leave the model"):
        affine(nn.Conv1d(1, 1, 1))
    with pytest.raises(ConfigError, match="got Conv1d"):
        fold(nn.Conv1d(1, 1, 1))
    from torch_geometric.nn import SAGEConv

    layer = SkeletonConv(5, 7, 2, edge_index=torch.tensor([[0, 1], [1, 0]]), conv=SAGEConv)
    with pytest.raises(ConfigError, match="expected a skeleton convolution by GCNConv, got SAGEConv"):
        affine(layer)


def test_tails_without_a_rule_are_refused() -> None:
    block = GraphConvBlock(5, 7, NODES)
    with pytest.raises(ConfigError, match="expected a NodeBatchNorm, got LayerNorm"):
        with_tail([], nn.Sequential(nn.LayerNorm(7), nn.ReLU(), nn.Dropout()))
    with pytest.raises(ConfigError, match="expected a known activation, got GELU"):
        with_tail([], nn.Sequential(block.tail[0], nn.GELU(), nn.Dropout()))
