from __future__ import annotations

import pytest

from posegraph.skeleton import presets
from posegraph.skeleton.presets.parts import mirrored, parents
from posegraph.skeleton.skeleton import Skeleton

STILL = (0.0, 0.0, 0.0)
TORSO = (("Torso", None, STILL), ("LeftArm", "Torso", STILL), ("LThumb", "LeftArm", STILL), ("Lamp", "Torso", STILL),
         ("RightArm", "Torso", STILL), ("RThumb", "RightArm", STILL))  # fmt: skip


def test_sides_and_parents_follow_from_the_names():
    assert mirrored(TORSO) == (("LeftArm", "RightArm"), ("LThumb", "RThumb"))
    assert parents(TORSO) == (-1, 0, 1, 0, 0, 4)


BUILT_IN = [presets.get(name) for name in ("h36m", "h36m-angles", "cmu", "cmu-angles")]


@pytest.mark.parametrize("skeleton", BUILT_IN, ids=lambda skeleton: skeleton.name)
def test_parts_are_halves_of_limbs(skeleton: Skeleton):
    parts, bodies = skeleton.scales(3, "parts")
    assert bodies.groups == ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
    used = [skeleton.joint_names[j] for j in skeleton.used]
    for part, group in zip(parts.names, parts.groups, strict=True):
        side = part.split()[0]
        sides = {skeleton.side(skeleton.index(used[j])) for j in group}
        assert sides == ({side} if side in ("left", "right") else {"centre"})
