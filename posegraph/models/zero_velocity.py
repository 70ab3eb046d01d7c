"""The zero-velocity baseline: the last observed pose, repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from posegraph.layers.poses import pad_last_pose
from posegraph.models.base import ForecastModel
from posegraph.registry import register

__all__ = ["ZeroVelocity", "ZeroVelocityConfig"]


@dataclass(frozen=True)
class ZeroVelocityConfig:
    """Zero velocity has no settings."""


@register("zero-velocity", summary="Repeats the last observed pose; the baseline that every model must beat.")
class ZeroVelocity(ForecastModel):
    """Repeat the last observed pose for every future frame.

    A strong baseline at short horizons, made known by "On Human Motion Prediction Using Recurrent Neural Networks"
    (Martinez et al., CVPR 2017). It has no parameters and cannot be trained.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)``
        - Output: a tuple of one tensor ``(batch, observed_frames + future_frames, joints, 3)``

    Examples:
        >>> import torch
        >>> from posegraph.models import ZeroVelocity
        >>> observed = torch.randn(1, 10, 22, 3)
        >>> bool((ZeroVelocity().predict(observed) == observed[:, -1:]).all())
        True
    """

    default_config: ClassVar[ZeroVelocityConfig] = ZeroVelocityConfig()

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Append the last pose; shapes as in the class."""
        self.check_observed(observed)
        return (pad_last_pose(observed, self.future_frames),)
