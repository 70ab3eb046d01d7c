from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegraph.errors import SkeletonError
from posegraph.skeleton.automatic import automatic_groupings, random_groupings

COCO_17 = [-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14]
SMPL_22 = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]


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
