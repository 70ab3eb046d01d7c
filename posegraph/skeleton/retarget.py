"""A body that follows given points with bones of fixed lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from posegraph.skeleton.skeleton import Skeleton

__all__ = ["follow"]

_PRIOR = 1e-6  # weight of the parent's turn, which decides only what the points leave open


def follow(skeleton: Skeleton, template: torch.Tensor, places: Mapping[int, torch.Tensor]) -> torch.Tensor:
    """Turn the bones of a pose such that its joints follow points, from the root to the ends.

    A bone whose joint has a point takes the direction from its parent's point to its own. All else that hangs on a
    joint turns as one piece: by the rotation that brings the template's nearest joints with points closest to these,
    or, beyond the last of them, as the bone above turned. Constant joints keep their place beside the root.

    Args:
        skeleton: The body.
        template: Poses ``(..., joints, 3)``; the result has their bone lengths.
        places: Points ``(..., 3)`` of some joints.

    Returns:
        Poses ``(..., joints, 3)`` in the frame of the points.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import Skeleton
        >>> from posegraph.skeleton.retarget import follow
        >>> arm = Skeleton("arm", ("elbow", "wrist", "finger"), (-1, 0, 1))
        >>> template = torch.tensor([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [4.0, 0.0, 0.0]]).double()
        >>> points = {0: torch.zeros(3).double(), 1: torch.tensor([0.0, 5.0, 0.0]).double()}
        >>> follow(arm, template, points).round().tolist()
        [[0.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 4.0, 0.0]]
    """
    anchors = _nearest_with_points(skeleton, places)
    root = skeleton.root
    constant = {skeleton.index(name) for name in skeleton.constant} - {root}
    poses = template.clone()
    turns = {-1: torch.eye(3).to(template).expand(*template.shape[:-2], 3, 3)}
    for joint in skeleton.order:
        parent = skeleton.parents[joint]
        bone = template[..., joint, :] - template[..., parent, :]
        if joint == root:
            turns[root] = _root_turn(template, places, anchors[root], root, turns[-1])
            poses[..., root, :] = _root_place(template, places, anchors[root], root, turns[root])
            continue
        if joint in constant:
            poses[..., joint, :] = poses[..., root, :] + template[..., joint, :] - template[..., root, :]
        elif joint in places:
            direction = places[joint] - places.get(parent, poses[..., parent, :])
            poses[..., joint, :] = poses[..., parent, :] + _along(direction, bone, turns[parent])
        else:
            poses[..., joint, :] = poses[..., parent, :] + (turns[parent] @ bone[..., None])[..., 0]
        start = places.get(joint, poses[..., joint, :])
        below = [(template[..., a, :] - template[..., joint, :], places[a] - start) for a in anchors[joint]]
        turns[joint] = _turn(below, turns[parent])
        if not below and joint in places:
            turns[joint] = _turn([(bone, poses[..., joint, :] - poses[..., parent, :])], turns[parent])
    return poses


def _nearest_with_points(skeleton: Skeleton, places: Mapping[int, torch.Tensor]) -> dict[int, list[int]]:
    """For each joint the nearest joints below it that have points."""
    anchors: dict[int, list[int]] = {joint: [] for joint in skeleton.order}
    for joint in reversed(skeleton.order[1:]):
        anchors[skeleton.parents[joint]] += [joint] if joint in places else anchors[joint]
    return anchors


def _root_turn(
    template: torch.Tensor,
    places: Mapping[int, torch.Tensor],
    anchors: Sequence[int],
    root: int,
    unturned: torch.Tensor,
) -> torch.Tensor:
    if not anchors:
        return unturned
    start, place = template[..., root, :], places.get(root)
    if place is None:  # compare the shapes of the points alone
        start = template[..., list(anchors), :].mean(dim=-2)
        place = torch.stack([places[a] for a in anchors]).mean(dim=0)
    return _turn([(template[..., a, :] - start, places[a] - place) for a in anchors], unturned)


def _root_place(
    template: torch.Tensor, places: Mapping[int, torch.Tensor], anchors: Sequence[int], root: int, turn: torch.Tensor
) -> torch.Tensor:
    if root in places:
        return places[root]
    if not anchors:
        return template[..., root, :]
    bones = [(turn @ (template[..., a, :] - template[..., root, :])[..., None])[..., 0] for a in anchors]
    return torch.stack([places[a] - bone for a, bone in zip(anchors, bones, strict=True)]).mean(dim=0)


def _along(direction: torch.Tensor, bone: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """A vector as long as the bone along a direction; along the turned bone where there is none."""
    length = direction.norm(dim=-1, keepdim=True)
    turned = (turn @ bone[..., None])[..., 0]
    straight = direction / length.clamp_min(1e-12) * bone.norm(dim=-1, keepdim=True)
    return torch.where(length > 1e-9, straight, turned)


def _turn(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]], above: torch.Tensor) -> torch.Tensor:
    """The rotation that brings the first vectors closest to the second ones; what they leave open is as above."""
    if not pairs:
        return above
    scale = sum((one * one).sum(dim=-1) for one, _ in pairs)
    scale = torch.as_tensor(scale)[..., None, None].clamp_min(1e-9)
    covariance = _PRIOR * above
    for one, other in pairs:
        covariance = covariance + other[..., :, None] * one[..., None, :] / scale
    left, _, right = torch.linalg.svd(covariance)
    sign = torch.ones_like(left[..., 0])
    sign[..., 2] = torch.det(left @ right).sign()
    return (left * sign[..., None, :]) @ right
