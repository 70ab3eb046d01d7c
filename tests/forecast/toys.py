"""A small body, and models of it whose forecasts are known."""

from __future__ import annotations

import torch
from torch import nn

from posegraph.models.base import ForecastModel
from posegraph.skeleton.skeleton import Skeleton

# A root that never moves, two used joints, and a copy of the second one.
BODY = Skeleton("body", ("root", "a", "b", "copy"), (-1, 0, 1, 2), constant=("root",), duplicates={"copy": "b"})


class Drift(ForecastModel):
    """Moves the last pose by a learned step a frame, plus noise while it is trained."""

    def __init__(self, **options: object) -> None:
        super().__init__(skeleton=BODY, observed_frames=3, future_frames=2, **options)  # type: ignore[arg-type]
        self.step = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.noise = nn.Dropout(0.5)
        self.frozen = nn.Dropout(0.5).eval()

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.check_observed(observed)
        steps = torch.arange(1, 3, dtype=observed.dtype)[:, None, None] * self.noise(self.step)
        return (torch.cat([observed, observed[:, -1:] + steps], dim=1),)


def poses(*lead: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*lead, 4, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)


class Labelled(Drift):
    """Drifts by as many millimetres more as the number of the action."""

    actions = ("bow", "wave")

    def predict(self, observed, action=None):
        return super().predict(observed) + action[:, None, None, None]
