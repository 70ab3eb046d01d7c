"""A recording: poses over time, with what is needed to read them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Real

import torch

from posegraph._support.checks import as_float32, check_finite, check_poses
from posegraph.errors import DataError, ShapeError
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["Clip"]

_LARGEST_ANGLE = 1e4  # in rad: no joint turns a thousand times, and sines of larger float32 numbers mean nothing


@dataclass(frozen=True, eq=False)
class Clip:
    """Poses of one recording at one frame rate.

    Args:
        poses: What the skeleton says, ``(frames, joints, 3)``: positions of all joints in its unit, relative to the
            root; or rotations in radians. Tensors and arrays of any floating-point type become float32.
        skeleton: What the joints are; it also says the unit and the axis that points up.
        fps: Frames a second.
        action: What the subject does, as in "walking"; may be empty.
        name: Name of the clip, unique within a split, as in "walking_1".
        source: Where it was read from, for messages; may be empty.
        subject: Who moves; may be empty.
        root: The way of the body through the world, which ``poses`` leave out; None if it is not known.
        notes: What the reader assumed, filled or found wrong, in sentences.

    Raises:
        ShapeError: ``poses`` or ``root`` do not fit.
        DataError: ``fps`` is not positive, or a number is not finite or no angle.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import presets
        >>> from posegraph.data import Clip
        >>> clip = Clip(torch.zeros(50, 38, 3), presets.get("cmu"), fps=60.0, action="walking", name="mine")
        >>> clip.num_frames, round(clip.seconds, 2), clip.unit, clip.up
        (50, 0.83, 'mm', 'y')
    """

    poses: torch.Tensor = field(repr=False)
    skeleton: Skeleton
    fps: float
    action: str = ""
    name: str = ""
    source: str = ""
    subject: str = ""
    root: RootMotion | None = field(default=None, repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        what = f"poses of {self.label}"
        object.__setattr__(self, "poses", as_float32(what, self.poses))
        check_poses(
            what,
            self.poses,
            frames=None,
            joints=self.skeleton.num_joints,
            batch=False,
            remedy=f"A clip holds all joints of skeleton {self.skeleton.name!r}, unused ones included.",
        )
        check_finite(what, self.poses)
        if self.skeleton.holds == "rotations" and self.poses.numel() and self.poses.abs().max() > _LARGEST_ANGLE:
            raise DataError(
                f"{what}: expected angles in radians, got {float(self.poses.abs().max()):.3g}. Convert degrees with "
                "torch.deg2rad, or look for a damaged frame."
            )
        fps = self.fps
        if isinstance(fps, bool) or not isinstance(fps, Real) or not 0 < fps < math.inf:
            raise DataError(f"fps of {self.label}: expected frames a second above 0, got {fps!r}.")
        if self.root is not None and len(self.root) != self.num_frames:
            raise ShapeError(
                f"root of {self.label}", f"{self.num_frames} frames", len(self.root), "It has a place for every pose."
            )

    @property
    def unit(self) -> str:
        """Unit of the positions: "mm" for all that models see."""
        return self.skeleton.unit

    @property
    def up(self) -> str:
        """Axis that points up."""
        return self.skeleton.up

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
