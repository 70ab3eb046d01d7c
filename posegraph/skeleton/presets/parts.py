"""What the tables of bodies are made with."""

from __future__ import annotations

from dataclasses import replace

from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.skeleton import Skeleton, Vector

# (joint, parent, offset from the parent in the rest pose)
Joints = tuple[tuple[str, str | None, Vector], ...]

# The two coarser levels are given by position in the level before and are the same for both skeletons.
# Forearm groups (7 and 10) count twice on the way to 7, the torso (2) twice on the way to 4.
SEVEN_OF_12 = ((0, 1), (2, 3), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11))

FOUR_OF_7 = ((0, 2), (1, 2), (3, 4), (5, 6))

FIVE_OF_10 = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))

THREE_OF_5 = ((2,), (0, 3), (1, 4))


def mirrored(joints: Joints) -> tuple[tuple[str, str], ...]:
    """Pairs (left, right): LeftArm and RightArm, LThumb and RThumb."""
    names = [name for name, _, _ in joints]
    pairs = ((n, "Right" + n[4:] if n.startswith("Left") else "R" + n[1:]) for n in names if n.startswith("L"))
    return tuple((left, right) for left, right in pairs if right in names)


def parents(joints: Joints) -> tuple[int, ...]:
    """Index of the parent of each joint."""
    names = [name for name, _, _ in joints]
    return tuple(-1 if parent is None else names.index(parent) for _, parent, _ in joints)


def first_level(
    joints: Joints, left_out: set[str], groups: dict[str, tuple[str, ...]], *, allow_unused: bool = False
) -> JointGrouping:
    """The grouping of the used joints by name."""
    used = [name for name, _, _ in joints if name not in left_out]
    return JointGrouping.from_names(used, groups, allow_unused=allow_unused)


def ten_parts(joints: Joints, left_out: set[str], parts: dict[str, tuple[str, ...]]) -> tuple[JointGrouping, ...]:
    """Ten parts, and five bodies of two parts each: the legs, the trunk, the arms."""
    return first_level(joints, left_out, parts), JointGrouping(FIVE_OF_10, 10)


def angles(positions: Skeleton, joints: Joints, parts: dict[str, tuple[str, ...]], locked: dict[str, str]) -> Skeleton:
    """The rotations of a body, those of the joints in ``parts`` used."""
    used = {name for part in parts.values() for name in part}
    unused = tuple(name for name in positions.joint_names if name not in used)
    return replace(
        positions,
        name=f"{positions.name}-angles",
        constant=unused,  # end sites never rotate; the root does, but a forecast takes its rotation as given
        duplicates={},
        groupings={"parts": ten_parts(joints, set(unused), parts)},
        holds="rotations",
        locked=locked,
    )
