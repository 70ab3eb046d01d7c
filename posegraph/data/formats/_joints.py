"""Joints of a body that a file does not describe: names, copies, those that never move, and how large it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["left_out", "reach", "unique_names"]

_STILL = 0.01
"""In mm. A joint that moves less within the root's frame does not move."""


def unique_names(names: Sequence[str], notes: list[str]) -> list[str]:
    """Names, repeated ones with a number behind them; says so in the notes."""
    seen: dict[str, int] = {}
    result: list[str] = []
    for name in names:
        own = name
        while own in seen:
            seen[name] += 1
            own = f"{name}_{seen[name]}"
        seen[own] = 1
        result.append(own)
    renamed = [f"{new} ({old})" for old, new in zip(names, result, strict=True) if old != new]
    if renamed:
        notes.append(f"Repeated joint names got a number: {', '.join(renamed[:5])}.")
    return result


def reach(poses: np.ndarray, parents: Sequence[int]) -> float:
    """The longest way along the bones between two joints; a measure of the body that does not depend on the pose."""
    lengths = _bone_lengths(poses, parents)
    far = [0.0] * len(parents)
    longest = 0.0
    for joint in reversed(_parents_first(parents)):
        above = parents[joint]
        if above >= 0:
            branch = far[joint] + lengths[joint]
            longest = max(longest, far[above] + branch)
            far[above] = max(far[above], branch)
    return longest


def _parents_first(parents: Sequence[int]) -> list[int]:
    order = [parents.index(-1)]
    for joint in order:  # grows while it is read
        order += [j for j, p in enumerate(parents) if p == joint]
    return order


def _bone_lengths(poses: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    some = poses[:: max(1, len(poses) // 50)]
    bones = some - some[:, [max(parent, 0) for parent in parents]]
    return np.median(np.linalg.norm(bones, axis=-1), axis=0)


def left_out(names: Sequence[str], parents: Sequence[int], poses: np.ndarray) -> tuple[tuple[str, ...], dict[str, str]]:
    """Joints fixed to the root, and copies of others: those that always sit on their parent or on a sibling.

    A joint is fixed only if its parent is, so that an arm at rest in one clip is no other body.
    """
    order = _parents_first(parents)
    lowest, highest = poses.min(axis=0), poses.max(axis=0)
    still = (highest - lowest).max(axis=-1) < _STILL
    fixed = {order[0]}
    copies: dict[int, int] = {}
    seen: dict[int, list[int]] = {}
    for joint in order[1:]:
        above = parents[joint]
        if above in fixed and still[joint]:
            fixed.add(joint)
            continue
        source = copies.get(above, above)
        candidates = [*([] if above in fixed else [source]), *seen.get(source, [])]
        same = (c for c in candidates if float(np.abs(poses[:, joint] - poses[:, c]).max()) < _STILL)
        found = next(same, None)
        if found is None:
            seen.setdefault(source, []).append(joint)
        else:
            copies[joint] = found
    if len(fixed) == len(names):  # nothing moves, as in a single pose: only the root is fixed for certain
        fixed = {order[0]} if len(names) > 1 else set()
    constant = tuple(name for joint, name in enumerate(names) if joint in fixed)
    return constant, {names[joint]: names[source] for joint, source in sorted(copies.items())}
