"""The keypoints against the drawing of their task."""

from __future__ import annotations

from posegraph.skeleton import presets

# The task's drawing has cycles at hips, head and shoulders. A tree has these of its bones, and two to the nose.
BONES = {(0, 1), (0, 2), (1, 3), (2, 4), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 13), (13, 15)}
BONES |= {(12, 14), (14, 16)}


def test_bones_are_those_of_the_task():
    assert set(presets.get("coco-17").bones) == BONES | {(0, 5), (0, 6)}


def test_the_origin_is_between_the_hips():
    body = presets.get("coco-17")
    assert body.origin == ("left_hip", "right_hip")
    assert body.num_used == 17
