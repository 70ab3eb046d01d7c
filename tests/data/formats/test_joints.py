from __future__ import annotations

import numpy as np
import pytest

from posegraph.data.formats._joints import left_out, reach, unique_names
from tests.data.formats.test_body import STANDING


def test_the_reach_is_the_longest_way_along_the_bones():
    assert reach(STANDING[None], (-1, 0, 0, 0)) == pytest.approx(2 * np.hypot(900, 100))
    assert reach(STANDING[None], (-1, 0, 1, 2)) == pytest.approx(700 + np.hypot(1600, 100) + 200)


def test_repeated_names_get_numbers():
    notes: list[str] = []
    assert unique_names(["a", "a", "a_2", "a"], notes) == ["a", "a_2", "a_2_2", "a_3"]
    assert notes == ["Repeated joint names got a number: a_2 (a), a_2_2 (a_2), a_3 (a)."]


def test_joints_that_carry_no_information_are_found():
    parents = (-1, 0, 1, 2, 2, 2, 0)
    poses = np.random.default_rng(0).normal(size=(5, 7, 3)) * 100
    poses[:, 0] = 0
    poses[:, 1] = [0, 100, 0]  # fixed to the root
    poses[:, 3] = poses[:, 2]  # a copy of its parent
    poses[:, 5] = poses[:, 4]  # a copy of its sibling
    assert left_out("abcdefg", parents, poses) == (("a", "b"), {"d": "c", "f": "e"})
    poses[:, 6] = poses[0, 6]
    assert left_out("abcdefg", parents, poses)[0] == ("a", "b", "g")
    assert left_out("abcdefg", parents, poses[:1])[0] == ("a",)
