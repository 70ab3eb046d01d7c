"""The joints that other bodies share."""

from __future__ import annotations

import numpy as np

from posegraph.skeleton import presets


def test_order_and_tree_are_those_of_h36m_17():
    ours, theirs = presets.get("body-17"), presets.get("h36m-17")
    assert (ours.parents, ours.mirror) == (theirs.parents, theirs.mirror)


def test_joints_off_the_limbs_lie_between_others():
    body = presets.get("body-17")
    at = dict(zip(body.joint_names, body.rest_pose().numpy(), strict=True))
    for between, (one, other) in {
        "mid_hip": ("left_hip", "right_hip"),
        "mid_shoulder": ("left_shoulder", "right_shoulder"),
        "mid_spine": ("mid_hip", "mid_shoulder"),
        "mid_neck": ("mid_shoulder", "head"),
    }.items():
        np.testing.assert_allclose(at[between], (at[one] + at[other]) / 2, atol=1e-3)
