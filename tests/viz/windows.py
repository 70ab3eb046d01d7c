"""Forecasts to show."""

from __future__ import annotations

from typing import Any

import torch

from posegraph.forecast.result import ForecastResult
from tests.viz.drawing import CMU, motion

FRAMES = 60
TRUE = motion(FRAMES)


def result(start: int = 0, *, observed: int = 4, future: int = 6, off: float = 30.0, **changes: Any) -> ForecastResult:
    """A forecast that is off by the same distance everywhere."""
    now = start + observed
    truth = TRUE[now : now + future]
    parts = {
        "observed": TRUE[start:now],
        "forecast": truth + torch.tensor([off, 0.0, 0.0]),
        "truth": truth,
        "skeleton": CMU,
        "fps": 60.0,
        "start": start,
    }
    return ForecastResult(**{**parts, **changes})
