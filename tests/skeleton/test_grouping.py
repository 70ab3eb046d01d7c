from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from posegraph.errors import SkeletonError, UnknownNameError
from posegraph.skeleton.automatic import automatic_groupings, random_groupings
from posegraph.skeleton.grouping import JointGrouping

OVERLAPPING = JointGrouping(((0, 1), (1, 2), (2,)), num_joints=4, names=("a", "b", "c"), allow_unused=True)

COCO_17 = [-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14]
SMPL_22 = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]


@st.composite
def groupings(draw) -> JointGrouping:
    """Any grouping, overlaps and unused joints included."""
    num_joints = draw(st.integers(1, 12))
    group = st.sets(st.integers(0, num_joints - 1), min_size=1).map(sorted).map(tuple)
    groups = tuple(draw(st.lists(group, min_size=1, max_size=6)))
    return JointGrouping(groups, num_joints, allow_unused=True)


@st.composite
def trees(draw) -> list[int]:
    """Parents of a random tree, in random joint order."""
    count = draw(st.integers(1, 24))
    parents = [-1, *(draw(st.integers(0, joint - 1)) for joint in range(1, count))]
    return relabelled(parents, draw(st.permutations(range(count))))


def relabelled(parents: list[int], order: list[int]) -> list[int]:
    """The same tree, joint ``j`` called ``order[j]``."""
    renamed = [-1] * len(parents)
    for joint, parent in enumerate(parents):
        renamed[order[joint]] = -1 if parent < 0 else order[parent]
    return renamed


# --- JointGrouping --------------------------------------------------------------------------------------------------


@given(groupings())
def test_pooling_matrix_averages_each_group(grouping):
    x = np.random.default_rng(0).normal(size=grouping.num_joints)
    expected = [np.mean([x[j] for j in group]) for group in grouping.groups]
    np.testing.assert_allclose(grouping.pool_matrix().double().numpy() @ x, expected, rtol=1e-6, atol=1e-6)


@given(groupings())
def test_unpooling_matrix_averages_the_groups_of_each_joint(grouping):
    y = np.random.default_rng(0).normal(size=grouping.num_groups)
    expected = []
    for joint in range(grouping.num_joints):
        mine = [y[i] for i, group in enumerate(grouping.groups) if joint in group]
        expected.append(np.mean(mine) if mine else 0.0)
    np.testing.assert_allclose(grouping.unpool_matrix().double().numpy() @ y, expected, rtol=1e-6, atol=1e-6)


@given(groupings())
def test_joints_are_unused_used_once_or_shared(grouping):
    counts = grouping.membership().sum(0)
    assert grouping.unused == tuple((counts == 0).nonzero().flatten().tolist())
    assert grouping.shared == tuple((counts > 1).nonzero().flatten().tolist())


@given(groupings(), st.integers(1, 4))
def test_axes_are_kept_apart(grouping, axes):
    over = grouping.over_axes(axes)
    assert torch.equal(over.membership(), torch.kron(grouping.membership(), torch.eye(axes)))


@given(groupings())
def test_dictionaries_survive_json(grouping):
    assert JointGrouping.from_dict(json.loads(json.dumps(grouping.to_dict()))) == grouping


def test_names_survive_json():
    assert JointGrouping.from_dict(json.loads(json.dumps(OVERLAPPING.to_dict()))) == OVERLAPPING


def test_lists_become_tuples():
    grouping = JointGrouping([[0, 1], [2]], 3, names=["a", "b"])
    assert grouping == JointGrouping(((0, 1), (2,)), 3, ("a", "b"))
    assert hash(grouping) == hash(JointGrouping(((0, 1), (2,)), 3, ("a", "b")))


def test_groups_by_name():
    grouping = JointGrouping.from_names(["hip", "knee", "foot"], {"end": ["foot"], "leg": ["knee", "hip"]})
    assert grouping == JointGrouping(((2,), (1, 0)), 3, ("end", "leg"))
    with pytest.raises(UnknownNameError, match=r"unknown joint 'kne'\. Did you mean 'knee'\? Known: hip, knee\."):
        JointGrouping.from_names(["hip", "knee"], {"leg": ["hip", "kne"]})
    with pytest.raises(SkeletonError, match=r"joints \[0\] belong to no group"):
        JointGrouping.from_names(["hip", "knee"], {"leg": ["knee"]})
    assert JointGrouping.from_names(["hip", "knee"], {"leg": ["knee"]}, allow_unused=True).unused == (0,)


