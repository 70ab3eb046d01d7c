"""Left and right in the names of joints."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["mirrored_pairs", "split_side"]

# Where a name says its side, surest first. A single letter counts at the start of a word or at the end of the name.
_PATTERNS = (
    re.compile(r"left|right", re.IGNORECASE),
    re.compile(r"(?<![A-Za-z0-9])[LRlr](?=[^a-z0-9]|$)"),  # L_Hip, hand.R, LThumb, rShldr, upper-arm-l
    re.compile(r"(?<=[a-z0-9])[LR](?=$|[_.\-])"),  # kneeL, HipR_end
    re.compile(r"(?<![A-Za-z0-9])[LRlr](?=[a-z])"),  # lfemur, Rknee
)
_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l"}


def mirrored_pairs(joint_names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pairs (left joint, right joint) of names that differ in their side alone.

    The side may be a word, as in "LeftArm", "shoulder_right" and "HIPRIGHT", or a letter, as in "L_Hip", "hand.R",
    "LThumb", "rShldr", "lfemur" and "kneeL". A name is in one pair at most.

    Args:
        joint_names: Names of the joints.

    Returns:
        The pairs, in the order of the left joints.

    Examples:
        >>> from posegraph.skeleton import mirrored_pairs
        >>> mirrored_pairs(["Hips", "LeftLeg", "RightLeg", "lumbar", "hand.R", "hand.L"])
        (('LeftLeg', 'RightLeg'), ('hand.L', 'hand.R'))
    """
    known, taken = set(joint_names), set[str]()
    pairs: list[tuple[str, str]] = []
    for pattern in _PATTERNS:
        for name in joint_names:
            for side in pattern.finditer(name):
                other = name[: side.start()] + _swapped(side[0]) + name[side.end() :]
                if side[0].lower() in ("left", "l") and other in known and not {name, other} & taken:
                    pairs.append((name, other))
                    taken |= {name, other}
    return tuple(sorted(pairs, key=lambda pair: joint_names.index(pair[0])))


def split_side(name: str, pairs: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Side of a joint, "left", "right" or "centre", and its name without it.

    Args:
        name: Name of the joint.
        pairs: The mirrored pairs of its body; a joint of none is in the centre.

    Examples:
        >>> from posegraph.skeleton.sides import split_side
        >>> split_side("LeftUpLeg", [("LeftUpLeg", "RightUpLeg")])
        ('left', 'UpLeg')
    """
    for left, right in pairs:
        if name in (left, right):
            side, own = ("left", left) if name == left else ("right", right)
            for pattern in _PATTERNS:
                for found in pattern.finditer(own):
                    stem = own[: found.start()] + own[found.end() :]
                    if found[0].lower()[0] == side[0]:
                        return side, stem
            return side, name
    return "centre", name


def _swapped(side: str) -> str:
    other = _OTHER[side.lower()]
    if side.isupper():
        return other.upper()
    return other.capitalize() if side[0].isupper() else other
