from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import ReweightedGraph, hop_graphs
from posegraph.skeleton import presets


def hops_by_search(bones, count: int) -> np.ndarray:
    """Number of bones between joints, by breadth-first search."""
    neighbours = [{a for a, b in bones if b == j} | {b for a, b in bones if a == j} for j in range(count)]
    hops = np.full((count, count), np.inf)
    for start in range(count):
        reached, distance = {start}, 0
        while reached:
            for joint in reached:
                hops[start, joint] = distance
            reached = {n for joint in reached for n in neighbours[joint] if np.isinf(hops[start, n])}
            distance += 1
    return hops


@pytest.mark.parametrize("max_hop", [1, 2])
@pytest.mark.parametrize("disconnected", [False, True])
def test_hop_graphs_split_the_column_normalised_graph(max_hop, disconnected):
    bones = presets.get("cmu").reduced.bones[: 12 if disconnected else None]
    hops = hops_by_search(bones, 25)
    expected = np.zeros((max_hop + 1, 25, 25))
    for i, j in product(range(25), repeat=2):
        if hops[i, j] <= max_hop:
            expected[int(hops[i, j]), i, j] = 1 / np.sum(hops[:, j] <= max_hop)
    np.testing.assert_allclose(hop_graphs(bones, 25, max_hop=max_hop).numpy(), expected, rtol=1e-6)


def test_factor_and_offset_weigh_every_pair():
    graph = hop_graphs([(0, 1), (1, 2)], 3)
    layer = ReweightedGraph(graph, offset=0.25).double()
    assert (layer.num_kinds, layer.num_nodes) == (2, 3)
    torch.testing.assert_close(layer(), graph.double() + 0.25)
    with torch.no_grad():
        layer.factor.copy_(torch.randn(2, 3, 3))
        layer.offset.copy_(torch.randn(2, 3, 3))
    for k, v, w in product(range(2), range(3), range(3)):
        expected = layer.fixed[k, v, w] * layer.factor[k, v, w] + layer.offset[k, v, w]
        assert layer()[k, v, w].item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_graph_is_stored_but_not_trained():
    layer = ReweightedGraph(hop_graphs([(0, 1)], 2))
    assert sorted(layer.state_dict()) == ["factor", "fixed", "offset"]
    assert sorted(name for name, _ in layer.named_parameters()) == ["factor", "offset"]
    assert repr(layer) == "ReweightedGraph(num_kinds=2, num_nodes=2)"


def test_errors():
    with pytest.raises(ConfigError, match="max_hop: expected an integer of at least 1, got 0"):
        hop_graphs([(0, 1)], 2, max_hop=0)
    for shape in ((3, 3), (2, 3, 4)):
        with pytest.raises(ShapeError, match=r"^graph: expected \(kinds of edges, nodes, nodes\), got .*hop_graphs"):
            ReweightedGraph(torch.zeros(shape))
