"""What a skeleton takes for its fields, and what it says to others."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from posegraph.errors import ConfigError, SkeletonError, UnknownNameError
from posegraph.skeleton.skeleton import Skeleton
from tests.skeleton.bodies import skeletons_with_all_fields

NAMES = ("pelvis", "left_hip", "right_hip")
PLAIN = Skeleton("legs", NAMES, (-1, 0, 0), ((0.0, 0.0, 0.0), (1.5, 0.0, 0.0), (-1.5, 0.0, 0.0)), fps=30.0)


@pytest.mark.parametrize("parents", [np.array([-1, 0, 0]), torch.tensor([-1, 0, 0]), [np.int64(-1), np.uint8(0), 0]])
@pytest.mark.parametrize("convert", [np.float64, np.float32, float, torch.tensor])
def test_numbers_of_other_libraries_become_python_numbers(parents, convert):
    offsets = [[convert(v) for v in vector] for vector in ((0, 0, 0), (1.5, 0, 0), (-1.5, 0, 0))]
    legs = Skeleton(np.str_("legs"), np.array(NAMES), parents, offsets, fps=convert(30))  # type: ignore[arg-type]
    assert legs == PLAIN
    values = [*legs.parents, *legs.joint_names, *sum(legs.offsets or (), ()), legs.fps, legs.name]
    assert {type(value) for value in values} == {int, str, float}


def test_arrays_of_offsets_are_taken():
    assert Skeleton("legs", NAMES, (-1, 0, 0), np.array(PLAIN.offsets), fps=30) == PLAIN  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", 3, r"name: expected text, got 3 of type int\. Convert it with str\(\)"),
        ("joint_names", "abc", "joint_names: expected a sequence of texts, got 'abc'"),
        ("joint_names", (1, 2, 3), "joint_names: expected text, got 1 of type int"),
        ("joint_names", None, "joint_names: expected a sequence of texts, got None"),
        ("constant", "pelvis", "constant: expected a sequence of texts, got 'pelvis'"),
        ("parents", (-1.0, 0, 0), r"parents: expected integers, got -1.0 of type float\. Convert it with int\(\)"),
        ("parents", (-1, False, 0), "parents: expected integers, got False of type bool"),
        ("parents", ("a", 0, 0), "parents: expected integers, got 'a' of type str"),
        ("parents", np.array([[-1, 0, 0]]), "parents: expected integers, got array"),
        ("parents", np.array(3), "parents: expected a sequence of integers, got the single value"),
        ("parents", 3, "parents: expected a sequence of integers, got 3"),
        ("offsets", ((0, 0), (0, 0), (0, 0)), r"offsets: expected vectors of three finite numbers, got \[0.0, 0.0\]"),
        ("offsets", ((0, 0, np.nan),) * 3, "offsets: expected vectors of three finite numbers, got .*nan"),
        ("offsets", (("a", 0, 0),) * 3, "offsets: expected a number, got 'a' of type str"),
        ("fps", "30", r"fps: expected a number, got '30' of type str\. Convert it with float\(\)"),
        ("fps", True, "fps: expected a number, got True"),
        ("fps", 0, "fps: expected frames a second above 0, or None, got 0"),
        ("fps", float("inf"), "fps: expected frames a second above 0, or None, got inf"),
        ("unit", None, "unit: expected text, got None"),
        ("mirrored", (("a", "b", "c"),), r"mirrored: expected pairs \(left joint, right joint\), got"),
        ("mirrored", ("left_hip", "right_hip"), "mirrored: expected a sequence of texts, got 'left_hip'"),
        ("groupings", {"halves": ([[0, 1], [2]],)}, "grouping 'halves', level 0: expected a JointGrouping, got list"),
    ],
)
def test_values_of_other_kinds_are_refused(field, value, message):
    fields = {"name": "legs", "joint_names": NAMES, "parents": (-1, 0, 0), field: value}
    with pytest.raises(SkeletonError, match=message):
        Skeleton(**fields)


@pytest.mark.parametrize(("field", "value"), [("up", "w"), ("lateral", 0), ("holds", "poses")])
def test_other_choices_are_refused(field, value):
    with pytest.raises(ConfigError, match=f"{field}: expected one of "):
        Skeleton("legs", NAMES, (-1, 0, 0), **{field: value})


def test_groupings_are_asked_for_by_name():
    with pytest.raises(SkeletonError, match="grouping: expected text, got 3 of type int"):
        PLAIN.scales(2, 3)


def test_the_origin_may_be_in_the_middle_of_joints():
    positions = torch.randn(4, 3, 3)
    assert torch.equal(PLAIN.origin_of(positions), positions[:, 0])
    hips = Skeleton("legs", NAMES, (-1, 0, 0), origin=NAMES[1:])
    np.testing.assert_allclose(hips.origin_of(positions), positions.numpy()[:, 1:].mean(axis=1), rtol=1e-6)
    assert not hips.matches(PLAIN)
    assert hips.reduced.origin == hips.origin
    assert Skeleton("legs", NAMES, (-1, 0, 0), constant=("left_hip",), origin=NAMES[1:]).reduced.origin == ()
    with pytest.raises(UnknownNameError, match="unknown joint 'waist'"):
        Skeleton("legs", NAMES, (-1, 0, 0), origin=("waist",))


def test_the_rest_pose_adds_offsets_up():
    legs = Skeleton("leg", ("ankle", "hip", "knee"), (2, -1, 1), ((0, -4, 1), (0, 9, 0), (1, -5, 0)))
    assert legs.rest_pose().tolist() == [[1, 0, 1], [0, 9, 0], [1, 4, 0]]
    with pytest.raises(SkeletonError, match="skeleton 'legs': expected the offset of every joint from its parent, got"):
        Skeleton("legs", NAMES, (-1, 0, 0)).rest_pose()


# --- from parents ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parents",
    [
        (-1, 0, 0),
        (None, 0, 0),
        (0, 0, 0),  # the root is its own parent
        (None, "pelvis", "pelvis"),
        ("pelvis", "pelvis", 0),
        np.array([2**32 - 1, 0, 0], dtype=np.uint32),
        np.array([2**64 - 1, 0, 0], dtype=np.uint64),
        {"left_hip": "pelvis", "right_hip": "pelvis"},
        {"pelvis": None, "left_hip": 0, "right_hip": "pelvis"},
    ],
)
def test_parents_in_all_usual_forms(parents):
    legs = Skeleton.from_parents(NAMES, parents, name="legs", fps=30)
    assert legs == Skeleton("legs", NAMES, (-1, 0, 0), mirrored=(("left_hip", "right_hip"),), fps=30.0)
    assert Skeleton.from_parents(NAMES, parents, mirrored=()).mirrored == ()


@pytest.mark.parametrize(
    ("parents", "error", "message"),
    [
        ((None, "waist", 0), UnknownNameError, "unknown joint 'waist'"),
        ({"knee": "pelvis"}, UnknownNameError, "unknown joint 'knee'"),
        ({"left_hip": "pelvis"}, SkeletonError, r"expected exactly one root \(parent -1\), got joints \[0, 2\]"),
        ((0.0, 0, 0), SkeletonError, "parents: expected integers, got 0.0"),
        ("abc", SkeletonError, "parents: expected a sequence of one parent a joint, got 'abc'"),
        (((-1, 0, 0), (0, 1, 2)), SkeletonError, "parents: expected integers, got"),
        ((-1, 2, 1), SkeletonError, r"expected a tree, but joints \[1, 2\] form a cycle"),
    ],
)
def test_other_parents_are_refused(parents, error, message):
    with pytest.raises(error, match=message):
        Skeleton.from_parents(NAMES, parents)


# --- from graphs ----------------------------------------------------------------------------------------------------


@given(skeletons_with_all_fields(), st.randoms())
def test_graphs_of_both_kinds_become_the_skeleton(skeleton, random):
    names = skeleton.joint_names
    for graph in (nx.Graph(name="tree"), nx.DiGraph(name="tree")):
        graph.add_nodes_from(names)
        edges = [(names[parent], names[child]) for parent, child in skeleton.bones]
        random.shuffle(edges)
        graph.add_edges_from(edges)
        found = Skeleton.from_graph(graph, root=None if graph.is_directed() else names[skeleton.root])
        assert (found.name, found.joint_names, found.parents) == ("tree", names, skeleton.parents)


def test_the_first_node_of_an_undirected_graph_is_its_root():
    assert Skeleton.from_graph(nx.path_graph(3), name="path") == Skeleton("path", ("0", "1", "2"), (-1, 0, 1))
    assert Skeleton.from_graph(nx.path_graph(3), root=1).parents == (1, -1, 1)


@pytest.mark.parametrize(
    ("graph", "root", "message"),
    [
        (nx.cycle_graph(3), None, "graph: expected a tree of 3 nodes with 2 undirected edges, got 3. Pass the bones"),
        (nx.Graph([(0, 1), (1, 2), (2, 0), (3, 4)]), 0, "graph: expected one connected tree of 5 nodes, reached 3"),
        (nx.Graph(), None, "root: expected one of the graph's 0 nodes, got None"),
        (nx.path_graph(3), 7, "root: expected one of the graph's 3 nodes, got 7"),
        (nx.DiGraph([(0, 1), (2, 1)]), None, "graph: expected directed edges from parent to child, got others. Turn"),
    ],
)
def test_other_graphs_are_refused(graph, root, message):
    with pytest.raises(SkeletonError, match=message):
        Skeleton.from_graph(graph, root=root)
