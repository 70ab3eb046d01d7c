"""The built-in skeletons against the published index tables, which know no names."""

from __future__ import annotations

import pytest

from posegraph.errors import UnknownNameError
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton

# fmt: off
PARENTS = {
    "h36m": [-1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 13, 14, 12, 16, 17, 18, 19, 20, 19, 22, 12, 24, 25, 26, 27,
             28, 27, 30],
    "cmu": [-1, 0, 1, 2, 3, 4, 5, 0, 7, 8, 9, 10, 11, 0, 13, 14, 15, 16, 17, 18, 15, 20, 21, 22, 23, 24, 25, 23, 27,
            15, 29, 30, 31, 32, 33, 34, 32, 36],
}
USED = {
    "h36m": [2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19, 21, 22, 25, 26, 27, 29, 30],
    "cmu": [3, 4, 5, 6, 9, 10, 11, 12, 14, 15, 17, 18, 19, 21, 22, 23, 25, 26, 28, 30, 31, 32, 34, 35, 37],
}
CONSTANT = {"h36m": [0, 1, 6, 11], "cmu": [0, 1, 2, 7, 8, 13]}
# Joint to the position among the used joints of the one it copies.
DUPLICATES = {
    "h36m": {16: 9, 24: 9, 20: 14, 23: 16, 28: 19, 31: 21},
    "cmu": {16: 9, 20: 9, 29: 9, 24: 15, 27: 15, 33: 21, 36: 21},
}
TO_7 = [[0, 1], [2, 3], [4, 5], [6, 7], [7, 8], [9, 10], [10, 11]]
TO_4 = [[0, 2], [1, 2], [3, 4], [5, 6]]
GROUPINGS = {
    ("h36m", "22-12-7-4"): [
        [[0], [1, 2, 3], [4], [5, 6, 7], [8, 9], [10, 11], [12], [13], [14, 15, 16], [17], [18], [19, 20, 21]],
        TO_7,
        TO_4,
    ],
    ("cmu", "25-12-7-4"): [
        [[0], [1, 2, 3], [4], [5, 6, 7], [8, 9], [10, 11, 12], [13], [14, 15], [16, 17, 18], [19], [20, 21],
         [22, 23, 24]],
        TO_7,
        TO_4,
    ],
    ("cmu", "25-10-5-3"): [
        [[0], [1, 2, 3], [4], [5, 6, 7], [8, 9], [10, 11, 12], [14, 15], [16, 17, 18], [20, 21], [22, 23, 24]],
        [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]],
        [[2], [0, 3], [1, 4]],
    ],
}
# Pairs (right, left) over all joints.
MIRRORED = {
    "h36m": [(1, 6), (2, 7), (3, 8), (4, 9), (5, 10)] + [(j + 8, j) for j in range(16, 24)],
    "cmu": [(j + 6, j) for j in range(1, 7)] + [(j + 9, j) for j in range(20, 29)],
}
# Bones of the used joints, as the published drawings connect them.
USED_BONES = {
    "h36m": [(8, 0), (0, 1), (1, 2), (2, 3), (8, 4), (4, 5), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (9, 12),
             (12, 13), (13, 14), (14, 15), (14, 16), (9, 17), (17, 18), (18, 19), (19, 20), (19, 21)],
    "cmu": [(8, 0), (0, 1), (1, 2), (2, 3), (8, 4), (4, 5), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (11, 12),
            (9, 13), (13, 14), (14, 15), (15, 16), (16, 17), (15, 18), (9, 19), (19, 20), (20, 21), (21, 22), (22, 23),
            (21, 24)],
}
# fmt: on


@pytest.mark.parametrize("name", ["h36m", "cmu"])
def test_joints_match_the_published_tables(name):
    skeleton = presets.get(name)
    assert list(skeleton.parents) == PARENTS[name]
    assert list(skeleton.used) == USED[name]
    assert sorted(map(skeleton.index, skeleton.constant)) == CONSTANT[name]
    copies = {skeleton.index(c): skeleton.used.index(skeleton.index(s)) for c, s in skeleton.duplicates.items()}
    assert copies == DUPLICATES[name]


@pytest.mark.parametrize(("name", "grouping"), GROUPINGS)
def test_groupings_match_the_published_tables(name, grouping):
    levels = presets.get(name).groupings[grouping]
    assert [[list(group) for group in level.groups] for level in levels] == GROUPINGS[name, grouping]


def test_groupings_are_named_by_their_sizes():
    for name in presets.names():
        skeleton = presets.get(name)
        for grouping, levels in skeleton.groupings.items():
            if grouping == "parts":
                assert [level.num_groups for level in levels] == [10, 5]
                continue
            assert grouping == "-".join(map(str, [skeleton.num_used, *(level.num_groups for level in levels)]))
    assert [level.shared for level in presets.get("h36m").groupings["22-12-7-4"]] == [(), (7, 10), (2,)]
    assert presets.get("cmu").groupings["25-10-5-3"][0].unused == (13, 19)


