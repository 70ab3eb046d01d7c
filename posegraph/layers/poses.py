"""Poses to nodes and back, and padding of observed poses."""

from __future__ import annotations

import torch
from einops import rearrange

__all__ = ["accumulated_average", "from_nodes", "pad_last_pose", "to_nodes"]


def pad_last_pose(observed: torch.Tensor, future_frames: int) -> torch.Tensor:
    """Append copies of the last observed pose.

    Args:
        observed: Poses ``(batch, observed_frames, joints, 3)``.
        future_frames: Number of copies.

    Returns:
        Poses ``(batch, observed_frames + future_frames, joints, 3)``.

    Examples:
        >>> import torch
        >>> from posegraph.layers import pad_last_pose
        >>> pad_last_pose(torch.zeros(2, 10, 22, 3), 25).shape
        torch.Size([2, 35, 22, 3])
    """
    return torch.cat([observed, observed[:, -1:].expand(-1, future_frames, -1, -1)], dim=1)


def accumulated_average(poses: torch.Tensor, observed_frames: int) -> torch.Tensor:
    """Smooth the future: each future pose becomes the mean of itself and the future poses before it.

    The smoothing of PGBIG (Ma et al., CVPR 2022). Observed poses stay, and so does the first future one.

    Args:
        poses: Poses ``(batch, frames, joints, 3)``.
        observed_frames: How many of the frames are observed.

    Returns:
        Poses of the same shape.

    Examples:
        >>> import torch
        >>> from posegraph.layers import accumulated_average
        >>> poses = torch.tensor([5.0, 1.0, 3.0, 8.0]).view(1, 4, 1, 1).expand(-1, -1, 1, 3)
        >>> accumulated_average(poses, observed_frames=1)[0, :, 0, 0]
        tensor([5., 1., 2., 4.])
    """
    future = poses[:, observed_frames:]
    counts = torch.arange(1, future.shape[1] + 1, dtype=poses.dtype, device=poses.device)
    return torch.cat([poses[:, :observed_frames], future.cumsum(1) / counts.view(-1, 1, 1)], dim=1)


def to_nodes(poses: torch.Tensor) -> torch.Tensor:
    """Rearrange poses ``(batch, frames, joints, 3)`` to nodes ``(batch, 3 * joints, frames)``.

    Node ``3 * joint + axis`` is one coordinate of a joint; its channels are the frames.
    """
    return rearrange(poses, "b t j c -> b (j c) t")


def from_nodes(nodes: torch.Tensor) -> torch.Tensor:
    """Undo `to_nodes`: nodes ``(batch, 3 * joints, frames)`` to poses ``(batch, frames, joints, 3)``."""
    return rearrange(nodes, "b (j c) t -> b t j c", c=3)
