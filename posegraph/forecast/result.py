"""A forecast within a clip, beside what came."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posegraph._support.files import replace_file
from posegraph.data.clip import Clip
from posegraph.errors import ConfigError, DataError
from posegraph.evaluation.metrics import mpjpe_at
from posegraph.forecast.forecaster import Forecaster
from posegraph.models.base import ForecastModel
from posegraph.skeleton.kinematics import to_positions
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["ForecastResult", "forecast_clip"]


@dataclass(frozen=True, eq=False)
class ForecastResult:
    """A forecast within a clip, with what was seen and what came.

    Args:
        observed: Poses that the model saw, ``(observed_frames, joints, 3)`` in mm, all joints.
        forecast: Poses that it forecast, ``(future_frames, joints, 3)``.
        truth: Poses that came, of the same shape; ``None`` if the clip ends before the last of them.
        skeleton: What the joints are.
        fps: Frames a second.
        start: Frame of the clip that is the first observed one.
    """

    observed: torch.Tensor = field(repr=False)
    forecast: torch.Tensor = field(repr=False)
    truth: torch.Tensor | None = field(repr=False)
    skeleton: Skeleton
    fps: float
    start: int

    @property
    def mpjpe_mm(self) -> tuple[float, ...]:
        """MPJPE at each forecast frame of this one window, over all joints, in mm; rotations become positions for it.

        Raises:
            DataError: There is no truth to compare with.
        """
        if self.truth is None:
            raise DataError(
                f"mpjpe_mm: expected true poses for all {len(self.forecast)} forecast frames, got none, because the "
                f"clip ends too soon after frame {self.start}. Choose an earlier start."
            )
        prediction, truth = (to_positions(poses, self.skeleton).unsqueeze(0) for poses in (self.forecast, self.truth))
        return tuple(mpjpe_at(prediction, truth).tolist())

    def save(self, path: str | Path) -> Path:
        """Write an ``.npz`` file that `numpy.load` reads without pickle, as a whole or not at all.

        It holds ``observed``, ``forecast``, ``truth`` (left out if there is none), ``joint_names``, ``parents``,
        ``fps`` and ``start``.

        Args:
            path: File to create or replace; missing folders are made.

        Returns:
            The path.

        Raises:
            ConfigError: The name does not end in ``.npz``.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise ConfigError(f"path: expected a file name that ends in .npz, got {path.name!r}. Rename it.")
        arrays: dict[str, Any] = {
            "observed": self.observed.cpu().numpy(),
            "forecast": self.forecast.cpu().numpy(),
            **({} if self.truth is None else {"truth": self.truth.cpu().numpy()}),
            "joint_names": np.array(self.skeleton.joint_names),
            "parents": np.array(self.skeleton.parents),
            "fps": np.array(self.fps),
            "start": np.array(self.start),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda file: np.savez_compressed(file, **arrays))
        return path


def forecaster_of(model: ForecastModel, clip: Clip, *, device: torch.device | str | None = None) -> Forecaster:
    """A forecaster of a clip's action, at its frame rate.

    Raises:
        UnknownNameError: The model takes action labels and does not know the clip's.
    """
    fps = None if model.trained_fps is None else clip.fps
    return Forecaster(model, action=clip.action if model.actions else None, device=device, fps=fps)


def forecast_clip(
    model: ForecastModel, clip: Clip, start: int = 0, *, device: torch.device | str | None = None
) -> ForecastResult:
    """Forecast from one place in a clip, at the clip's own frame rate.

    Args:
        model: Model to forecast with; it runs as in `Forecaster`.
        clip: Clip of the model's skeleton; another frame rate than the model's is resampled on the way in and out.
        start: Frame of the clip that is the first observed one.
        device: Device to run on; the model is moved there. By default the model's own.

    Returns:
        Observed, forecast and true poses of all joints.

    Raises:
        ConfigError: Model and clip have different skeletons, or ``start`` leaves too few frames to observe.
        DataError: One of the observed positions is not finite.
        UnknownNameError: The model takes action labels and does not know the clip's.

    Examples:
        >>> from posegraph import data, registry
        >>> from posegraph.forecast import forecast_clip
        >>> walking = data.load("cmu", "samples", split="test", actions=["walking"]).clips["test"][0]
        >>> result = forecast_clip(registry.build("zero-velocity", skeleton="cmu"), walking, start=40)
        >>> result.forecast.shape, len(result.mpjpe_mm)
        (torch.Size([25, 38, 3]), 25)
    """
    model.check_skeleton(clip.skeleton, clip.label)
    forecaster = forecaster_of(model, clip, device=device)
    seen, wanted, frames = forecaster.observed_frames, forecaster.future_frames, clip.num_frames
    if not 0 <= start <= frames - seen:
        works = f"choose start in 0..{frames - seen}" if frames >= seen else "no start works, the clip is too short"
        if frames >= seen + wanted:
            works += f", or in 0..{frames - seen - wanted} to have true poses for every forecast frame"
        raise ConfigError(
            f"start: expected a frame of {clip.label}, which has {frames} frames, got {start}. The model sees {seen} "
            f"frames: {works}."
        )
    observed, following = clip.poses[start : start + seen], clip.poses[start + seen : start + seen + wanted]
    return ForecastResult(
        observed=observed,
        forecast=forecaster(observed),
        truth=following if len(following) == wanted else None,
        skeleton=clip.skeleton,
        fps=clip.fps,
        start=start,
    )
