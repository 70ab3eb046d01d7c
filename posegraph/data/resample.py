"""Units, axes and frame rates of clips, converted in one place."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import torch

from posegraph._support.checks import check_choice
from posegraph._support.units import MILLIMETRES, Unit
from posegraph.data.clip import Clip
from posegraph.errors import ConfigError
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.rotations import exponential_map_from_rotation, rotation_from_exponential_map

__all__ = ["Axis", "convert", "interpolate", "slerp", "turn_to_up"]

Axis = Literal["x", "y", "z"]
"""Axis that points up."""

# v @ M takes the axis to y; all are turns, so that left stays left.
_TO_Y = {
    "x": ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "y": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "z": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
}
_LARGEST_FRAMES = 10_000_000


def convert(clip: Clip, *, fps: float | None = None, unit: Unit | None = None, up: Axis | None = None) -> Clip:
    """A clip at another frame rate, in another unit, with another axis up.

    Positions are interpolated by cubic splines, rotations along the shortest turn (slerp). Frames that fall on frames
    of the clip are taken as they are.

    Args:
        clip: What to convert.
        fps: Frames a second. Motion faster than half of it is not filtered out before.
        unit: Unit of positions and offsets.
        up: Axis to point up. Poses, offsets and the root's way turn together.

    Raises:
        ConfigError: A value is not among those known, or the clip's own unit or axis is not.

    Examples:
        >>> import torch
        >>> from posegraph.data import Clip
        >>> from posegraph.data.resample import convert
        >>> from posegraph.skeleton import presets
        >>> clip = Clip(torch.ones(121, 38, 3), presets.get("cmu"), fps=120.0)
        >>> half = convert(clip, fps=30, unit="cm")
        >>> half.num_frames, half.fps, half.unit, float(half.poses[0, 0, 0])
        (31, 30.0, 'cm', 0.1)
    """
    if fps is not None and fps != clip.fps:
        clip = _to_rate(clip, fps)
    if unit is not None and unit != clip.unit:
        check_choice("unit", unit, get_args(Unit))
        check_choice(f"unit of {clip.label}", clip.unit, get_args(Unit))
        clip = _turned_and_scaled(clip, torch.eye(3), MILLIMETRES[clip.unit] / MILLIMETRES[unit])
        clip = replace(clip, skeleton=replace(clip.skeleton, unit=unit))
    if up is not None and up != clip.up:
        check_choice("up", up, get_args(Axis))
        turn = turn_to_up(clip.skeleton.up, up)
        lateral = "xyz"[int(turn["xyz".index(clip.skeleton.lateral)].abs().argmax())]
        clip = _turned_and_scaled(clip, turn, 1.0)
        clip = replace(clip, skeleton=replace(clip.skeleton, up=up, lateral=lateral))
    return clip


def turn_to_up(old: Axis, new: Axis = "y") -> torch.Tensor:
    """The turn ``(3, 3)``, for row vectors, that takes one axis to where another is."""
    return torch.tensor(_TO_Y[old]) @ torch.tensor(_TO_Y[new]).T


def interpolate(values: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """Values between frames, by the cubic spline through all frames (its two ends: "not a knot").

    Args:
        values: ``(frames, ...)``; computed in float64.
        times: Where, counted in frames, ``(new frames,)`` between 0 and frames - 1.

    Returns:
        ``(new frames, ...)`` float64.
    """
    y = values.to(torch.float64).flatten(1)
    frames = len(y)
    shape = (len(times), *values.shape[1:])
    curvature = torch.zeros_like(y)
    if frames == 3:
        curvature[:] = y[0] - 2 * y[1] + y[2]  # a parabola
    if frames > 3:
        bend = y[:-2] - 2 * y[1:-1] + y[2:]  # of frames 1 to frames - 2
        curvature[1], curvature[-2] = bend[0], bend[-1]
        # c[i - 1] + 4 c[i] + c[i + 1] = 6 bend[i]: one pass down, one up.
        weights, sums = [0.0], [curvature[1]]
        for frame in range(2, frames - 2):
            weights.append(1 / (4 - weights[-1]))
            sums.append((6 * bend[frame - 1] - sums[-1]) * weights[-1])
        for frame in range(frames - 3, 1, -1):
            curvature[frame] = sums[frame - 1] - weights[frame - 1] * curvature[frame + 1]
        curvature[0] = 2 * curvature[1] - curvature[2]
        curvature[-1] = 2 * curvature[-2] - curvature[-3]
    before, after, share = _between(times, frames)
    b = share.unsqueeze(1)
    a = 1 - b
    spline = a * y[before] + b * y[after] + ((a**3 - a) * curvature[before] + (b**3 - b) * curvature[after]) / 6
    return spline.reshape(shape)


def slerp(first: torch.Tensor, second: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Rotations between two, along the shortest turn.

    Args:
        first: Matrices ``(..., 3, 3)``, where ``share`` is 0.
        second: Matrices ``(..., 3, 3)``, where ``share`` is 1.
        share: How far to go, broadcast to ``(...)``.
    """
    turn = exponential_map_from_rotation(first.mT @ second)
    return first @ rotation_from_exponential_map(turn * share.unsqueeze(-1))


