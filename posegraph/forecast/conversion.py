"""From poses as an application has them to poses as a model sees them, and back: unit, axis up, frame rate."""

from __future__ import annotations

import math
from typing import get_args

import torch

from posegraph._support.checks import check_choice
from posegraph._support.units import Unit, millimetres
from posegraph.data.resample import Axis, interpolate, turn_to_up
from posegraph.errors import ConfigError
from posegraph.models.base import ForecastModel

__all__ = ["Conversion"]


class Conversion:
    """Linear maps around a model, one for the points of a pose and one for its frames, each with its way back.

    Poses at another rate are interpolated by a cubic spline, forecasts as well, from the last pose seen on.

    Args:
        model: Model to feed.
        model_fps: Frames a second that it was trained on; None if that is not known.
        fps: Frames a second of the poses given; None for the model's.
        unit: Unit of positions; None for the model's.
        up: Axis that points up; None for the model's.

    Raises:
        ConfigError: A value is not valid, or the model cannot be fed with such poses.
    """

    def __init__(
        self, model: ForecastModel, model_fps: float | None, *, fps: float | None, unit: Unit | None, up: Axis | None
    ) -> None:
        skeleton = model.skeleton
        if skeleton.holds == "rotations" and (unit is not None or up is not None):
            raise ConfigError(
                f"unit, up: expected none, because the model forecasts rotations, got {unit or up!r}. Leave them out."
            )
        self._points: torch.Tensor | None = None
        if unit is not None or up is not None:
            check_choice("up", up or skeleton.up, get_args(Axis))
            scale = millimetres(unit or skeleton.unit) / millimetres(skeleton.unit)
            turn = turn_to_up(up or skeleton.up, skeleton.up)
            self._points, self._points_back = scale * turn, turn.T / scale
        self.needed = model.observed_frames
        """Frames that a call needs."""
        self.future_frames = model.future_frames
        """Frames that it gives."""
        self._frames: torch.Tensor | None = None
        if fps is not None and fps != model_fps:
            self._prepare_rate(model, model_fps, fps)

    def _prepare_rate(self, model: ForecastModel, model_fps: float | None, fps: float) -> None:
        if not 0 < fps < math.inf:
            raise ConfigError(f"fps: expected frames a second above 0, got {fps!r}.")
        if model_fps is None:
            raise ConfigError(
                f"fps: expected none, because it is not known which rate the model was trained on, got {fps:g}. Bring "
                "the poses to its rate, and leave fps out."
            )
        if model.skeleton.holds == "rotations":
            raise ConfigError(
                f"fps: expected {model_fps:g}, as the model was trained on, since rotations are not resampled here, "
                f"got {fps:g}. Convert the clip with posegraph.data.resample.convert."
            )
        ratio = fps / model_fps
        self.needed = math.ceil((model.observed_frames - 1) * ratio - 1e-9) + 1
        seen = torch.arange(1 - model.observed_frames, 1) * ratio + (self.needed - 1)
        self._frames = interpolate(torch.eye(self.needed), seen.clamp(min=0.0).double()).float()
        future = torch.arange(1, math.floor(model.future_frames * ratio + 1e-9) + 1) / ratio
        if not len(future):
            raise ConfigError(
                f"fps: expected at least {model_fps / model.future_frames:g}, or no frame can be forecast, got {fps:g}."
            )
        self.future_frames = len(future)
        self._frames_back = interpolate(torch.eye(model.future_frames + 1), future.double()).float()

    def to_model(self, poses: torch.Tensor) -> torch.Tensor:
        """From the last ``needed`` poses ``(batch, frames, joints, 3)`` to what the model sees."""
        if self._points is not None:
            poses = poses @ self._points.to(poses)
        return poses if self._frames is None else torch.einsum("mt,btjc->bmjc", self._frames.to(poses), poses)

    def from_model(self, future: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """From a forecast, with the last pose ``(batch, 1, joints, 3)`` that the model saw, to poses as they came."""
        if self._frames is not None:
            future = torch.einsum("tm,bmjc->btjc", self._frames_back.to(future), torch.cat([last, future], dim=1))
        return future if self._points is None else future @ self._points_back.to(future)
