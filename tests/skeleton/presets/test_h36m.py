# ruff: noqa: RUF012 (nobody changes the tables)
from __future__ import annotations

from posegraph.skeleton import presets
from tests.skeleton.presets.body import TO_4, TO_7, BodyChecks


# fmt: off
class TestH36M(BodyChecks):
    name = "h36m"
    fps = 25.0
    parents = [-1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 13, 14, 12, 16, 17, 18, 19, 20, 19, 22, 12, 24, 25, 26, 27,
               28, 27, 30]
    used = [2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19, 21, 22, 25, 26, 27, 29, 30]
    constant = [0, 1, 6, 11]
    duplicates = {16: 9, 24: 9, 20: 14, 23: 16, 28: 19, 31: 21}
    groupings = {
        "22-12-7-4": [
            [[0], [1, 2, 3], [4], [5, 6, 7], [8, 9], [10, 11], [12], [13], [14, 15, 16], [17], [18], [19, 20, 21]],
            TO_7,
            TO_4,
        ],
    }
    mirrored = [(1, 6), (2, 7), (3, 8), (4, 9), (5, 10)] + [(j + 8, j) for j in range(16, 24)]
    used_bones = [(8, 0), (0, 1), (1, 2), (2, 3), (8, 4), (4, 5), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (9, 12),
                  (12, 13), (13, 14), (14, 15), (14, 16), (9, 17), (17, 18), (18, 19), (19, 20), (19, 21)]
    moving_columns = [*(6, 7, 8, 9, 12, 13, 14, 15, 21, 22, 23, 24, 27, 28, 29, 30), *range(36, 48), *range(51, 58),
                      *(60, 61, 62, 75, 76, 77, 78, 79, 80, 81, 84, 85, 86)]
# fmt: on


def test_joints_that_groups_share():
    assert [level.shared for level in presets.get("h36m").groupings["22-12-7-4"]] == [(), (7, 10), (2,)]