def _between(times: torch.Tensor, frames: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    before = times.floor().long().clamp(0, max(frames - 2, 0))
    return before, (before + 1).clamp(max=frames - 1), times - before


def _to_rate(clip: Clip, fps: float) -> Clip:
    if isinstance(fps, bool) or not 0 < fps <= 1e5:
        raise ConfigError(f"fps: expected frames a second above 0, got {fps!r}.")
    if clip.num_frames == 0:
        return replace(clip, fps=float(fps))
    step = clip.fps / fps
    count = int((clip.num_frames - 1) / step + 1e-6) + 1
    if count > _LARGEST_FRAMES:
        raise ConfigError(f"fps: expected a rate that gives at most {_LARGEST_FRAMES} frames, got {fps!r}: {count}.")
    times = (torch.arange(count, dtype=torch.float64) * step).clamp(max=clip.num_frames - 1)
    if bool(((times - times.round()).abs() < 1e-6).all()):
        kept = times.round().long()
        return replace(clip, poses=clip.poses[kept], fps=float(fps), root=clip.root and clip.root[kept])
    if clip.skeleton.holds == "rotations":
        turns = _interpolate_rotations(rotation_from_exponential_map(clip.poses.double()), times)
        poses = exponential_map_from_rotation(turns)
    else:
        poses = interpolate(clip.poses, times)
    root = clip.root
    if root is not None:
        rotations = root.rotations
        root = RootMotion(
            interpolate(root.positions, times).to(root.positions.dtype),
            None if rotations is None else _interpolate_rotations(rotations.double(), times).to(rotations.dtype),
        )
    return replace(clip, poses=poses.float(), fps=float(fps), root=root)


def _interpolate_rotations(rotations: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    before, after, share = _between(times, len(rotations))
    return slerp(rotations[before], rotations[after], share.reshape(-1, *[1] * (rotations.ndim - 3)))


def _turned_and_scaled(clip: Clip, turn: torch.Tensor, scale: float) -> Clip:
    """The world and the body's own frame turn alike, so that R becomes turn.T @ R @ turn."""
    skeleton, root = clip.skeleton, clip.root
    if skeleton.offsets is not None:
        offsets = torch.tensor(skeleton.offsets, dtype=torch.float64) @ turn.double() * scale
        skeleton = replace(skeleton, offsets=tuple((x, y, z) for x, y, z in offsets.tolist()))
    if root is not None:
        rotations = root.rotations
        root = RootMotion(
            root.positions @ turn.to(root.positions.dtype) * scale,
            None if rotations is None else turn.to(rotations.dtype).T @ rotations @ turn.to(rotations.dtype),
        )
    rotates = skeleton.holds == "rotations"  # the axis of a turn turns along; an angle has no unit
    poses = clip.poses @ turn * (1.0 if rotates else scale)
    return replace(clip, poses=poses, skeleton=skeleton, root=root)
