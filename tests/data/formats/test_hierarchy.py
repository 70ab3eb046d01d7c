from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from posegraph.data.formats._hierarchy import apply_turns, pose

ANGLES = np.random.default_rng(0).uniform(-3, 3, size=(9, 3))


def test_turns_compose_as_those_of_scipy():
    start = Rotation.random(9, random_state=1)
    turns = [("XYZ".index(axis), ANGLES[:, column]) for column, axis in enumerate("YXZ")]
    ours = apply_turns(turns, start.as_matrix().transpose(2, 1, 0)).transpose(2, 1, 0)
    np.testing.assert_allclose(ours, (start * Rotation.from_euler("YXZ", ANGLES)).as_matrix(), atol=1e-12)


def test_matrices_are_taken_as_they_stand():
    fixed, moving = Rotation.random(random_state=2).as_matrix(), Rotation.random(9, random_state=3).as_matrix()
    ours = apply_turns([fixed, moving.transpose(1, 2, 0)], np.eye(3)[:, :, None])
    np.testing.assert_allclose(ours.transpose(2, 0, 1), moving @ fixed, atol=1e-12)


def test_poses_leave_the_turn_of_the_root_out():
    offsets = np.array([[0.0, 0, 0], [0, 2, 0], [0, 3, 0]])
    turns = [[(0, ANGLES[:, 0])], [(1, ANGLES[:, 1]), (2, ANGLES[:, 2])], []]
    shifts = {1: np.random.default_rng(4).normal(size=(9, 3))}
    poses, root = pose([-1, 0, 1], offsets, turns, shifts, 9)
    np.testing.assert_allclose(root, Rotation.from_euler("X", ANGLES[:, :1]).as_matrix().transpose(0, 2, 1), atol=1e-12)
    np.testing.assert_array_equal(poses[:, :2], np.stack([np.zeros((9, 3)), shifts[1]], axis=1))
    expected = shifts[1] + Rotation.from_euler("YZ", ANGLES[:, 1:]).apply(offsets[2])
    np.testing.assert_allclose(poses[:, 2], expected, atol=1e-12)
