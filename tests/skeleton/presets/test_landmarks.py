"""Rest poses from landmarks."""

from __future__ import annotations

import pytest

from posegraph.errors import UnknownNameError
from posegraph.skeleton.presets.landmarks import LANDMARKS, standing


def test_right_joints_stand_at_the_mirror_image():
    body = standing("arms", (("chest", None, "thorax"), ("LArm", "chest", "shoulder"), ("RArm", "chest", "shoulder")))
    x, y, z = (a - b for a, b in zip(LANDMARKS["shoulder"], LANDMARKS["thorax"], strict=True))
    assert body.offsets == ((0.0, 0.0, 0.0), (x, y, z), (-x, y, z))
    assert (body.constant, body.mirrored) == (("chest",), (("LArm", "RArm"),))


def test_other_landmarks_are_refused():
    with pytest.raises(UnknownNameError, match=r"unknown landmark 'nase'\. Did you mean 'nose'"):
        standing("face", (("n", None, "nase"),))
