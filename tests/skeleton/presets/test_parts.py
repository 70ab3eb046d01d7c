"""The groups of two built-in bodies."""

from __future__ import annotations

from posegraph.skeleton import presets


def test_parts_are_halves_of_limbs():
    for name in ("cmu", "cmu-angles", "h36m", "h36m-angles"):
        skeleton = presets.get(name)
        parts, bodies = skeleton.scales(3, "parts")
        assert bodies.groups == ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
        used = [skeleton.joint_names[j] for j in skeleton.used]
        for part, group in zip(parts.names, parts.groups, strict=True):
            side = part.split()[0]
            sides = {skeleton.side(skeleton.index(used[j])) for j in group}
            assert sides == ({side} if side in ("left", "right") else {"centre"})