@pytest.mark.parametrize(
    ("groups", "num_joints", "settings", "message"),
    [
        ((), 3, {}, "groups: expected at least one group of joints, got none"),
        (((0,), ()), 1, {}, r"group 1: expected at least one joint, got an empty group\. Remove it"),
        (((0, 1, 0),), 2, {}, r"group 0: expected each joint once, got \(0, 1, 0\)\. Remove the repeats"),
        (
            ((0, 3),),
            3,
            {},
            r"group 0: expected joint indices in 0..2, got \[3\]\. Indices count the joints of",
        ),
        (((0, -1),), 3, {}, r"group 0: expected joint indices in 0..2, got \[-1\]"),
        (((0, 1),), 2, {"names": ("a", "b")}, "names: expected 1, one a group, got 2"),
        (((0,), (2,)), 4, {}, r"joints \[1, 3\] belong to no group\. Add them to one, or pass allow_unused=True"),
    ],
)
def test_contradictions_are_refused(groups, num_joints, settings, message):
    with pytest.raises(SkeletonError, match=message):
        JointGrouping(groups, num_joints, **settings)


# --- automatic_groupings --------------------------------------------------------------------------------------------


@given(trees(), st.integers(1, 5))
def test_automatic_levels_partition_and_at_least_halve_the_joints(parents, num_levels):
    levels = automatic_groupings(parents, num_levels)
    assert len(levels) == num_levels
    count = len(parents)
    for level in levels:
        assert level.num_joints == count
        assert sorted(j for group in level.groups for j in group) == list(range(count))
        assert level.num_groups <= (count + 1) // 2
        count = level.num_groups


@given(trees())
def test_automatic_groups_are_a_joint_with_children(parents):
    (level,) = automatic_groupings(parents, 1)
    for group in level.groups:
        heads = [joint for joint in group if parents[joint] not in group]
        assert len(heads) == 1
        assert all(parents[joint] == heads[0] for joint in group if joint != heads[0])
        assert len(group) > 1 or parents[heads[0]] == -1


@given(st.data())
def test_automatic_groups_do_not_depend_on_the_order_of_the_joints(data):
    """Hence mirrored limbs, which an exchange of names maps to each other, are grouped alike."""
    parents = data.draw(trees())
    order = data.draw(st.permutations(range(len(parents))))
    for level, other in zip(
        composed(automatic_groupings(parents, 3)),
        composed(automatic_groupings(relabelled(parents, order), 3)),
        strict=True,
    ):
        assert {frozenset(order[joint] for joint in group) for group in level} == other


def composed(levels) -> list[set[frozenset[int]]]:
    """Groups of the finest joints at every level."""
    members = [frozenset([joint]) for joint in range(levels[0].num_joints)]
    result = []
    for level in levels:
        members = [frozenset().union(*(members[joint] for joint in group)) for group in level.groups]
        result.append(set(members))
    return result


@pytest.mark.parametrize(("parents", "sizes"), [(COCO_17, [9, 3, 1]), (SMPL_22, [11, 6, 2])], ids=["coco", "smpl"])
def test_automatic_scales_of_common_skeletons(parents, sizes):
    assert [level.num_groups for level in automatic_groupings(parents, 3)] == sizes


def test_automatic_scales_of_smpl_are_limbs_then_halves_of_the_body():
    _, limbs, halves = composed(automatic_groupings(SMPL_22, 3))
    left_leg, right_leg, left_arm, right_arm = {1, 4, 7, 10}, {2, 5, 8, 11}, {13, 16, 18, 20}, {14, 17, 19, 21}
    assert limbs == {*map(frozenset, (left_leg, right_leg, left_arm, right_arm, {0, 3}, {6, 9, 12, 15}))}
    assert halves == {frozenset({0, 3} | left_leg | right_leg), frozenset({6, 9, 12, 15} | left_arm | right_arm)}


def test_one_joint_stays_one_joint():
    assert [level.groups for level in automatic_groupings([-1], 2)] == [((0,),), ((0,),)]
    assert automatic_groupings([-1, 0], 0) == ()


@pytest.mark.parametrize(("joints", "sizes"), [(25, [12, 7, 4]), (22, [12, 7, 4]), (5, [5, 1]), (3, [])])
def test_random_groupings_are_partitions_of_the_wanted_sizes(joints, sizes):
    levels = random_groupings(joints, sizes, seed=1)
    assert [level.num_groups for level in levels] == sizes
    for level, count in zip(levels, [joints, *sizes], strict=False):
        assert sorted(joint for group in level.groups for joint in group) == list(range(count))


def test_random_groupings_follow_from_the_seed():
    assert random_groupings(6, [3], seed=0)[0].groups == ((0, 4), (1, 3), (2, 5))  # the same on every machine
    assert random_groupings(25, [12], seed=0) == random_groupings(25, [12], seed=0)
    assert random_groupings(25, [12], seed=0) != random_groupings(25, [12], seed=1)


@pytest.mark.parametrize("size", [0, 6])
def test_random_groupings_need_a_joint_for_each_group(size):
    with pytest.raises(SkeletonError, match=rf"sizes: expected 1 to 5 groups of 5 joints, got {size}"):
        random_groupings(5, [size], seed=0)
