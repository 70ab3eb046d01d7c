"""Groupings that are derived from a skeleton, and random ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, get_args

import numpy as np
import torch

from posegraph._support.checks import check_choice, check_finite
from posegraph.errors import ConfigError, ShapeError, SkeletonError
from posegraph.skeleton.grouping import JointGrouping

__all__ = ["automatic_groupings", "random_groupings"]


By = Literal["length", "stability"]
"""What decides which joints go together: short distances in the rest pose, or motion that averages out."""


def automatic_groupings(
    parents: Sequence[int],
    num_levels: int | None = None,
    *,
    sizes: Sequence[int] | None = None,
    by: By = "length",
    poses: object = None,
    mirror: Sequence[int] | None = None,
) -> tuple[JointGrouping, ...]:
    """Coarser scales for any skeleton: as many levels as you like, or levels of the sizes that you choose.

    With ``num_levels``, the parents alone decide. From the end joints to the root, each joint takes those of its
    children that have not taken any themselves. So a group is a joint with some of its children, and only the root can
    be left alone: each level at least halves the joints, treats mirrored limbs alike, and does not depend on the order
    of the joints.

    With ``sizes``, neighbouring groups are joined one by one, both sides of the body alike. Joints of both sides come
    together only where the sizes leave nothing else. Of all others those are joined that cost least: by "length", those
    that add least to the squared distances of joints from the middle of their group; by "stability", those that leave
    the least speed to the coarse joints, which are the means of their groups.

    Groups never overlap.

    Args:
        parents: Parent of each joint, -1 for the root.
        num_levels: How many groupings to derive; a skeleton of one joint stays as it is.
        sizes: Number of groups of each level, finest first, in place of ``num_levels``.
        by: What decides, with ``sizes``.
        poses: With ``sizes``: the rest pose ``(joints, 3)`` for "length", consecutive poses ``(frames, joints, 3)`` for
            "stability".
        mirror: With ``sizes``: for each joint the index of its mirror image, as `posegraph.skeleton.Skeleton.mirror`
            has them; without it the sides are not treated alike.

    Returns:
        One grouping a level, finest first; each counts joints of the level before.

    Raises:
        ConfigError: Both or neither of ``num_levels`` and ``sizes`` are given, or ``by`` is unknown.
        ShapeError: The poses do not fit.
        DataError: A number of the poses is not finite.
        SkeletonError: A level has no group, or more than the one before; or its size is none that treats both sides
            alike.

    Examples:
        >>> from posegraph.skeleton import automatic_groupings, presets
        >>> [g.groups for g in automatic_groupings([-1, 0, 1, 2], 2)]
        [((0, 1), (2, 3)), ((0, 1),)]
        >>> body = presets.get("coco-17")
        >>> levels = automatic_groupings(body.parents, sizes=(9, 5), poses=body.rest_pose(), mirror=body.mirror)
        >>> [[body.joint_names[joint] for joint in group] for group in levels[0].groups][:2]
        [['nose'], ['left_eye', 'left_ear']]
    """
    if (num_levels is None) == (sizes is None):
        raise ConfigError("num_levels, sizes: expected one of the two, got both or neither.")
    if sizes is not None:
        check_choice("by", by, get_args(By))
        return _of_sizes(parents, sizes, _cost(by, poses, len(parents)), mirror or range(len(parents)))
    current = list(parents)
    levels: list[JointGrouping] = []
    for _ in range(num_levels or 0):
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


Groups = frozenset[frozenset[int]]
Cost = Callable[[frozenset[int]], float]


def _of_sizes(
    parents: Sequence[int], sizes: Sequence[int], cost: Cost, mirror: Sequence[int]
) -> tuple[JointGrouping, ...]:
    groups: Groups = frozenset(frozenset({joint}) for joint in range(len(parents)))
    levels: list[JointGrouping] = []
    before = [(joint,) for joint in range(len(parents))]
    for size in sizes:
        if not 1 <= size <= len(groups):
            raise SkeletonError(f"sizes: expected 1 to {len(groups)} groups of {len(groups)} joints, got {size}.")
        while len(groups) > size:
            groups = _cheapest(groups, parents, cost, mirror, len(groups) - size)
        after = sorted(tuple(sorted(group)) for group in groups)
        members = [tuple(i for i, fine in enumerate(before) if fine[0] in group) for group in after]
        levels.append(JointGrouping(tuple(members), len(before)))
        before = after
    return tuple(levels)


def _cheapest(groups: Groups, parents: Sequence[int], cost: Cost, mirror: Sequence[int], at_most: int) -> Groups:
    """Join two neighbouring groups, and their mirror images, such that the cost of a group less is lowest."""
    best: tuple[bool, float, list[list[int]], Groups] | None = None
    for one, other in _neighbours(groups, parents, mirror):
        joined = _joined(groups, one, other, mirror)
        fewer = len(groups) - len(joined)
        if fewer <= at_most:
            change = sum(map(cost, joined - groups)) - sum(map(cost, groups - joined))
            new = joined - groups
            crosses = any(_has_both_sides(group, mirror) for group in new)  # only where nothing else is left
            # rounding must not decide between equals, and neither must the order of a set
            candidate = (crosses, round(change / fewer, 6), sorted(map(sorted, new)), joined)
            best = candidate if best is None or candidate[:3] < best[:3] else best
    if best is None:
        raise SkeletonError(
            f"sizes: expected sizes that treat both sides alike, got {len(groups) - at_most}, which cannot be reached "
            f"from {len(groups)} groups. Choose one more or one less, or leave out mirror."
        )
    return best[3]


def _has_both_sides(group: frozenset[int], mirror: Sequence[int]) -> bool:
    return any(mirror[joint] != joint and mirror[joint] in group for joint in group)


def _neighbours(
    groups: Groups, parents: Sequence[int], mirror: Sequence[int]
) -> Iterable[tuple[frozenset[int], frozenset[int]]]:
    """Pairs of groups with a bone between them; and mirrored ones that have a bone to the same third one."""
    group_of = {joint: group for group in groups for joint in group}
    beside: dict[frozenset[int], set[frozenset[int]]] = {group: set() for group in groups}
    for joint, parent in enumerate(parents):
        if parent >= 0 and group_of[joint] != group_of[parent]:
            beside[group_of[joint]].add(group_of[parent])
            beside[group_of[parent]].add(group_of[joint])
            yield group_of[joint], group_of[parent]
    for group, others in beside.items():
        image = frozenset(mirror[joint] for joint in group)
        if image != group and image in groups and others & beside[image]:
            yield group, image


def _joined(groups: Groups, one: frozenset[int], other: frozenset[int], mirror: Sequence[int]) -> Groups:
    """The groups after joining two, and their mirror images; whatever shares a joint with these joins too."""
    for new in (one | other, frozenset(mirror[joint] for joint in one | other)):
        touched = frozenset(group for group in groups if group & new)
        groups = (groups - touched) | {frozenset().union(*touched)}
    return groups


def _cost(by: By, poses: object, joints: int) -> Cost:
    expected = f"({joints} joints, 3), the rest pose" if by == "length" else f"(frames, {joints} joints, 3)"
    x = np.asarray(poses.detach().cpu() if isinstance(poses, torch.Tensor) else poses)
    if x.ndim != (2 if by == "length" else 3) or x.shape[-2:] != (joints, 3) or (by == "stability" and len(x) < 2):
        raise ShapeError("poses", expected, None if poses is None else tuple(x.shape), f'Needed for by="{by}".')
    x = x.astype(np.float64)
    check_finite("poses", torch.from_numpy(x))
    known: dict[frozenset[int], float] = {}

    def spread(group: frozenset[int]) -> float:
        points = x[sorted(group)]
        return float(((points - points.mean(axis=0)) ** 2).sum())

    def speed(group: frozenset[int]) -> float:
        return float(np.linalg.norm(steps[:, sorted(group)].mean(axis=1), axis=-1).mean())

    steps = np.diff(x, axis=0) if by == "stability" else x
    measure = spread if by == "length" else speed

    def cost(group: frozenset[int]) -> float:
        if group not in known:
            known[group] = measure(group)
        return known[group]

    return cost
