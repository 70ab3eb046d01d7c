"""Poses as pictures need them: checked, and as positions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from posegraph._support.checks import check_poses
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.evaluation.metrics import mpjpe_at
from posegraph.skeleton.kinematics import to_positions
from posegraph.skeleton.skeleton import Skeleton

Poses = torch.Tensor | np.ndarray


def drawable(skeleton: Skeleton) -> Skeleton:
    """The skeleton of the positions that are drawn: the same one, or that of the body whose rotations poses hold."""
    if skeleton.holds == "positions":
        return skeleton
    if skeleton.offsets is None:
        raise ConfigError(
            f"skeleton: expected offsets of {skeleton.name!r}, whose poses are rotations, got none. Draw poses of all "
            "joints with the full skeleton, as `Forecaster` and `Skeleton.expand` give them."
        )
    return Skeleton(
        skeleton.name,
        skeleton.joint_names,
        skeleton.parents,
        offsets=skeleton.offsets,
        mirrored=skeleton.mirrored,
        fps=skeleton.fps,
        up=skeleton.up,
    )


def positions(what: str, poses: Poses, skeleton: Skeleton) -> np.ndarray:
    """Positions ``(frames, joints, 3)`` as float64, checked; ``skeleton`` is that of the poses."""
    tensor = torch.from_numpy(np.array(poses, order="C")) if isinstance(poses, np.ndarray) else poses.detach().cpu()
    check_poses(
        what,
        tensor,
        frames=None,
        joints=skeleton.num_joints,
        batch=False,
        remedy=f"Draw one window with all joints of skeleton {skeleton.name!r}, or pass skeleton.reduced for the used.",
    )
    if len(tensor) == 0:
        raise ShapeError(what, "at least one frame", tuple(tensor.shape), "There is nothing to draw.")
    if not tensor.isfinite().all():
        raise DataError(f"{what}: expected finite positions, got NaN or infinity. Fill gaps first.")
    return to_positions(tensor.double(), skeleton).numpy()


def window(
    observed: Poses, forecast: Poses, truth: Poses | None, skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Positions of the parts of a window."""
    past, future = positions("observed", observed, skeleton), positions("forecast", forecast, skeleton)
    if truth is None:
        return past, future, None
    true = positions("truth", truth, skeleton)
    if true.shape != future.shape:
        raise ShapeError("truth", f"the forecast's shape, {future.shape}", true.shape, "Give the frames it forecasts.")
    return past, future, true


def choose_frames(frames: Sequence[int] | None, total: int) -> list[int]:
    """Forecast frames to draw; by default five, evenly spaced, the last one included."""
    if frames is None:
        return sorted({math.ceil(total * (i + 1) / 5) - 1 for i in range(5)})
    if not frames or any(not 0 <= frame < total for frame in frames):
        raise ConfigError(f"frames: expected forecast frames in 0..{total - 1}, got {list(frames)}.")
    return list(frames)


def errors(forecast: np.ndarray, truth: np.ndarray) -> list[float]:
    """Mean joint error at each frame of one window."""
    return mpjpe_at(torch.from_numpy(forecast[None]), torch.from_numpy(truth[None])).tolist()
