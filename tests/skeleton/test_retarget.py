from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from posegraph.skeleton import presets
from posegraph.skeleton.retarget import follow

CMU = presets.get("cmu")


def lengths(poses: torch.Tensor) -> torch.Tensor:
    return torch.stack([(poses[..., child, :] - poses[..., parent, :]).norm(dim=-1) for parent, child in CMU.bones])


@given(st.integers(0, 1000), st.sets(st.integers(0, 37), max_size=12))
def test_bones_keep_their_lengths_whatever_the_points(seed, joints):
    generator = torch.Generator().manual_seed(seed)
    template = CMU.rest_pose().double().expand(2, 38, 3)
    points = {joint: 500 * torch.randn(2, 3, generator=generator).double() for joint in joints}
    poses = follow(CMU, template, points)
    torch.testing.assert_close(lengths(poses), lengths(template), rtol=0, atol=1e-6)


@pytest.mark.parametrize("known", [range(38), (1, 2, 15), (2, 8, 15, 4), (0, 3)])
def test_a_turned_body_is_found_again(known):
    """Three points off a line fix the turn of a rigid body; scipy aligns the same points."""
    body = presets.get("smpl-24")
    template = body.rest_pose().double()
    turn = Rotation.from_rotvec([0.3, -1.2, 0.4])
    moved = torch.from_numpy(turn.apply(template.numpy()) + np.array([10.0, 900.0, -50.0]))
    places = {joint: moved[joint] for joint in known if joint < 24}
    poses = follow(body, template, places)
    if len(places) > 2:
        torch.testing.assert_close(poses[list(places)], moved[list(places)], rtol=0, atol=1e-3)
    if len(places) == 24:
        torch.testing.assert_close(poses, moved, rtol=0, atol=1e-3)
    if known == (1, 2, 15):
        a, b = (points[[1, 2, 15]].numpy() for points in (template, moved))
        found, _ = Rotation.align_vectors(b - b.mean(0), a - a.mean(0))
        np.testing.assert_allclose(poses[3] - poses[0], found.apply(template[3] - template[0]), atol=0.5)


def test_no_points_leave_the_template():
    template = CMU.rest_pose().double()
    torch.testing.assert_close(follow(CMU, template, {}), template)


def test_constant_joints_stay_beside_the_root():
    template = CMU.rest_pose().double()
    points = {CMU.index("LeftUpLeg"): torch.tensor([0.0, 0.0, 120.0]).double(), 0: torch.zeros(3).double()}
    poses = follow(CMU, template, points)
    for name in CMU.constant:
        torch.testing.assert_close(poses[CMU.index(name)], template[CMU.index(name)])
