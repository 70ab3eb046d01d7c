"""Joints that were not seen in some frames: refused, or filled by a named rule within limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch

from posegraph._support.checks import check_choice
from posegraph.data.resample import slerp
from posegraph.errors import DataError

__all__ = ["LONGEST_GAP", "RULES", "Rule", "fill"]

Rule = Literal["refuse", "hold", "linear"]
"""Name of a rule."""
RULES: tuple[Rule, ...] = get_args(Rule)
"""An error; the last place seen; a straight line between the places seen before and after (a turn for rotations)."""
LONGEST_GAP = 0.5
"""Seconds. What a joint did in a longer gap is a guess, so it is refused under every rule."""


def fill(
    values: np.ndarray, missing: np.ndarray, rule: str, *, fps: float, names: Sequence[str], source: object
) -> tuple[np.ndarray, str]:
    """Fill gaps.

    Before the first frame seen and after the last, every rule that fills holds the nearest.

    Args:
        values: Positions ``(frames, joints, 3)``, or rotation matrices ``(frames, joints, 3, 3)``.
        missing: Which to fill, ``(frames, joints)``.
        rule: One of `RULES`.
        fps: Frames a second.
        names: Names of the joints.
        source: Where the values are from, for messages.

    Returns:
        The values without gaps, and a sentence that says what was filled; it is empty if nothing was.

    Raises:
        ConfigError: There is no such rule.
        DataError: There are gaps, and the rule refuses them, or one is too long, or a joint is never seen.

    Examples:
        >>> import numpy as np
        >>> from posegraph.data import gaps
        >>> walk = np.array([0.0, np.nan, 2.0]).reshape(3, 1, 1).repeat(3, axis=2)
        >>> filled, note = gaps.fill(walk, np.isnan(walk).any(-1), "linear", fps=30, names=["toe"], source="walk")
        >>> filled[:, 0, 0], note
        (array([0., 1., 2.]), '1 gap filled (linear), the longest of 1 frame (0.03 s) of toe at frame 1.')
    """
    check_choice("gaps", rule, RULES)
    if not missing.any():
        return values, ""
    starts, ends, joints = _runs(missing)
    worst = int(np.argmax(ends - starts))
    length, first, name = int(ends[worst] - starts[worst]), int(starts[worst]), names[int(joints[worst])]
    longest = f"the longest of {_counted(length, 'frame')} ({length / fps:.2f} s) of {name} at frame {first}"
    found = f"{_counted(len(starts), 'gap')} in {_counted(len(set(joints.tolist())), 'joint')}, {longest}"
    if rule == "refuse":
        raise DataError(
            f"{source}: expected every joint in every frame, got {found}. Pass gaps='linear' or gaps='hold' to fill "
            f"gaps of up to {LONGEST_GAP} s."
        )
    never = missing.all(axis=0)
    if never.any():
        raise DataError(
            f"{source}: expected every joint in some frame, got none of {names[int(np.argmax(never))]}. Leave it out."
        )
    if length > LONGEST_GAP * fps:
        raise DataError(
            f"{source}: expected gaps of at most {LONGEST_GAP} s, got {found}. Cut the clip there, or leave the joint "
            "out."
        )
    return _filled(values, missing, rule), f"{_counted(len(starts), 'gap')} filled ({rule}), {longest}."


def _runs(missing: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First frame, frame after the last, and joint of every gap."""
    edges = np.diff(np.pad(missing, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    joints, starts = np.nonzero(edges == 1)
    return starts, np.nonzero(edges == -1)[1], joints


def _filled(values: np.ndarray, missing: np.ndarray, rule: str) -> np.ndarray:
    frames = np.arange(len(missing))[:, None]
    before = np.maximum.accumulate(np.where(missing, -1, frames), axis=0)
    after = np.minimum.accumulate(np.where(missing, len(missing), frames)[::-1], axis=0)[::-1]
    before = np.where(before < 0, after, before)
    after = np.where((after == len(missing)) | (rule == "hold"), before, after)
    at = np.nonzero(missing)
    before, after = before[at], after[at]
    share = np.where(after == before, 0.0, (at[0] - before) / np.maximum(after - before, 1))
    first, second = values[before, at[1]], values[after, at[1]]
    filled = values.copy()
    if values.ndim == 4:
        turned = slerp(torch.from_numpy(first), torch.from_numpy(second), torch.from_numpy(share))
        filled[at] = turned.numpy()
    else:
        filled[at] = first + share[:, None] * (second - first)
    return filled


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
