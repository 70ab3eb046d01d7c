"""Rotations against the published lists; the tables of the positions are in ``test_init``."""

from __future__ import annotations

from posegraph.skeleton import presets

# Columns of the benchmark files that change, without the root's, as published codes list them.
MOVING_COLUMNS = [
    *(6, 7, 8, 9, 12, 13, 14, 15, 21, 22, 23, 24, 27, 28, 29, 30, *range(36, 48), *range(51, 58), 60, 61, 62),
    *(75, 76, 77, 78, 79, 80, 81, 84, 85, 86),
]


def test_rotations_move_where_published_codes_say():
    skeleton = presets.get("h36m-angles")
    columns = [3 + 3 * skeleton.used[c // 3] + c % 3 for c in skeleton.moving]
    assert len(columns) == 48
    assert columns == MOVING_COLUMNS
    assert skeleton.holds == "rotations"


def test_the_tree_of_pose_estimation_is_the_published_one():
    assert presets.get("h36m-17").parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
