"""Forecasts on the time line of the motion that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import torch

from posegraph.data.clip import Clip
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.forecast.result import ForecastResult
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.skeleton import Skeleton
from posegraph.viz import _poses

Motion: TypeAlias = Clip | ForecastResult | Mapping[str, ForecastResult | Sequence[ForecastResult]]
"""What pages and animations show: a recording, a forecast, or the forecasts of several models by name.

A sequence holds forecasts from several places of one clip; each is shown until the next one begins.
"""

_SAME = 0.01  # mm: poses of one frame that differ by more are not of one recording
_ZERO_VELOCITY = "zero velocity"


@dataclass(frozen=True)
class Window:
    """One forecast on a time line.

    Args:
        now: Frame of the time line that is the first forecast one.
        poses: Positions ``(frames, joints, 3)``.
        errors: Mean joint error at each frame; None if the true poses are not known.
    """

    now: int
    poses: np.ndarray = field(repr=False)
    errors: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Timeline:
    """What was seen and what was forecast, frame by frame.

    Args:
        skeleton: What the joints are; its poses are positions.
        fps: Frames a second.
        first: Frame of the clip that is frame 0 here.
        known: Observed and true positions ``(frames, joints, 3)`` from frame 0 on.
        models: Forecasts by model, in the order of time.
        root: The way of the root over all frames, if the body is to move through space.
    """

    skeleton: Skeleton
    fps: float
    first: int
    known: np.ndarray = field(repr=False)
    models: Mapping[str, tuple[Window, ...]] = field(default_factory=dict, repr=False)
    root: RootMotion | None = field(default=None, repr=False)

    @property
    def num_frames(self) -> int:
        """Frames from the first observed to the last known or forecast one."""
        ends = [window.now + len(window.poses) for windows in self.models.values() for window in windows]
        return max(len(self.known), *ends, 0)

    @property
    def now(self) -> int:
        """The first frame that is forecast; all frames for a recording alone."""
        return min((windows[0].now for windows in self.models.values()), default=self.num_frames)

    @property
    def zero_velocity(self) -> tuple[Window, ...]:
        """What one gets by holding the last observed pose, where the first model forecasts."""
        windows = next(iter(self.models.values()), ())
        held = [np.repeat(self.known[w.now - 1 : w.now], len(w.poses), axis=0) for w in windows]
        return tuple(self.window(w.now, poses) for w, poses in zip(windows, held, strict=True))

    def with_zero_velocity(self) -> Timeline:
        """The same with zero velocity as one more model, unless one of this name is there."""
        names = {name.replace("-", " ") for name in self.models}
        if not self.models or _ZERO_VELOCITY in names:
            return self
        models = {**self.models, _ZERO_VELOCITY: self.zero_velocity}
        return replace(self, models=models)

    def at(self, model: str, frame: float) -> tuple[Window, float] | None:
        """The window of a model that is shown at a frame and the frame within it, the fraction included."""
        shown = [w for w in self.models[model] if w.now <= frame < w.now + len(w.poses)]
        return (shown[-1], frame - shown[-1].now) if shown else None

    def in_world(self, poses: np.ndarray, start: int) -> np.ndarray:
        """Poses ``(frames, joints, 3)`` from a frame on where the body is; the last known place is held."""
        if self.root is None:
            return poses
        way = self.root[torch.arange(start, start + len(poses)).clamp(max=len(self.root) - 1)]
        way = RootMotion(way.positions.double(), None if way.rotations is None else way.rotations.double())
        return way.to_world(torch.from_numpy(poses)).numpy()

    @property
    def heading(self) -> float:
        """Degrees about the vertical that the body's front is turned by at the first frame, towards its left.

        It comes from joints that mirror one another; 0 where there are none.
        """
        pose = self.axes(self.in_world(self.known[:1], 0))[0]
        pairs = [(self.skeleton.index(left), self.skeleton.index(right)) for left, right in self.skeleton.mirrored]
        left = sum((pose[i] - pose[j] for i, j in pairs), np.zeros(3))
        return float(np.degrees(np.arctan2(-left[2], left[0])))

    def axes(self, points: np.ndarray) -> np.ndarray:
        """Points along other axes: x to the left of a body that is not turned, y up, z to its front."""
        up = "xyz".index(self.skeleton.up)
        return points[..., [(up + 2) % 3, up, (up + 1) % 3]]

    def window(self, now: int, poses: np.ndarray) -> Window:
        """A forecast from a frame on, with its errors where all its true poses are known."""
        true = self.known[now : now + len(poses)]
        return Window(now, poses, tuple(_poses.errors(poses, true)) if len(true) == len(poses) else None)


def timeline(motion: Motion, root: RootMotion | None = None) -> Timeline:
    """Put a recording or forecasts on a time line.

    Args:
        motion: What to show.
        root: The way of the root over the frames of the whole clip; by default the recording's own, if there is one.

    Raises:
        ConfigError: There are no forecasts, or their skeletons, frame rates or places do not go together.
        ShapeError: Poses do not fit the skeleton or each other, or ``root`` is too short.
        DataError: A position is not finite, or forecasts are not of one recording.
    """
    if isinstance(motion, Clip):
        known = _poses.positions("poses", motion.poses, motion.skeleton)
        way = motion.root if root is None else root
        _check_root(way, len(known))
        return Timeline(_poses.drawable(motion.skeleton), motion.fps, 0, known, root=way)
    named = {"forecast": motion} if isinstance(motion, ForecastResult) else motion
    models = {name: [own] if isinstance(own, ForecastResult) else list(own) for name, own in named.items()}
    if not models or not all(models.values()):
        raise ConfigError("motion: expected at least one forecast of each model, got none.")
    every = [result for results in models.values() for result in results]
    _check_together(models)
    first = min(result.start for result in every)
    known = _known(models, first)
    way = None
    if root is not None:
        _check_root(root, first + len(known))
        way = root[first:]
    line = Timeline(_poses.drawable(every[0].skeleton), every[0].fps, first, known, root=way)
    windows = {
        name: tuple(
            line.window(result.start + len(result.observed) - first, _forecast(result))
            for result in sorted(results, key=lambda own: own.start + len(own.observed))
        )
        for name, results in models.items()
    }
    return replace(line, models=windows)


def _check_root(root: RootMotion | None, frames: int) -> None:
    if root is not None and len(root) < frames:
        raise ShapeError("root", f"at least {frames} frames", len(root), "Pass that of the whole clip, `clip.root`.")


def _check_together(models: Mapping[str, list[ForecastResult]]) -> None:
    """Require one skeleton and one frame rate."""
    name, results = next(iter(models.items()))
    first = results[0]
    for other, own in models.items():
        for result in own:
            if result.skeleton.joint_names != first.skeleton.joint_names or result.fps != first.fps:
                raise ConfigError(
                    f"motion: expected forecasts of one skeleton at one frame rate, got {first.skeleton.name!r} at "
                    f"{first.fps:g} of {name!r} and {result.skeleton.name!r} at {result.fps:g} of {other!r}. Write a "
                    "page or an animation for each."
                )


def _forecast(result: ForecastResult) -> np.ndarray:
    _, future, _ = _poses.window(result.observed, result.forecast, result.truth, result.skeleton)
    return future


def _known(models: Mapping[str, list[ForecastResult]], first: int) -> np.ndarray:
    """Observed and true poses of all forecasts, from the first frame on without a gap."""
    frames: dict[int, np.ndarray] = {}
    for name, results in models.items():
        for result in results:
            parts = [result.observed] if result.truth is None else [result.observed, result.truth]
            poses = np.concatenate([_poses.positions(f"poses of {name!r}", part, result.skeleton) for part in parts])
            for frame, pose in enumerate(poses, start=result.start - first):
                if frame in frames and np.abs(frames[frame] - pose).max() > _SAME:
                    raise DataError(
                        f"motion: expected forecasts of one recording, got other poses at frame {frame + first} of "
                        f"{name!r}. Write a page or an animation for each recording."
                    )
                frames[frame] = pose
    missing = sorted(set(range(max(frames) + 1)) - set(frames))
    if missing:
        raise ConfigError(
            f"motion: expected windows that overlap or follow one another, got none with frame {missing[0] + first} "
            "of the clip. Add a forecast in between."
        )
    return np.stack([frames[frame] for frame in range(len(frames))])
