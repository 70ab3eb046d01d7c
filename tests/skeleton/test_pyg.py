from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.utils import contains_self_loops, is_undirected, to_dense_adj

from posegraph.errors import ShapeError, SkeletonError
from posegraph.skeleton import presets
from posegraph.skeleton.adjacency import node_adjacency
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.pyg import (
    bone_edge_index,
    grouping_from_select,
    grouping_to_select,
    node_edge_index,
    skeleton_from_data,
    skeleton_to_data,
)
from posegraph.skeleton.skeleton import Skeleton

SKELETONS = [presets.get(name) for name in ("h36m", "cmu")]
ALL = [*SKELETONS, *(skeleton.reduced for skeleton in SKELETONS)]


@pytest.mark.parametrize("skeleton", ALL, ids=lambda s: s.name)
def test_bone_edges_are_the_bones_both_ways(skeleton):
    edges = bone_edge_index(skeleton)
    assert edges.is_contiguous()
    assert edges.T.tolist() == sorted([*map(list, skeleton.bones), *([j, i] for i, j in skeleton.bones)])


def test_a_skeleton_of_one_joint_has_no_edges():
    assert bone_edge_index(Skeleton("dot", ("joint",), (-1,))).shape == (2, 0)


def test_node_edges_are_the_connections_of_the_node_adjacency():
    bones = SKELETONS[0].reduced.bones
    edges = node_edge_index(bones, 22)
    assert is_undirected(edges)
    assert not contains_self_loops(edges)
    expected = (node_adjacency(bones, 22) > 0).float()
    assert torch.equal(to_dense_adj(edges, max_num_nodes=66)[0] + torch.eye(66), expected)


@pytest.mark.parametrize("skeleton", ALL, ids=lambda s: s.name)
def test_skeletons_survive_the_round_trip(skeleton):
    data = skeleton_to_data(skeleton)
    data.validate()
    back = skeleton_from_data(data)
    for field in ("name", "joint_names", "parents", "mirrored"):
        assert getattr(back, field) == getattr(skeleton, field)
    assert back.num_used == skeleton.num_joints
    assert skeleton_from_data(data, name="other").name == "other"


def test_poses_are_node_first():
    poses = torch.randn(5, 22, 3)
    data = skeleton_to_data(SKELETONS[0].reduced, poses)
    assert data.pos.shape == (22, 5, 3)
    assert torch.equal(data.pos[7, 2], poses[2, 7])
    assert data.pos.is_contiguous()
    with pytest.raises(
        ShapeError, match=r"poses: expected \(frames, 22 joints, 3\), got \(5, 32, 3\)\. .*has 22 joints"
    ):
        skeleton_to_data(SKELETONS[0].reduced, torch.zeros(5, 32, 3))


def test_skeletons_of_different_sizes_batch():
    poses = [torch.randn(4, skeleton.num_joints, 3) for skeleton in SKELETONS]
    graphs = [skeleton_to_data(*pair) for pair in zip(SKELETONS, poses, strict=True)]
    batch = Batch.from_data_list(graphs)
    assert (batch.num_nodes, batch.num_edges) == (32 + 38, 2 * (31 + 37))
    assert torch.equal(batch.pos, torch.cat([p.transpose(0, 1) for p in poses]))
    expected = torch.block_diag(*(to_dense_adj(bone_edge_index(skeleton))[0] for skeleton in SKELETONS))
    assert torch.equal(to_dense_adj(batch.edge_index)[0], expected)
    for back, skeleton in zip(batch.to_data_list(), SKELETONS, strict=True):
        restored = skeleton_from_data(back)
        assert (restored.name, restored.parents) == (skeleton.name, skeleton.parents)
        assert (restored.joint_names, restored.mirrored) == (skeleton.joint_names, skeleton.mirrored)


@given(st.data())
def test_bare_trees_are_rooted_at_node_zero(data):
    count = data.draw(st.integers(1, 10))
    parents = [-1, *(data.draw(st.integers(0, joint - 1)) for joint in range(1, count))]
    edges = [(joint, parent) if data.draw(st.booleans()) else (parent, joint) for joint, parent in enumerate(parents)]
    edges = data.draw(st.permutations([*edges[1:], (0, 0)]))  # one way each, and a self loop, which does not count
    skeleton = skeleton_from_data(Data(edge_index=torch.tensor(edges).T, num_nodes=count))
    assert skeleton.parents == tuple(parents)
    assert skeleton.joint_names == tuple(f"joint{j}" for j in range(count))
    assert skeleton.name == "graph"


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([(0, 1), (1, 2), (2, 0), (2, 3)], "graph: expected a tree of 4 nodes with 3 undirected edges, got 4"),
        ([(0, 1)], "graph: expected a tree of 4 nodes with 3 undirected edges, got 1. Pass the bones only"),
        ([(1, 2), (2, 3), (3, 1)], "graph: expected one connected tree of 4 nodes, reached 1 from node 0"),
    ],
)
def test_other_graphs_are_refused(edges, message):
    with pytest.raises(SkeletonError, match=message):
        skeleton_from_data(Data(edge_index=torch.tensor(edges).T, num_nodes=4))


def test_a_graph_without_edges_is_refused():
    with pytest.raises(SkeletonError, match="expected a tree of 2 nodes with 1 undirected edges, got 0"):
        skeleton_from_data(Data(x=torch.zeros(2, 1)))


@given(st.data())
def test_groupings_survive_the_round_trip(data):
    count = data.draw(st.integers(1, 8))
    group = st.sets(st.integers(0, count - 1), min_size=1).map(sorted).map(tuple)
    grouping = JointGrouping(tuple(data.draw(st.lists(group, min_size=1, max_size=5))), count, allow_unused=True)
    select = grouping_to_select(grouping)
    assert (select.num_nodes, select.num_clusters) == (count, grouping.num_groups)
    assert grouping_from_select(select, allow_unused=True) == grouping
    assert select.weight is not None
    dense = torch.zeros(grouping.num_groups, count)
    dense[select.cluster_index, select.node_index] = select.weight
    torch.testing.assert_close(dense, grouping.pool_matrix())


def test_selections_that_leave_nodes_out_are_refused():
    select = grouping_to_select(JointGrouping(((0, 2),), 3, allow_unused=True))
    with pytest.raises(SkeletonError, match=r"joints \[1\] belong to no group"):
        grouping_from_select(select)
