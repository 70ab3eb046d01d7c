"""Training losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from posegraph.errors import ShapeError

__all__ = ["joint_distance_loss", "multi_scale_loss"]


def joint_distance_loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean Euclidean distance between predicted and true joints, over batch, frames and joints.

    The training loss of Traj-GCN and, at each scale, of MSR-GCN. It runs over all frames that are given, which for
    these models includes the observed ones.

    Args:
        prediction: Poses ``(batch, frames, joints, 3)`` in mm.
        target: Poses of the same shape.

    Returns:
        Scalar in mm.

    Raises:
        ShapeError: The shapes differ.

    Examples:
        >>> import torch
        >>> from posegraph.losses import joint_distance_loss
        >>> joint_distance_loss(torch.zeros(2, 35, 22, 3), torch.ones(2, 35, 22, 3) * 3**0.5)
        tensor(3.)
    """
    if prediction.shape != target.shape or prediction.shape[-1] != 3:
        expected = f"(batch, frames, joints, 3) like the target's {tuple(target.shape)}"
        raise ShapeError("prediction", expected, tuple(prediction.shape), "Compare poses of the same window and scale.")
    return torch.linalg.vector_norm(prediction - target, dim=-1).mean()


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
