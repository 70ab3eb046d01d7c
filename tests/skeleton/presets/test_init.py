"""The built-in skeletons against the published index tables, which know no names."""

from __future__ import annotations

import re

import numpy as np
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
    assert presets.names("*m*") == [
        "cmu",
        "cmu-angles",
        "h36m",
        "h36m-17",
        "h36m-angles",
        "mediapipe-33",
        "smpl-22",
        "smpl-24",
    ]
    assert len(presets.names()) == 13
    assert presets.get("cmu") is presets.get("cmu")
    own = Skeleton("own", ("joint",), (-1,))
    assert presets.get(own) is own
    with pytest.raises(
        UnknownNameError, match=r"unknown skeleton 'cmv'\. Did you mean 'cmu'\? Known: body-17, body-25, cmu"
    ):
        presets.get("cmv")


@pytest.mark.parametrize("name", ["h36m", "cmu"])
def test_rotations_share_the_body_of_the_positions(name):
    positions, rotations = presets.get(name), presets.get(f"{name}-angles")
    assert (rotations.joint_names, rotations.parents) == (positions.joint_names, positions.parents)
    assert rotations.offsets == positions.offsets
    assert rotations.root not in rotations.used


BODIES = ("body-17", "body-25", "coco-17", "h36m-17", "kinect-25", "mediapipe-33", "ntu-25", "smpl-22", "smpl-24")
PAIRS = (6, 11, 8, 6, 10, 16, 10, 8, 9)


@pytest.mark.parametrize(("name", "count"), [*zip(BODIES, PAIRS, strict=True)])
def test_every_joint_that_names_a_side_has_its_mirror_image(name, count):
    body = presets.get(name)
    sided = {joint for joint in body.joint_names if re.search("(?i:left|right)|^[LR][A-Z]", joint)}
    assert set(sum(body.mirrored, ())) == sided
    assert len(body.mirrored) == count
    for joint, parent in enumerate(body.parents):
        assert body.parents[body.mirror[joint]] == (-1 if parent < 0 else body.mirror[parent])


@pytest.mark.parametrize("name", BODIES)
def test_rest_poses_are_those_of_a_person(name):
    """Symmetric, the subject's left on the positive x axis, bones of 1 cm to 1 m, head above feet, in millimetres."""
    body = presets.get(name)
    pose = body.rest_pose().numpy()
    np.testing.assert_allclose(pose[list(body.mirror)] * [-1, 1, 1], pose, atol=1e-3)
    assert all(pose[body.index(left), 0] > 0 for left, _ in body.mirrored)
    lengths = [np.linalg.norm(pose[child] - pose[parent]) for parent, child in body.bones]
    assert min(lengths) > 10
    assert max(lengths) < 1000
    assert 1400 < np.ptp(pose[:, 1]) < 1700
    lowest, highest = (body.joint_names[joint].lower() for joint in (pose[:, 1].argmin(), pose[:, 1].argmax()))
    assert re.search("ankle|foot|toe|heel", lowest)
    assert re.search("head|eye", highest)
    np.testing.assert_allclose(body.origin_of(body.rest_pose()), 0, atol=1e-3)


@pytest.mark.parametrize("name", BODIES)
def test_models_see_all_joints_but_a_root_at_the_origin(name):
    body = presets.get(name)
    assert body.constant == (() if body.origin else (body.joint_names[body.root],))
    assert (body.unit, body.up, body.lateral, body.holds, dict(body.duplicates)) == ("mm", "y", "x", "positions", {})
    assert presets.info(name).summary
