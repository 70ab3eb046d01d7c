"""A recording: poses over time, with what is needed to read them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from posegraph._support.checks import check_poses
from posegraph.errors import DataError
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["Clip"]


@dataclass(frozen=True, eq=False)
class Clip:
    """Poses of one recording at the frame rate that models see.

    Args:
        poses: Positions of all joints, ``(frames, joints, 3)`` in millimetres.
        skeleton: What the joints are.
        fps: Frames a second.
        action: What the subject does, as in "walking"; may be empty.
        name: Name of the clip, unique within a split, as in "walking_1".
        source: Where it was read from, for messages; may be empty.

    Raises:
        ShapeError: ``poses`` does not fit the skeleton.
        DataError: ``fps`` is not positive.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import presets
        >>> from posegraph.data import Clip
        >>> clip = Clip(torch.zeros(50, 38, 3), presets.get("cmu"), fps=60.0, action="walking", name="mine")
        >>> clip.num_frames, round(clip.seconds, 2)
        (50, 0.83)
    """

    poses: torch.Tensor = field(repr=False)
    skeleton: Skeleton
    fps: float
    action: str = ""
    name: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        check_poses(
            f"poses of clip {self.name!r}",
            self.poses,
            frames=None,
            joints=self.skeleton.num_joints,
            batch=False,
            remedy=f"A clip holds all joints of skeleton {self.skeleton.name!r}, unused ones included.",
        )
        if not self.fps > 0:
            raise DataError(f"fps of clip {self.name!r}: expected frames a second above 0, got {self.fps!r}.")

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return self.poses.shape[0]

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.num_frames / self.fps

    @property
    def label(self) -> str:
        """How messages call the clip: its source, or its name."""
        return self.source or f"clip {self.name!r}"