@pytest.mark.parametrize("name", ["h36m", "cmu"])
def test_mirrored_joints_match_the_published_tables(name):
    skeleton = presets.get(name)
    pairs = {(skeleton.index(right), skeleton.index(left)) for left, right in skeleton.mirrored}
    assert pairs == set(MIRRORED[name])


@pytest.mark.parametrize("name", ["h36m", "cmu"])
def test_mirrored_joints_lie_on_their_side(name):
    """In the rest pose the subject's left is on the positive x axis and mirrored bones have about the same length."""
    skeleton = presets.get(name)
    assert skeleton.offsets is not None
    for left, right in skeleton.mirrored:
        one, other = (skeleton.offsets[skeleton.index(joint)] for joint in (left, right))
        assert one[0] >= 0 >= other[0]
        assert sum(v * v for v in one) ** 0.5 == pytest.approx(sum(v * v for v in other) ** 0.5, rel=0.12, abs=40)


@pytest.mark.parametrize("name", ["h36m", "cmu"])
def test_bones_of_the_used_joints_match_the_published_drawings(name):
    assert set(presets.get(name).reduced.bones) == set(USED_BONES[name])


@pytest.mark.parametrize("name", ["h36m", "cmu"])
def test_copies_rest_on_their_source(name):
    """A copy's offset is zero, or the same as its source's from the same parent."""
    skeleton = presets.get(name)
    assert skeleton.offsets is not None
    for copy, source in skeleton.duplicates.items():
        i, j = skeleton.index(copy), skeleton.index(source)
        same = skeleton.parents[i] == skeleton.parents[j] and skeleton.offsets[i] == skeleton.offsets[j]
        assert same or (skeleton.parents[i] == j and skeleton.offsets[i] == (0.0, 0.0, 0.0))


@pytest.mark.parametrize(("name", "fps"), [("h36m", 25.0), ("cmu", 60.0)])
def test_frame_rates_and_axes(name, fps):
    skeleton = presets.get(name)
    assert (skeleton.fps, skeleton.unit, skeleton.up) == (fps, "mm", "y")


def test_get():
    assert presets.names() == ["cmu", "cmu-angles", "h36m", "h36m-angles"]
    assert presets.get("cmu") is presets.get("cmu")
    own = Skeleton("own", ("joint",), (-1,))
    assert presets.get(own) is own
    with pytest.raises(
        UnknownNameError, match=r"unknown skeleton 'cmv'\. Did you mean 'cmu'\? Known: cmu, cmu-angles, "
    ):
        presets.get("cmv")


# Columns of the benchmark files that change, without the root's, as published codes list them.
MOVING_COLUMNS = {
    "h36m-angles": [
        *(6, 7, 8, 9, 12, 13, 14, 15, 21, 22, 23, 24, 27, 28, 29, 30, *range(36, 48), *range(51, 58), 60, 61, 62),
        *(75, 76, 77, 78, 79, 80, 81, 84, 85, 86),
    ],
    "cmu-angles": [
        *(9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 27, 28, 29, 30, 31, 33, 34, 35, 36, 37, *range(42, 60), 66, 67, 68),
        *(70, 71, 72, 75, 76, 77, 80, 84, 85, 86, 93, 94, 95, 97, 98, 99, 102, 103, 104, 107, 111, 112, 113),
    ],
}


@pytest.mark.parametrize(("name", "count"), [("h36m-angles", 48), ("cmu-angles", 64)])
def test_rotations_move_where_published_codes_say(name, count):
    skeleton = presets.get(name)
    columns = [3 + 3 * skeleton.used[c // 3] + c % 3 for c in skeleton.moving]
    assert len(columns) == count
    assert columns == MOVING_COLUMNS[name]
    assert skeleton.holds == "rotations"


@pytest.mark.parametrize("name", ["h36m", "cmu"])
def test_rotations_share_the_body_of_the_positions(name):
    positions, rotations = presets.get(name), presets.get(f"{name}-angles")
    assert (rotations.joint_names, rotations.parents) == (positions.joint_names, positions.parents)
    assert rotations.offsets == positions.offsets
    assert rotations.root not in rotations.used


def test_parts_are_halves_of_limbs():
    for name in presets.names():
        skeleton = presets.get(name)
        parts, bodies = skeleton.scales(3, "parts")
        assert bodies.groups == ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
        used = [skeleton.joint_names[j] for j in skeleton.used]
        for part, group in zip(parts.names, parts.groups, strict=True):
            side = part.split()[0]
            sides = {skeleton.side(skeleton.index(used[j])) for j in group}
            assert sides == ({side} if side in ("left", "right") else {"centre"})
