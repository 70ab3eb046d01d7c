from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.nn.pool.pool import pool_edge
from torch_geometric.utils import to_dense_adj

from posegraph.errors import ConfigError, ShapeError
from posegraph.skeleton import presets
from posegraph.skeleton.adjacency import bone_adjacency, coarsen_bones, hop_distances, node_adjacency, normalize
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.pyg import bone_edge_index, node_edge_index

H36M = presets.get("h36m").reduced


@st.composite
def graphs(draw) -> tuple[int, list[tuple[int, int]]]:
    """Number of joints and a random list of bones, cycles and separate parts included."""
    count = draw(st.integers(1, 9))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] != pair[1])
    return count, draw(st.lists(pairs, max_size=12)) if count > 1 else []


def edge_index(bones: list[tuple[int, int]]) -> torch.Tensor:
    both = sorted({*bones, *((j, i) for i, j in bones)})
    return torch.tensor(both, dtype=torch.long).reshape(-1, 2).T.contiguous()


@given(graphs())
def test_bone_adjacency_matches_pytorch_geometric(graph):
    count, bones = graph
    expected = to_dense_adj(edge_index(bones), max_num_nodes=count)[0]
    assert torch.equal(bone_adjacency(bones, count), expected)
    assert torch.equal(bone_adjacency(bones, count, self_loops=True), expected + torch.eye(count))


def test_bone_adjacency_of_a_skeleton():
    expected = to_dense_adj(bone_edge_index(H36M))[0]
    assert torch.equal(bone_adjacency(H36M.bones, 22), expected)


@given(graphs())
def test_hop_distances_match_floyd_and_warshall(graph):
    count, bones = graph
    hops = np.full((count, count), np.inf)
    np.fill_diagonal(hops, 0)
    for i, j in bones:
        hops[i, j] = hops[j, i] = 1
    for k in range(count):
        hops = np.minimum(hops, hops[:, k : k + 1] + hops[k : k + 1])
    np.testing.assert_array_equal(hop_distances(bone_adjacency(bones, count)).numpy(), hops)


def test_hop_distances_follow_any_entry_that_is_not_zero():
    directed = torch.tensor([[0.0, -0.5, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    inf = float("inf")
    assert hop_distances(directed).tolist() == [[0, 1, 2], [inf, 0, 1], [inf, inf, 0]]


@given(graphs())
def test_normalisation_matches_naive_division(graph):
    count, bones = graph
    adjacency = bone_adjacency(bones, count) * torch.rand(count, count, generator=torch.Generator().manual_seed(0))
    a = adjacency.double().numpy()
    rows, columns = a.sum(1), a.sum(0)
    expected = {name: np.zeros_like(a) for name in ("symmetric", "rows", "columns")}
    for i, j in zip(*a.nonzero(), strict=True):
        expected["rows"][i, j] = a[i, j] / rows[i]
        expected["columns"][i, j] = a[i, j] / columns[j]
        expected["symmetric"][i, j] = a[i, j] / np.sqrt(rows[i] * rows[j])
    for method, matrix in expected.items():
        np.testing.assert_allclose(normalize(adjacency, method).numpy(), matrix, rtol=1e-5, atol=1e-6)


def test_normalisation_leaves_its_input_alone():
    adjacency = bone_adjacency([(0, 1)], 3)
    for method in ("symmetric", "rows", "columns"):
        assert torch.equal(normalize(adjacency, method)[2], torch.zeros(3)), "nodes of degree zero stay zero"
    assert torch.equal(adjacency, bone_adjacency([(0, 1)], 3))


@pytest.mark.parametrize("num_axes", [1, 3])
def test_node_adjacency_matches_the_normalisation_of_pytorch_geometric(num_axes):
    edges = node_edge_index(H36M.bones, 22, num_axes)
    nodes = 22 * num_axes
    with_loops, weights = gcn_norm(edges, num_nodes=nodes)
    expected = to_dense_adj(with_loops, edge_attr=weights, max_num_nodes=nodes)[0]
    torch.testing.assert_close(node_adjacency(H36M.bones, 22, num_axes), expected)


def test_node_adjacency_connects_all_axes_of_joined_joints():
    connected = node_adjacency([(0, 1)], 3) > 0
    for i in range(9):
        for j in range(9):
            assert connected[i, j] == (i // 3 == j // 3 or {i // 3, j // 3} == {0, 1})


@given(st.data())
def test_coarse_bones_match_pytorch_geometric(data):
    """For groups that share no joint; with shared ones that library has no counterpart."""
    count, bones = data.draw(graphs())
    cluster = torch.tensor(data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    _, cluster = cluster.unique(return_inverse=True)
    groups = tuple(tuple((cluster == i).nonzero().flatten().tolist()) for i in range(int(cluster.max()) + 1))
    coarse, _ = pool_edge(cluster, edge_index(bones))
    expected = sorted({(min(pair), max(pair)) for pair in coarse.T.tolist()})
    assert list(coarsen_bones(bones, JointGrouping(groups, count))) == expected


@given(st.data())
def test_coarse_bones_match_matrix_products(data):
    count, bones = data.draw(graphs())
    group = st.sets(st.integers(0, count - 1), min_size=1).map(sorted).map(tuple)
    groups = tuple(data.draw(st.lists(group, min_size=1, max_size=5)))
    grouping = JointGrouping(groups, count, allow_unused=True)
    member = grouping.membership()
    linked = member @ bone_adjacency(bones, count, self_loops=True) @ member.T
    expected = [(i, j) for i in range(len(groups)) for j in range(i + 1, len(groups)) if linked[i, j]]
    assert list(coarsen_bones(bones, grouping)) == expected


def test_groups_that_share_a_joint_are_connected():
    assert coarsen_bones([], JointGrouping(((0, 1), (1, 2)), 3)) == ((0, 1),)


def test_coarse_skeletons_stay_connected():
    for name, grouping in (("h36m", "22-12-7-4"), ("cmu", "25-12-7-4"), ("cmu", "automatic")):
        skeleton = presets.get(name)
        bones = skeleton.reduced.bones
        for level in skeleton.scales(4, grouping):
            bones = coarsen_bones(bones, level)
            assert hop_distances(bone_adjacency(bones, level.num_groups)).isfinite().all()


def test_errors():
    with pytest.raises(ConfigError, match="method: expected one of 'symmetric', 'rows', 'columns'; got 'row'"):
        normalize(torch.eye(2), "row")
    for function in (normalize, hop_distances):
        with pytest.raises(
            ShapeError, match=r"adjacency: expected \(nodes, nodes\), got \(2, 3\)\. Pass a square matrix"
        ):
            function(torch.zeros(2, 3))
        with pytest.raises(ShapeError, match=r"adjacency: expected \(nodes, nodes\), got \(4,\)"):
            function(torch.zeros(4))
