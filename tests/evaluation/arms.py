"""A model that repeats the last pose, and arms to measure it on."""

from __future__ import annotations

import torch
from torch import nn

from posegraph.data import MotionDataset
from posegraph.layers.poses import pad_last_pose
from posegraph.models.base import ForecastModel
from tests.data.motion import ARM, numbered_clip


class LastPose(ForecastModel):
    """Repeats the last pose, moved along x by a weight; notes the mode and the batch sizes that it sees."""

    def __init__(self, step: float = 0.0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.step = nn.Parameter(torch.tensor([step, 0.0, 0.0]))
        self.frozen = nn.Identity().eval()

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.check_observed(observed)
        return (pad_last_pose(observed, self.future_frames) + self.step,)


def arms(actions: tuple[str, ...] = ()) -> MotionDataset:
    """Joints of frame f at (f, f, f), so that zero velocity is wrong by sqrt(3) a frame."""
    clips = [numbered_clip(6, "a"), numbered_clip(5, "b"), numbered_clip(4, "c", action="bow")]
    return MotionDataset("arms", ARM, {"test": clips}, actions=actions)


def arm_model(step: float = 0.0) -> LastPose:
    return LastPose(step, skeleton=ARM, observed_frames=2, future_frames=2)
