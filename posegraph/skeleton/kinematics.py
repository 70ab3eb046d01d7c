"""Joint rotations to joint positions."""

from __future__ import annotations

import torch

from posegraph._support.checks import check_poses
from posegraph.errors import SkeletonError
from posegraph.skeleton.rotations import rotation_from_exponential_map
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["forward_kinematics", "to_positions"]


def forward_kinematics(
    exponential_map: torch.Tensor, skeleton: Skeleton, *, root_rotation: bool = False
) -> torch.Tensor:
    r"""Joint positions relative to the root, from the rotation of every joint.

    Rotations compose along the skeleton as row-vector maps, $R_j = R^\text{local}_j R_{parent(j)}$, and a bone turns
    with its parent: $p_j = o_j R_{parent(j)} + p_{parent(j)}$ with the skeleton's offset $o_j$.

    The benchmarks of the field leave out the root's rotation: the root has $R = I$, and its children sit at their
    offsets in every frame. That makes poses independent of where the subject stands *and* of where it faces, so a
    forecaster need not learn headings; it is also why the hips and the lowest spine joint count as constant joints.
    Published numbers hold for these poses, hence the default.

    Args:
        exponential_map: Axis times angle of every joint, ``(..., joints, 3)`` in radians.
        skeleton: Gives parents and offsets.
        root_rotation: Turn the whole body by the root's rotation as well.

    Returns:
        Positions ``(..., joints, 3)`` in the skeleton's unit; the root sits at its own offset, which is usually zero.

    Raises:
        SkeletonError: The skeleton has no offsets.
        ShapeError: The joint axis does not fit the skeleton.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import presets
        >>> from posegraph.skeleton import forward_kinematics
        >>> h36m = presets.get("h36m")
        >>> rest = forward_kinematics(torch.zeros(32, 3), h36m)
        >>> round(rest[h36m.index("Head_Site"), 1].item())  # top of the head above the pelvis, in mm
        727
    """
    if skeleton.offsets is None:
        raise SkeletonError(
            f"skeleton {skeleton.name!r}: expected the offset of every joint from its parent, got none. "
            "Build the skeleton with offsets=..., or use recordings that hold positions."
        )
    check_poses(
        "exponential_map",
        exponential_map.reshape(-1, *exponential_map.shape[-2:]),
        frames=None,
        joints=skeleton.num_joints,
        batch=False,
        remedy=f"Skeleton {skeleton.name!r} has {skeleton.num_joints} joints; give three numbers for each.",
    )
    local = rotation_from_exponential_map(exponential_map)
    offsets = torch.tensor(skeleton.offsets, dtype=local.dtype, device=local.device)
    identity = torch.eye(3, dtype=local.dtype, device=local.device)
    rotations: dict[int, torch.Tensor] = {}
    positions: dict[int, torch.Tensor] = {}
    for joint in skeleton.order:
        parent = skeleton.parents[joint]
        if parent < 0:
            rotations[joint] = local[..., joint, :, :] if root_rotation else identity.expand(*local.shape[:-3], 3, 3)
            positions[joint] = offsets[joint].expand(*local.shape[:-3], 3)
        else:
            rotations[joint] = local[..., joint, :, :] @ rotations[parent]
            positions[joint] = offsets[joint] @ rotations[parent] + positions[parent]
    return torch.stack([positions[joint] for joint in range(skeleton.num_joints)], dim=-2)


def to_positions(poses: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """Joint positions of poses of all joints, whether they hold positions or rotations.

    Args:
        poses: Poses ``(..., joints, 3)`` in the skeleton's unit.
        skeleton: Says what they hold.

    Returns:
        Positions ``(..., joints, 3)``; positions are returned as they are.

    Raises:
        SkeletonError: Poses hold rotations, but the skeleton has no offsets.
        ShapeError: Poses hold rotations, and the joint axis does not fit.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import presets
        >>> from posegraph.skeleton import to_positions
        >>> to_positions(torch.zeros(10, 38, 3), presets.get("cmu-angles")).abs().max() > 1000  # mm
        tensor(True)
    """
    return forward_kinematics(poses, skeleton) if skeleton.holds == "rotations" else poses
