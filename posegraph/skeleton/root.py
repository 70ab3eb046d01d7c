"""The way of a body through the world: where its root is and how it is turned, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from posegraph._support.checks import check_finite
from posegraph.errors import ShapeError

__all__ = ["RootMotion"]


@dataclass(frozen=True, eq=False)
class RootMotion:
    """Where the root is and how the body is turned, which root-relative poses leave out.

    A point $p$ of a root-relative pose is at $p R + t$ in the world (row vectors).

    Args:
        positions: $t$, ``(frames, 3)`` in the unit of the poses.
        rotations: $R$, ``(frames, 3, 3)``; None where poses keep their heading.

    Raises:
        ShapeError: The shapes do not fit each other.
        DataError: A number is not finite.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import RootMotion
        >>> root = RootMotion(torch.tensor([[0.0, 900.0, 0.0], [10.0, 900.0, 0.0]]))
        >>> root.to_world(torch.zeros(2, 1, 3))[:, 0].tolist()
        [[0.0, 900.0, 0.0], [10.0, 900.0, 0.0]]
    """

    positions: torch.Tensor = field(repr=False)
    rotations: torch.Tensor | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        frames = len(self.positions)
        if self.positions.shape != (frames, 3):
            raise ShapeError("root positions", "(frames, 3)", tuple(self.positions.shape), "One point a frame.")
        check_finite("root positions", self.positions)
        if self.rotations is not None:
            if self.rotations.shape != (frames, 3, 3):
                shape = tuple(self.rotations.shape)
                raise ShapeError("root rotations", f"({frames} frames, 3, 3)", shape, "One matrix a frame.")
            check_finite("root rotations", self.rotations)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, frames: slice | torch.Tensor) -> RootMotion:
        """A stretch of frames, every so many, or those of some numbers."""
        return RootMotion(self.positions[frames], None if self.rotations is None else self.rotations[frames])

    def to_world(self, poses: torch.Tensor) -> torch.Tensor:
        """Put root-relative poses ``(frames, joints, 3)`` where the body was."""
        turned = poses if self.rotations is None else poses @ self.rotations
        return turned + self.positions.unsqueeze(1)

    def to_local(self, poses: torch.Tensor) -> torch.Tensor:
        """Take the root's place and turn out of poses ``(frames, joints, 3)``; undoes `to_world`."""
        centred = poses - self.positions.unsqueeze(1)
        return centred if self.rotations is None else centred @ self.rotations.transpose(1, 2)
