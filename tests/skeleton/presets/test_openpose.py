"""The points against the documented drawing."""

from __future__ import annotations

from posegraph.skeleton import presets

# fmt: off
BONES = [(1, 8), (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (8, 12), (12, 13), (13, 14),
         (1, 0), (0, 15), (15, 17), (0, 16), (16, 18), (14, 19), (19, 20), (14, 21), (11, 22), (22, 23), (11, 24)]
# fmt: on


def test_bones_are_those_of_the_drawing():
    assert {tuple(sorted(bone)) for bone in presets.get("body-25").bones} == {tuple(sorted(bone)) for bone in BONES}
