from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from posegraph.errors import ConfigError, DataError, ShapeError, SkeletonError
from posegraph.skeleton import presets
from posegraph.skeleton.automatic import automatic_groupings, random_groupings
from posegraph.skeleton.skeleton import Skeleton

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


# --- chosen sizes ---------------------------------------------------------------------------------------------------

LIMBS = Skeleton.from_parents(("hips", "LKnee", "LFoot", "RKnee", "RFoot", "chest", "head"), (-1, 0, 1, 0, 3, 0, 5))
REST = [[0, 0, 0], [100, -400, 0], [100, -500, 0], [-100, -400, 0], [-100, -500, 0], [0, 300, 0], [0, 350, 0]]


def members(levels):
    """Joints of the finest scale in each group of the last level."""
    return composed(levels)[-1]


def test_short_bones_are_joined_first_on_both_sides_alike():
    levels = automatic_groupings(LIMBS.parents, sizes=(6, 4, 3), poses=torch.tensor(REST), mirror=LIMBS.mirror)
    assert members(levels[:1]) == {*map(frozenset, ({0}, {1}, {2}, {3}, {4}, {5, 6}))}
    assert members(levels[:2]) == {*map(frozenset, ({0}, {1, 2}, {3, 4}, {5, 6}))}
    assert members(levels) == {*map(frozenset, ({0, 5, 6}, {1, 2}, {3, 4}))}


def test_joints_of_both_sides_come_together_only_where_nothing_else_is_left():
    levels = automatic_groupings(LIMBS.parents, sizes=(5, 2, 1), poses=REST, mirror=LIMBS.mirror)
    assert members(levels[:2]) == {frozenset({0, 5, 6}), frozenset({1, 2, 3, 4})}
    assert members(levels) == {frozenset(range(7))}


def test_motion_that_averages_out_is_joined_first():
    """A hand that shakes against its elbow, and a foot that moves with its knee: the arm is steadier as one."""
    time = np.arange(50)[:, None]
    poses = np.zeros((50, 5, 3))
    poses[:, 1], poses[:, 2] = 10 * (-1.0) ** time, -10 * (-1.0) ** time
    poses[:, 3], poses[:, 4] = 10 * (-1.0) ** time, 10 * (-1.0) ** time
    (level,) = automatic_groupings((-1, 0, 1, 0, 3), sizes=(4,), by="stability", poses=poses)
    assert (1, 2) in level.groups


@pytest.mark.parametrize("by", ["length", "stability"])
@pytest.mark.parametrize("name", presets.names())
def test_chosen_sizes_of_all_bodies(name, by):
    """Every joint in one group, sides alike, any size; a loop over the groups measures what was to be small."""
    body = presets.get(name)
    used, joints = body.reduced, list(body.used)
    rest = body.rest_pose()[joints].numpy()
    poses = rest if by == "length" else rest + np.random.default_rng(0).normal(size=(30, *rest.shape)).cumsum(axis=0)
    sizes = range(used.num_joints - 1, 0, -1)
    options = {"by": by, "poses": poses, "mirror": used.mirror}
    for size in (*sizes[::4], 1):
        (level,) = automatic_groupings(used.parents, sizes=(size,), **options)
        assert level.num_groups == size
        assert sorted(sum(level.groups, ())) == list(range(used.num_joints))
        images = {frozenset(used.mirror[joint] for joint in group) for group in level.groups}
        assert images == {frozenset(group) for group in level.groups}
    first, second = automatic_groupings(used.parents, sizes=(12, 4), **options)
    assert (first.num_joints, first.num_groups, second.num_joints, second.num_groups) == (used.num_joints, 12, 12, 4)


def test_the_order_of_joints_does_not_matter():
    order = [5, 2, 0, 6, 4, 1, 3]
    place = [order.index(joint) for joint in range(7)]
    parents = [-1 if LIMBS.parents[joint] < 0 else place[LIMBS.parents[joint]] for joint in order]
    mirror = [place[LIMBS.mirror[joint]] for joint in order]
    for size in range(1, 7):
        one = automatic_groupings(LIMBS.parents, sizes=(size,), poses=REST, mirror=LIMBS.mirror)
        other = automatic_groupings(parents, sizes=(size,), poses=[REST[joint] for joint in order], mirror=mirror)
        assert members(one) == {frozenset(order[joint] for joint in group) for group in members(other)}


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, ConfigError, "num_levels, sizes: expected one of the two, got both or neither"),
        ({"num_levels": 1, "sizes": (3,)}, ConfigError, "expected one of the two"),
        ({"sizes": (3,), "by": "colour", "poses": REST}, ConfigError, "by: expected one of 'length', 'stability'"),
        ({"sizes": (3,)}, ShapeError, r"poses: expected \(7 joints, 3\), the rest pose, got None"),
        ({"sizes": (3,), "poses": [REST]}, ShapeError, r"got \(1, 7, 3\)\. Needed for by=\"length\""),
        ({"sizes": (3,), "poses": [REST], "by": "stability"}, ShapeError, r"poses: expected \(frames, 7 joints, 3\)"),
        ({"sizes": (8,), "poses": REST}, SkeletonError, "sizes: expected 1 to 7 groups of 7 joints, got 8"),
        ({"sizes": (3, 4), "poses": REST}, SkeletonError, "sizes: expected 1 to 3 groups of 3 joints, got 4"),
        ({"sizes": (3,), "poses": np.full((7, 3), np.nan)}, DataError, "poses"),
        ({"sizes": (1,), "poses": [[0, 0, 0], [1, 0, 0], [0, 1, 0]]}, ShapeError, "poses: expected"),
    ],
)
def test_other_settings_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        automatic_groupings(LIMBS.parents, **settings)


def test_sizes_that_cannot_treat_both_sides_alike_are_refused():
    """A chain whose mirror images are no neighbours: every step joins two pairs."""
    with pytest.raises(
        SkeletonError, match="sizes: expected sizes that treat both sides alike, got 4, which cannot be"
    ):
        automatic_groupings((-1, 0, 1, 2, 3), sizes=(4,), poses=np.eye(5, 3), mirror=(3, 4, 2, 0, 1))
