"""Rotations against the published lists; the tables of the positions are in ``test_init``."""

from __future__ import annotations

from posegraph.skeleton import presets

# Columns of the benchmark files that change, without the root's, as published codes list them.
MOVING_COLUMNS = [
    *(9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 27, 28, 29, 30, 31, 33, 34, 35, 36, 37, *range(42, 60), 66, 67, 68),
    *(70, 71, 72, 75, 76, 77, 80, 84, 85, 86, 93, 94, 95, 97, 98, 99, 102, 103, 104, 107, 111, 112, 113),
]


def test_rotations_move_where_published_codes_say():
    skeleton = presets.get("cmu-angles")
    columns = [3 + 3 * skeleton.used[c // 3] + c % 3 for c in skeleton.moving]
    assert len(columns) == 64
    assert columns == MOVING_COLUMNS
    assert skeleton.holds == "rotations"
