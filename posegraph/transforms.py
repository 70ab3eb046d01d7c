"""Fixed transforms of pose sequences: padding, the discrete cosine basis, and normalisation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import nn

from posegraph._checks import check_positive
from posegraph.errors import ConfigError, ShapeError
from posegraph.skeleton import Skeleton

__all__ = [
    "MinMaxNormalizer",
    "ZScoreNormalizer",
    "accumulated_average",
    "dct_matrix",
    "from_nodes",
    "mirror_image",
    "pad_last_pose",
    "to_nodes",
]

_CONSTANT = 1e-4  # smallest standard deviation of a coordinate that moves


def dct_matrix(num_frames: int, *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    r"""The orthonormal discrete cosine basis (DCT-II).

    $C_{k,i} = w_k \cos\left(\pi (i + \tfrac12) k / T\right)$ with $w_0 = \sqrt{1/T}$ and $w_k = \sqrt{2/T}$. Its
    inverse is its transpose. Built in float64, then rounded to ``dtype``.

    Args:
        num_frames: Sequence length T.
        dtype: Type of the result.

    Returns:
        Matrix ``(num_frames, num_frames)``, one basis vector a row, slowest first.

    Examples:
        >>> from posegraph.transforms import dct_matrix
        >>> c = dct_matrix(35)
        >>> bool((c @ c.T - c.new_ones(35).diag()).abs().max() < 1e-6)
        True
    """
    check_positive(num_frames=num_frames)
    frame = torch.arange(num_frames, dtype=torch.float64)
    basis = torch.cos(torch.pi * (frame + 0.5) * frame.unsqueeze(1) / num_frames) * (2 / num_frames) ** 0.5
    basis[0] = (1 / num_frames) ** 0.5
    return basis.to(dtype)


def pad_last_pose(observed: torch.Tensor, future_frames: int) -> torch.Tensor:
    """Append copies of the last observed pose.

    Args:
        observed: Poses ``(batch, observed_frames, joints, 3)``.
        future_frames: Number of copies.

    Returns:
        Poses ``(batch, observed_frames + future_frames, joints, 3)``.

    Examples:
        >>> import torch
        >>> from posegraph.transforms import pad_last_pose
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
        >>> from posegraph.transforms import accumulated_average
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
    return poses.flatten(2).transpose(1, 2)


def from_nodes(nodes: torch.Tensor) -> torch.Tensor:
    """Undo `to_nodes`: nodes ``(batch, 3 * joints, frames)`` to poses ``(batch, frames, joints, 3)``."""
    return nodes.transpose(1, 2).unflatten(2, (-1, 3))


def mirror_image(skeleton: Skeleton) -> tuple[torch.Tensor, torch.Tensor]:
    """What turns positions into their mirror image: left and right joints change places, and points their side.

    Args:
        skeleton: Its ``mirrored`` pairs and its ``lateral`` axis say what the mirror does.

    Returns:
        Joint that comes to each place, ``(joints,)`` int64; and factors ``(3,)`` of the coordinates.

    Raises:
        ConfigError: The skeleton has no mirrored pairs, or its poses are rotations.

    Examples:
        >>> import torch
        >>> from posegraph import skeletons
        >>> from posegraph.transforms import mirror_image
        >>> cmu = skeletons.get("cmu")
        >>> joints, signs = mirror_image(cmu)
        >>> poses = torch.randn(4, 35, 38, 3)
        >>> mirrored = poses[:, :, joints] * signs
        >>> left, right = (cmu.joint_names.index(name) for name in ("LeftFoot", "RightFoot"))
        >>> int(joints[left]) == right, signs.tolist()
        (True, [-1.0, 1.0, 1.0])
    """
    if not skeleton.mirrored or skeleton.holds_rotations:
        raise ConfigError(
            f"mirror: expected a skeleton of positions with mirrored pairs, got {skeleton.name!r} with "
            f"{len(skeleton.mirrored)} pairs in {skeleton.unit}. Name the pairs in the skeleton, or do without."
        )
    signs = torch.ones(3)
    signs["xyz".index(skeleton.lateral)] = -1.0
    return torch.tensor(skeleton.mirror), signs


