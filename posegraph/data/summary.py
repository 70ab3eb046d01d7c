"""What the poses of some clips are like: how large, how placed, how fast recorded. A trained model remembers it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from posegraph.data.clip import Clip
from posegraph.errors import DataError

__all__ = ["summarize"]


def summarize(clips: Iterable[Clip]) -> dict[str, Any]:
    """The frame rate, unit, axis and mean pose of clips, ready for JSON.

    Args:
        clips: Clips of one skeleton and frame rate.

    Returns:
        ``fps``, ``unit``, ``up``, ``holds``; ``size``, the root mean square distance of the used joints from the
        origin; and ``mean``, the mean pose of all joints, rounded to a thousandth of the size.

    Raises:
        DataError: There is no clip.

    Examples:
        >>> from posegraph import data
        >>> from posegraph.data.summary import summarize
        >>> found = summarize(data.load("cmu", "samples").clips["train"])
        >>> found["fps"], found["unit"], found["up"], round(found["size"], -1)
        (60.0, 'mm', 'y', 680.0)
    """
    frames, total, squares, first = 0, torch.zeros(()), 0.0, None
    for clip in clips:
        first = first or clip
        poses = clip.poses.double()
        frames += len(poses)
        total = total + poses.sum(dim=0)
        squares += float(poses[:, list(clip.skeleton.used)].square().sum(dim=-1).mean(dim=1).sum())
    if first is None:
        raise DataError("summary: expected at least one clip, got none.")
    size = (squares / frames) ** 0.5
    step = 10.0 ** torch.tensor(max(size, 1e-9)).log10().floor().sub(3).item()
    mean = (total / frames / step).round() * step
    skeleton = first.skeleton
    return {
        "fps": first.fps,
        "unit": skeleton.pose_unit,
        "up": skeleton.up,
        "holds": skeleton.holds,
        "size": float(f"{size:.5g}"),
        "mean": [[float(f"{value:.5g}") for value in joint] for joint in mean.tolist()],
    }
