"""Groupings made from a skeleton's parents alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posegraph.errors import SkeletonError
from posegraph.skeleton.grouping import JointGrouping

__all__ = ["automatic_groupings", "random_groupings"]


def automatic_groupings(parents: Sequence[int], num_levels: int) -> tuple[JointGrouping, ...]:
    """Coarser scales for any skeleton, derived from its parents alone.

    From the end joints to the root, each joint takes those of its children that have not taken any themselves. So a
    group is a joint with some of its children, and only the root can be left alone: each level at least halves the
    joints, treats mirrored limbs alike, and does not depend on the order of the joints. Groups never overlap.

    Args:
        parents: Parent of each joint, -1 for the root.
        num_levels: How many groupings to derive; a skeleton of one joint stays as it is.

    Returns:
        ``num_levels`` groupings, finest first; each counts joints of the level before.

    Examples:
        >>> from posegraph.skeleton import automatic_groupings
        >>> [g.groups for g in automatic_groupings([-1, 0, 1, 2], 2)]
        [((0, 1), (2, 3)), ((0, 1),)]
    """
    current = list(parents)
    levels: list[JointGrouping] = []
    for _ in range(num_levels):
        groups = _merge_children(current)
        levels.append(JointGrouping(groups, len(current)))
        group_of = {joint: i for i, group in enumerate(groups) for joint in group}
        coarse: list[int] = []
        for group in groups:
            above = [current[joint] for joint in group if current[joint] not in group]
            coarse.append(group_of[above[0]] if above[0] >= 0 else -1)
        current = coarse
    return tuple(levels)


def random_groupings(num_joints: int, sizes: Sequence[int], *, seed: int) -> tuple[JointGrouping, ...]:
    """Random scales, to measure what a meaningful grouping is worth.

    Each level cuts a random order of the joints before it at random places, so that every group has a joint.

    Args:
        num_joints: Number of joints of the finest scale.
        sizes: Number of groups of each level, finest first.
        seed: The same seed gives the same groups, in every version of NumPy.

    Returns:
        One grouping a level.

    Raises:
        SkeletonError: A level has no group, or more than the one before has joints.

    Examples:
        >>> from posegraph.skeleton import random_groupings
        >>> [g.num_groups for g in random_groupings(25, [12, 7, 4], seed=1)]
        [12, 7, 4]
    """
    generator = np.random.RandomState(seed)  # the legacy generator, whose stream never changes
    levels: list[JointGrouping] = []
    for size in sizes:
        if not 1 <= size <= num_joints:
            raise SkeletonError(f"sizes: expected 1 to {num_joints} groups of {num_joints} joints, got {size}.")
        order = generator.permutation(num_joints)
        cuts = np.sort(generator.permutation(num_joints - 1)[: size - 1]) + 1
        groups = sorted(tuple(sorted(int(joint) for joint in part)) for part in np.split(order, cuts))
        levels.append(JointGrouping(tuple(groups), num_joints))
        num_joints = size
    return tuple(levels)


def _merge_children(parents: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    children: list[list[int]] = [[] for _ in parents]
    for joint, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(joint)
    order = [parents.index(-1)]
    for joint in order:  # grows while it is read
        order += children[joint]
    groups: dict[int, list[int]] = {}
    for joint in reversed(order):
        alone = [child for child in children[joint] if len(groups[child]) == 1]
        for child in alone:
            del groups[child]
        groups[joint] = [joint, *alone]
    return tuple(sorted(tuple(sorted(group)) for group in groups.values()))
