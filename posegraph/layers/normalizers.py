"""Normalisation of node features by statistics of the training set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import nn

from posegraph.errors import ConfigError, ShapeError

__all__ = ["MinMaxNormalizer", "ZScoreNormalizer"]


_CONSTANT = 1e-4  # smallest standard deviation of a coordinate that moves


class MinMaxNormalizer(nn.Module):
    r"""Scale all values by one pair of extremes: $x \mapsto 2 (x - \min)/(\max - \min) - 1$.

    The extremes are buffers, so a checkpoint holds them. A new normaliser has -1 and 1, which changes nothing.

    Examples:
        >>> import torch
        >>> from posegraph.layers import MinMaxNormalizer
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
        >>> from posegraph.layers import ZScoreNormalizer
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
