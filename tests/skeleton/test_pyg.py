from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.nn.pool.select import SelectOutput
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
from tests.skeleton.bodies import skeletons_with_all_fields

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


@pytest.mark.parametrize("name", presets.names())
def test_bodies_survive_the_round_trip(name):
    body = presets.get(name)
    for skeleton in (body, body.reduced):
        data = skeleton_to_data(skeleton)
        data.validate()
        assert skeleton_from_data(data) == skeleton
    assert skeleton_from_data(skeleton_to_data(body), name="other").name == "other"


@given(skeletons_with_all_fields())
def test_random_skeletons_survive_the_round_trip(skeleton):
    assert skeleton_from_data(skeleton_to_data(skeleton)) == skeleton


def test_skeletons_survive_storage_and_batches(tmp_path):
    bodies = [presets.get(name) for name in presets.names()]
    graphs = [skeleton_to_data(body) for body in bodies]
    torch.save(graphs, tmp_path / "graphs.pt")
    stored = torch.load(tmp_path / "graphs.pt", weights_only=False)
    for again in (Batch.from_data_list(graphs).to_data_list(), stored):
        assert [skeleton_from_data(data) for data in again] == bodies


def test_attributes_of_graphs_take_precedence():
    data = skeleton_to_data(Skeleton("arm", ("shoulder", "elbow"), (-1, 0), fps=30.0))
    data.joint_names = ["hip", "knee"]
    assert skeleton_from_data(data) == Skeleton("arm", ("hip", "knee"), (-1, 0), fps=30.0)


@pytest.mark.parametrize("fields", ["{", "[]", '{"unit": 3}', '{"groupings": {"a": [{}]}}', '{"offsets": [1]}', "3"])
def test_damaged_attributes_are_refused(fields):
    data = skeleton_to_data(Skeleton("arm", ("shoulder", "elbow"), (-1, 0)))
    data.skeleton_fields = fields
    with pytest.raises(
        SkeletonError, match=r"expected the attributes that skeleton_to_data|expected text|expected \w+"
    ):
        skeleton_from_data(data)


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
        assert skeleton_from_data(back) == skeleton


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
    groups = tuple(data.draw(st.lists(group, min_size=1, max_size=5)))
    names = data.draw(st.sampled_from([(), tuple(f"group {i}" for i in range(len(groups)))]))
    grouping = JointGrouping(groups, count, names, allow_unused=True)
    select = grouping_to_select(grouping)
    assert (select.num_nodes, select.num_clusters) == (count, grouping.num_groups)
    assert grouping_from_select(select) == grouping
    assert grouping_from_select(select, names=()).names == ()
    assert select.weight is not None
    dense = torch.zeros(grouping.num_groups, count)
    dense[select.cluster_index, select.node_index] = select.weight
    torch.testing.assert_close(dense, grouping.pool_matrix())


def test_selections_of_others_are_read():
    select = SelectOutput(torch.tensor([0, 1, 2]), 3, torch.tensor([1, 0, 0]), 2)
    assert grouping_from_select(select) == JointGrouping(((1, 2), (0,)), 3)
    assert grouping_from_select(select, names=["a", "b"]).names == ("a", "b")


def test_selections_that_leave_nodes_out_are_refused():
    select = SelectOutput(torch.tensor([0, 2]), 3, torch.tensor([0, 0]), 1)
    with pytest.raises(SkeletonError, match=r"joints \[1\] belong to no group"):
        grouping_from_select(select)
    assert grouping_from_select(select, allow_unused=True).unused == (1,)
