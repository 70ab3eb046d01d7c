"""Training losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from posegraph.errors import ShapeError

__all__ = ["coordinate_distance_loss", "joint_distance_loss", "multi_scale_loss", "velocity_loss"]


def coordinate_distance_loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Absolute differences of all coordinates of a pose, summed, and averaged over batch and frames.

    The training loss of Traj-GCN (Mao et al., ICCV 2019) for rotations.

    Args:
        prediction: Poses ``(batch, frames, joints, 3)``.
        target: Poses of the same shape.

    Returns:
        Scalar in the unit of the poses.

    Raises:
        ShapeError: The shapes differ.

    Examples:
        >>> import torch
        >>> from posegraph.layers import coordinate_distance_loss
        >>> coordinate_distance_loss(torch.zeros(2, 35, 20, 3), torch.ones(2, 35, 20, 3))
        tensor(60.)
    """
    _check_same_poses(prediction, target)
    return (prediction - target).abs().sum(dim=(-2, -1)).mean()


def joint_distance_loss(
    prediction: torch.Tensor, target: torch.Tensor, frame_weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean Euclidean distance between predicted and true joints, over batch, frames and joints.

    The training loss of Traj-GCN and, at each scale, of MSR-GCN. It runs over all frames that are given, which for
    these models includes the observed ones.

    Args:
        prediction: Poses ``(batch, frames, joints, 3)`` in mm.
        target: Poses of the same shape.
        frame_weights: How much each frame counts, ``(frames,)`` with mean one; None for all alike.

    Returns:
        Scalar in mm.

    Raises:
        ShapeError: The shapes differ.

    Examples:
        >>> import torch
        >>> from posegraph.layers import joint_distance_loss
        >>> joint_distance_loss(torch.zeros(2, 35, 22, 3), torch.ones(2, 35, 22, 3) * 3**0.5)
        tensor(3.)
    """
    _check_same_poses(prediction, target)
    distances = torch.linalg.vector_norm(prediction - target, dim=-1)
    return (distances if frame_weights is None else distances * frame_weights[:, None]).mean()


def multi_scale_loss(outputs: Sequence[torch.Tensor], targets: Sequence[torch.Tensor]) -> torch.Tensor:
    """Sum of `joint_distance_loss` over the scales, each with weight one (intermediate supervision).

    Args:
        outputs: Predicted poses of each scale, finest first.
        targets: True poses of each scale.

    Returns:
        Scalar in mm.

    Raises:
        ShapeError: The numbers of scales or their shapes differ.
    """
    if len(outputs) != len(targets):
        raise ShapeError(
            "outputs", f"{len(targets)} scales", f"{len(outputs)} scales", "Give one target for each output."
        )
    return torch.stack([joint_distance_loss(o, t) for o, t in zip(outputs, targets, strict=True)]).sum()


def velocity_loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean Euclidean distance between predicted and true steps of the joints from frame to frame.

    siMLPe (Guo et al., WACV 2023) adds it to `joint_distance_loss`.

    Args:
        prediction: Poses ``(batch, frames, joints, 3)`` of two frames or more.
        target: Poses of the same shape.

    Returns:
        Scalar in the unit of the poses, a frame.

    Raises:
        ShapeError: The shapes differ, or there is a single frame.

    Examples:
        >>> import torch
        >>> from posegraph.layers import velocity_loss
        >>> velocity_loss(torch.zeros(2, 10, 22, 3), torch.ones(2, 10, 22, 3))
        tensor(0.)
    """
    _check_same_poses(prediction, target)
    if prediction.shape[-3] < 2:
        expected = "(batch, at least 2 frames, joints, 3)"
        raise ShapeError("prediction", expected, tuple(prediction.shape), "A single frame has no velocity.")
    return joint_distance_loss(prediction.diff(dim=-3), target.diff(dim=-3))


def _check_same_poses(prediction: torch.Tensor, target: torch.Tensor) -> None:
    if prediction.shape != target.shape or prediction.shape[-1] != 3:
        expected = f"(batch, frames, joints, 3) like the target's {tuple(target.shape)}"
        raise ShapeError("prediction", expected, tuple(prediction.shape), "Compare poses of the same window and scale.")
