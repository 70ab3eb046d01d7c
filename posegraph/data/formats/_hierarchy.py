"""Joint angles of a hierarchy to root-relative poses, in float64 and all frames of a joint at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["Turn", "apply_turns", "pose"]

Turn = tuple[int, np.ndarray] | np.ndarray
"""A turn about axis 0, 1 or 2 by angles ``(frames,)`` in radians; or matrices ``(3, 3)`` or ``(3, 3, frames)``."""


def apply_turns(turns: Sequence[Turn], start: np.ndarray) -> np.ndarray:
    r"""Turn a joint within its parent.

    With column vectors a joint turns by $R_1 R_2 \dots$, in the order in which a file lists them. Rows of this library
    multiply from the left, so the result is $\dots R_2^T R_1^T M$ of the parent's $M$; a matrix in ``turns`` is taken
    as it stands.

    Args:
        turns: The turns in the order of the file.
        start: What to apply them to, ``(3, 3, frames)`` with the frames last.
    """
    result = start
    for turn in turns:
        if isinstance(turn, tuple):
            axis, angles = turn
            cosine, sine = np.cos(angles), np.sin(angles)
            second, third = (axis + 1) % 3, (axis + 2) % 3
            turned = np.empty(np.broadcast_shapes(result.shape, (3, 3, len(angles))))
            turned[axis] = result[axis]
            turned[second] = cosine * result[second] + sine * result[third]
            turned[third] = cosine * result[third] - sine * result[second]
            result = turned
        else:
            result = np.einsum("ij...,jk...->ik...", turn, result)
    return result


def pose(
    parents: Sequence[int],
    offsets: np.ndarray,
    turns: Sequence[Sequence[Turn]],
    shifts: dict[int, np.ndarray],
    frames: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Root-relative positions, without the root's turn, and the root's turn.

    Args:
        parents: Index of each joint's parent, -1 for the root, parents first.
        offsets: From parent to joint, ``(joints, 3)``.
        turns: Of each joint; empty for an end site.
        shifts: Offsets that change from frame to frame, ``(frames, 3)`` by joint, in place of the constant ones.
        frames: Number of frames.

    Returns:
        ``(frames, joints, 3)`` and ``(frames, 3, 3)``, float64.
    """
    rotations: dict[int, np.ndarray] = {}
    positions = np.zeros((len(parents), 3, frames))
    identity = np.eye(3)[:, :, None]
    for joint, parent in enumerate(parents):
        if parent < 0:
            rotations[joint] = identity
            continue
        offset = shifts[joint].T if joint in shifts else offsets[joint][:, None]
        above = rotations[parent]
        positions[joint] = positions[parent]
        for axis in range(3):
            if joint in shifts or offsets[joint][axis] != 0:
                positions[joint] += offset[axis] * above[axis]
        rotations[joint] = apply_turns(turns[joint], above)
    root = np.broadcast_to(apply_turns(turns[0], identity), (3, 3, frames))
    return positions.transpose(2, 0, 1), root.transpose(2, 0, 1)
