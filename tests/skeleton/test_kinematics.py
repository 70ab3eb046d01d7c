from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph.errors import ShapeError, SkeletonError
from posegraph.skeleton import presets
from posegraph.skeleton.kinematics import forward_kinematics, to_positions
from posegraph.skeleton.rotations import rotation_from_exponential_map
from posegraph.skeleton.skeleton import Skeleton
from tests.authors import FIXTURES, fixture_input, relative_error
from tests.skeleton.vectors import random_vectors

CHAIN = Skeleton(
    "chain",
    ("tip", "root", "middle"),
    (2, -1, 1),  # a parent after its child
    offsets=((0.0, 3.0, 0.0), (1.0, 0.0, 0.0), (0.0, 2.0, 0.0)),
)


@pytest.mark.parametrize("name", ["h36m", "cmu"])
def test_positions_match_the_reference_implementations(name):
    skeleton = presets.get(name)
    rows = fixture_input(1000, (3, 3 + 3 * skeleton.num_joints), 0.8)
    positions = forward_kinematics(rows[:, 3:].unflatten(1, (-1, 3)), skeleton)
    assert relative_error(positions, np.load(FIXTURES / "kinematics.npz")[name]) < 1e-6


@pytest.mark.parametrize("root_rotation", [False, True])
def test_positions_match_a_joint_by_joint_loop(root_rotation):
    r = random_vectors(5, 3)
    positions = forward_kinematics(r, CHAIN, root_rotation=root_rotation)
    for frame in range(5):
        tip, root, middle = Rotation.from_rotvec(r[frame].numpy()).as_matrix()
        del tip  # the rotation of an end joint moves nothing
        turn = root if root_rotation else np.eye(3)
        at_root = np.array([1.0, 0.0, 0.0])
        at_middle = at_root + np.array([0.0, 2.0, 0.0]) @ turn
        at_tip = at_middle + np.array([0.0, 3.0, 0.0]) @ (middle @ turn)
        np.testing.assert_allclose(positions[frame], np.stack([at_tip, at_root, at_middle]), atol=1e-12)


def test_root_rotation_turns_the_whole_body():
    cmu = presets.get("cmu")
    r = random_vectors(2, 38)
    turn = rotation_from_exponential_map(r[:, cmu.root])
    expected = forward_kinematics(r, cmu) @ turn
    torch.testing.assert_close(forward_kinematics(r, cmu, root_rotation=True), expected)


def test_constant_joints_and_copies_of_the_built_in_skeletons_are_what_they_say():
    for name in ("cmu", "h36m"):
        skeleton = presets.get(name)
        r = random_vectors(4, skeleton.num_joints)
        if name == "cmu":  # its hip joints never turn, which is why the thighs' upper ends are constant
            r[:, [skeleton.index("LHipJoint"), skeleton.index("RHipJoint")]] = 0
        poses = forward_kinematics(r, skeleton)
        constant = [skeleton.index(joint) for joint in skeleton.constant]
        torch.testing.assert_close(poses[:, constant], poses[:1, constant].expand(4, -1, -1))
        for copy, source in skeleton.duplicates.items():
            torch.testing.assert_close(poses[:, skeleton.index(copy)], poses[:, skeleton.index(source)])


def test_positions_keep_leading_axes_and_type():
    r = random_vectors(2, 4, 3)
    nested = forward_kinematics(r, CHAIN)
    assert nested.dtype == torch.float64
    torch.testing.assert_close(nested[1, 2], forward_kinematics(r[1, 2], CHAIN))


def test_position_gradients_match_finite_differences():
    r = torch.cat([random_vectors(1, 3), torch.zeros(1, 3, 3, dtype=torch.float64)]).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: forward_kinematics(x, CHAIN, root_rotation=True), r)


def test_positions_need_offsets():
    with pytest.raises(SkeletonError, match=r"skeleton 'bare': expected the offset of every joint .* got none\. Build"):
        forward_kinematics(torch.zeros(2, 3), Skeleton("bare", ("a", "b"), (-1, 0)))


def test_positions_need_every_joint():
    with pytest.raises(ShapeError, match=r"exponential_map: expected \(frames, 38 joints, 3\), got \(5, 25, 3\)"):
        forward_kinematics(torch.zeros(5, 25, 3), presets.get("cmu"))


def test_positions_of_rotations_and_of_positions():
    rotations, positions = presets.get("cmu-angles"), presets.get("cmu")
    poses = random_vectors(2, 38)
    torch.testing.assert_close(to_positions(poses, rotations), forward_kinematics(poses, positions))
    assert to_positions(poses, positions) is poses