class MinMaxNormalizer(nn.Module):
    r"""Scale all values by one pair of extremes: $x \mapsto 2 (x - \min)/(\max - \min) - 1$.

    The extremes are buffers, so a checkpoint holds them. A new normaliser has -1 and 1, which changes nothing.

    Examples:
        >>> import torch
        >>> from posegraph.transforms import MinMaxNormalizer
        >>> scale = MinMaxNormalizer()
        >>> scale.set_values(-500.0, 1500.0)
        >>> scale.encode(torch.tensor([500.0])), scale.decode(torch.tensor([1.0]))
        (tensor([0.]), tensor([1500.]))
    """

    values: ClassVar[str] = "(min, max)"
    """What `set_values` takes, for messages."""
    minimum: torch.Tensor
    maximum: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("minimum", torch.tensor(-1.0))
        self.register_buffer("maximum", torch.tensor(1.0))

    def set_values(self, minimum: float, maximum: float) -> None:
        """Set the extremes.

        Raises:
            ConfigError: ``minimum`` is not below ``maximum``.
        """
        if not minimum < maximum:
            raise ConfigError(f"normalization: expected (min, max) with min < max, got ({minimum}, {maximum}).")
        self.minimum.fill_(minimum)
        self.maximum.fill_(maximum)

    def fit(self, values: Iterable[torch.Tensor]) -> None:
        """Set the extremes to those of all ``values``.

        Raises:
            ConfigError: There are no values, all are equal, or one is NaN.
        """
        extremes = [torch.stack(tensor.aminmax()) for tensor in values]
        low, high = torch.stack(extremes).aminmax() if extremes else (torch.inf, -torch.inf)
        self.set_values(float(low), float(high))  # which refuses NaN too

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Map [minimum, maximum] to [-1, 1]."""
        return 2 * (x - self.minimum) / (self.maximum - self.minimum) - 1

    def decode(self, x: torch.Tensor) -> torch.Tensor:
        """Map [-1, 1] to [minimum, maximum]."""
        return (x + 1) / 2 * (self.maximum - self.minimum) + self.minimum


class ZScoreNormalizer(nn.Module):
    r"""Bring every coordinate of every joint to mean 0 and standard deviation 1: $x \mapsto (x - \mu) / \sigma$.

    Mean and standard deviation are buffers, so a checkpoint holds them. A new normaliser has 0 and 1, which changes
    nothing.

    Args:
        num_joints: Number of joints.

    Shape:
        - Input, output: ``(..., num_joints, 3)``

    Examples:
        >>> import torch
        >>> from posegraph.transforms import ZScoreNormalizer
        >>> scale = ZScoreNormalizer(num_joints=1)
        >>> scale.fit([torch.tensor([[[[0.0, 5.0, 1.0]], [[4.0, 5.0, 3.0]]]])])
        >>> scale.mean.tolist(), scale.std.tolist()
        ([[2.0, 5.0, 2.0]], [[2.0, 1.0, 1.0]])
    """

    values: ClassVar[str] = "(mean, standard deviation)"
    """What `set_values` takes, for messages."""
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, num_joints: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_joints, 3))
        self.register_buffer("std", torch.ones(num_joints, 3))

    def set_values(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Set mean and standard deviation, ``(num_joints, 3)`` each.

        A standard deviation below 1e-4 stands for a coordinate that does not move and becomes 1, as the code of
        Martinez et al. (CVPR 2017) and DMGNN (Li et al., CVPR 2020) does.

        Raises:
            ShapeError: A shape is another.
            ConfigError: A value is not finite, or a standard deviation negative.
        """
        for name, values in (("mean", mean), ("std", std)):
            if values.shape != self.mean.shape:
                expected = f"({self.mean.shape[0]} joints, 3)"
                raise ShapeError(name, expected, tuple(values.shape), "Give one value for each coordinate of a joint.")
        if not mean.isfinite().all() or not std.isfinite().all() or (std < 0).any():
            raise ConfigError("normalization: expected a finite mean and standard deviation for each coordinate.")
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std < _CONSTANT, 1.0, std))

    def fit(self, windows: Iterable[torch.Tensor]) -> None:
        """Set mean and standard deviation to those of all frames of ``windows``, ``(batch, frames, num_joints, 3)``.

        Raises:
            ConfigError: There are no windows, or a value is not finite.
        """
        count, mean, squares = 0, torch.zeros(()), torch.zeros(())
        for window in windows:  # one pass, stable: moments of each batch joined to those before (Chan et al., 1979)
            values = window.detach().double().flatten(0, -3)
            own = values.mean(0)
            shift = own - mean.to(own)
            total = count + len(values)
            mean = mean.to(own) + shift * len(values) / total
            squares = squares.to(own) + (values - own).square().sum(0) + shift.square() * count * len(values) / total
            count = total
        if not count:
            raise ConfigError("normalization: expected training windows to take mean and deviation from, got none.")
        self.set_values(mean, (squares / count).sqrt())

    def encode(self, poses: torch.Tensor) -> torch.Tensor:
        """Normalise."""
        return (poses - self.mean) / self.std

    def decode(self, poses: torch.Tensor) -> torch.Tensor:
        """Undo `encode`."""
        return poses * self.std + self.mean
