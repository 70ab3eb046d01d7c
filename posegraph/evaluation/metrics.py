"""Errors between forecast and true poses.

MPJPE is the mean per-joint position error: the Euclidean distance between a joint and its true position, averaged over
joints and windows, in the unit of the poses. Published tables give it in two ways that must not be mixed: *at* a frame,
or averaged over all frames *up to* it.

Before positions, the field compared Euler angles of all joints; `euler_error_at` is that error.
"""

from __future__ import annotations

import torch

from posegraph.errors import ShapeError
from posegraph.skeleton.rotations import euler_from_rotation, rotation_from_exponential_map

__all__ = ["euler_error_at", "joint_errors", "mean_up_to", "mpjpe_at", "mpjpe_up_to"]


def mpjpe_at(prediction: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """MPJPE at each forecast frame by itself.

    Args:
        prediction: Forecast poses ``(batch, frames, joints, 3)``.
        truth: True poses of the same shape.

    Returns:
        Errors ``(frames,)``: entry f is the mean over windows and joints of the distance at frame f.

    Raises:
        ShapeError: The shapes differ, or are not those of poses.

    Examples:
        >>> import torch
        >>> from posegraph.evaluation.metrics import mpjpe_at
        >>> truth = torch.zeros(1, 2, 1, 3)
        >>> prediction = torch.tensor([[[[3.0, 4.0, 0.0]], [[0.0, 0.0, 1.0]]]])
        >>> mpjpe_at(prediction, truth).tolist()
        [5.0, 1.0]
    """
    _check_same(prediction, truth)
    return (prediction - truth).norm(dim=-1).mean(dim=(0, 2))


def mpjpe_up_to(prediction: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """MPJPE averaged over all frames up to and including each forecast frame.

    Args:
        prediction: Forecast poses ``(batch, frames, joints, 3)``.
        truth: True poses of the same shape.

    Returns:
        Errors ``(frames,)``: entry f is the mean of `mpjpe_at` over frames 0 to f.

    Raises:
        ShapeError: The shapes differ, or are not those of poses.

    Examples:
        >>> import torch
        >>> from posegraph.evaluation.metrics import mpjpe_up_to
        >>> truth = torch.zeros(1, 2, 1, 3)
        >>> prediction = torch.tensor([[[[3.0, 4.0, 0.0]], [[0.0, 0.0, 1.0]]]])
        >>> mpjpe_up_to(prediction, truth).tolist()
        [5.0, 3.0]
    """
    return mean_up_to(mpjpe_at(prediction, truth))


def mean_up_to(errors: torch.Tensor) -> torch.Tensor:
    """Mean of errors over all frames up to and including each.

    Args:
        errors: Errors ``(frames, ...)``.

    Returns:
        Errors of the same shape.

    Examples:
        >>> import torch
        >>> from posegraph.evaluation.metrics import mean_up_to
        >>> mean_up_to(torch.tensor([5.0, 1.0])).tolist()
        [5.0, 3.0]
    """
    counts = torch.arange(1, len(errors) + 1, dtype=errors.dtype, device=errors.device)
    return errors.cumsum(0) / counts.view(-1, *[1] * (errors.ndim - 1))


def joint_errors(prediction: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Error of each joint at each forecast frame; `mpjpe_at` is its mean over joints.

    Args:
        prediction: Forecast poses ``(batch, frames, joints, 3)``.
        truth: True poses of the same shape.

    Returns:
        Errors ``(frames, joints)``: entry (f, j) is the mean over windows of the distance of joint j at frame f.

    Raises:
        ShapeError: The shapes differ, or are not those of poses.

    Examples:
        >>> import torch
        >>> from posegraph.evaluation.metrics import joint_errors
        >>> truth = torch.zeros(1, 1, 2, 3)
        >>> prediction = torch.tensor([[[[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]]]])
        >>> joint_errors(prediction, truth).tolist()
        [[5.0, 1.0]]
    """
    _check_same(prediction, truth)
    return (prediction - truth).norm(dim=-1).mean(dim=0)


def euler_error_at(prediction: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Error of rotations at each forecast frame: the Euclidean norm of all differences of Euler angles, in radians.

    As Jain et al. (Structural-RNN, CVPR 2016) and those after them measure it. The norm runs over all joints at once,
    so it grows with their number; differences are not wrapped at a full turn.

    Args:
        prediction: Forecast exponential maps ``(batch, frames, joints, 3)``.
        truth: True exponential maps of the same shape.

    Returns:
        Errors ``(frames,)``: entry f is the mean over windows of the norm at frame f.

    Raises:
        ShapeError: The shapes differ, or are not those of poses.

    Examples:
        >>> import torch
        >>> from posegraph.evaluation.metrics import euler_error_at
        >>> truth = torch.zeros(1, 1, 2, 3)
        >>> prediction = torch.tensor([[[[0.3, 0.0, 0.0], [0.0, 0.0, 0.4]]]])
        >>> round(euler_error_at(prediction, truth).item(), 4)
        0.5
    """
    _check_same(prediction, truth)
    angles, true = (euler_from_rotation(rotation_from_exponential_map(poses)) for poses in (prediction, truth))
    return (angles - true).flatten(2).norm(dim=-1).mean(dim=0)


def _check_same(prediction: torch.Tensor, truth: torch.Tensor) -> None:
    if truth.ndim != 4 or truth.shape[-1] != 3:
        raise ShapeError("truth", "(batch, frames, joints, 3)", tuple(truth.shape), "Stack windows along a batch axis.")
    if prediction.shape != truth.shape:
        raise ShapeError(
            "prediction",
            f"the shape of truth, {tuple(truth.shape)}",
            tuple(prediction.shape),
            "Compare the same frames and joints; `Skeleton.expand` restores all joints from the used ones.",
        )
