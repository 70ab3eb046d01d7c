"""The landmarks against the documented drawing."""

from __future__ import annotations

from posegraph.skeleton import presets

# fmt: off
BONES = {(0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (11, 13), (13, 15), (15, 17), (15, 19),
         (15, 21), (12, 14), (14, 16), (16, 18), (16, 20), (16, 22), (11, 23), (12, 24), (23, 25), (25, 27), (27, 29),
         (27, 31), (24, 26), (26, 28), (28, 30), (28, 32)}
# fmt: on


def test_bones_are_those_of_the_drawing_and_four_to_the_nose():
    assert set(presets.get("mediapipe-33").bones) == BONES | {(0, 9), (0, 10), (0, 11), (0, 12)}
