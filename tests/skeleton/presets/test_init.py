from __future__ import annotations

import re

import numpy as np
import pytest

from posegraph.errors import UnknownNameError
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton


@pytest.mark.parametrize("name", presets.names())
def test_groupings_are_named_by_their_sizes(name):
    skeleton = presets.get(name)
    for grouping, levels in skeleton.groupings.items():
        if grouping == "parts":
            assert [level.num_groups for level in levels] == [10, 5]
            continue
        assert grouping == "-".join(map(str, [skeleton.num_used, *(level.num_groups for level in levels)]))


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
