from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph import data
from posegraph.data import Clip, formats
from posegraph.data.formats._bvh_writer import fit_rotations
from posegraph.data.resample import convert
from posegraph.errors import ConfigError, DataError
from posegraph.skeleton import presets
from posegraph.skeleton.kinematics import forward_kinematics
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.skeleton import Skeleton
from tests.data.formats.files import bvh_text, random_values
from tests.data.motion import ARM


@pytest.fixture(scope="module")
def walking() -> Clip:
    clip = data.load("cmu", "samples", split="test", actions=["walking"]).clips["test"][0]
    assert clip.root is not None
    return replace(clip, poses=clip.poses[:60], root=clip.root[:60])


def world(clip: Clip) -> torch.Tensor:
    assert clip.root is not None
    return clip.root.to_world(clip.poses)


def test_what_is_written_is_read_back(walking, tmp_path):
    back = formats.read(formats.write(walking, tmp_path / "walk.bvh"), unit="cm")
    assert (back.fps, back.skeleton.joint_names) == (60.0, walking.skeleton.joint_names)
    assert (back.skeleton.used, back.skeleton.mirrored) == (walking.skeleton.used, walking.skeleton.mirrored)
    torch.testing.assert_close(back.poses, walking.poses, atol=2e-4, rtol=0)
    torch.testing.assert_close(world(back), world(walking), atol=1e-3, rtol=0)
    again = formats.read(formats.write(back, tmp_path / "again.bvh.x", format="bvh"), format="bvh", unit="cm")
    torch.testing.assert_close(again.poses, back.poses, atol=2e-4, rtol=0)


def test_pybvh_reads_the_same_positions(walking, tmp_path):
    import pybvh

    path = formats.write(walking, tmp_path / "walk.bvh")
    theirs = np.asarray(pybvh.read_bvh_file(str(path)).node_positions(centered="world"))
    np.testing.assert_allclose(theirs * 10, world(walking), atol=1e-3)


def test_mixed_files_come_back_through_the_writer(tmp_path):
    path = tmp_path / "mixed.bvh"
    values = random_values(9)
    path.write_text(bvh_text(values))
    clip = formats.read(path)
    # The spine's position channels change the length of a bone, which a body of constant bones cannot follow.
    back = formats.read(formats.write(clip, tmp_path / "back.bvh"))
    legs = [
        clip.skeleton.index(f"{side}{joint}") for side in ("Left", "Right") for joint in ("Leg", "Foot", "Foot_Site")
    ]
    torch.testing.assert_close(back.poses[:, legs], clip.poses[:, legs], atol=1e-3, rtol=0)
    assert float((back.poses - clip.poses).norm(dim=-1).max()) < 60


def test_units_and_axes_do_not_matter(walking, tmp_path):
    turned = convert(walking, unit="m", up="z")
    back = formats.read(formats.write(turned, tmp_path / "walk.bvh"), unit="cm")
    torch.testing.assert_close(back.poses, walking.poses, atol=1e-3, rtol=0)


def test_rotations_are_written_as_they_are(tmp_path):
    skeleton = presets.get("cmu-angles")
    maps = torch.from_numpy(Rotation.random(5 * 38, random_state=0).as_rotvec()).float().reshape(5, 38, 3)
    clip = Clip(maps, skeleton, 30.0, name="a")
    back = formats.read(formats.write(clip, tmp_path / "a.bvh"), unit="cm", up="y")
    expected = forward_kinematics(maps, skeleton, root_rotation=True)
    torch.testing.assert_close(world(back), expected, atol=1e-3, rtol=0)


def test_bodies_without_offsets_get_those_of_the_clip(tmp_path):
    angle = torch.linspace(0, 1, 20)
    elbow = 300 * torch.stack([angle.cos(), angle.sin(), 0 * angle], -1)
    wrist = elbow + 250 * torch.stack([angle.sin(), angle.cos(), 0 * angle], -1)
    clip = Clip(torch.stack([0 * elbow, elbow, wrist], 1), replace(ARM, offsets=None), 30.0)
    back = formats.read(formats.write(clip, tmp_path / "arm.bvh"), unit="cm", up="y")
    torch.testing.assert_close(world(back), clip.poses, atol=1e-3, rtol=0)


def test_parents_may_come_after_their_children(tmp_path):
    skeleton = Skeleton("leg", ("toe tip", "hip", "knee"), (2, -1, 1), offsets=((0, -400, 0), (0, 0, 0), (0, -500, 0)))
    turn = torch.from_numpy(Rotation.random(8, random_state=1).as_matrix()).float()
    poses = torch.tensor([[0.0, -900, 0], [0, 0, 0], [0, -500, 0]]).expand(8, 3, 3)
    clip = Clip(poses, skeleton, 30.0, root=RootMotion(torch.ones(8, 3), turn))
    back = formats.read(formats.write(clip, tmp_path / "leg.bvh"), unit="cm", up="y")
    assert back.skeleton.joint_names == ("hip", "knee", "toe_tip")
    torch.testing.assert_close(world(back), world(clip)[:, [1, 2, 0]], atol=1e-3, rtol=0)


def test_forecasts_come_as_near_as_bones_allow(walking, tmp_path):
    noisy = replace(walking, poses=walking.poses + torch.randn(walking.poses.shape, generator=torch.Generator()))
    back = formats.read(formats.write(noisy, tmp_path / "noisy.bvh"), unit="cm", up="y")
    apart = (back.poses - noisy.poses).norm(dim=-1)
    assert float(apart.mean()) < 2.5  # noise has a length of 1.6 mm on average
    bones = np.array(back.skeleton.parents[1:])
    lengths = (back.poses[:, 1:] - back.poses[:, bones]).norm(dim=-1)
    torch.testing.assert_close(lengths, lengths[:1].expand_as(lengths), atol=1e-3, rtol=0)


def test_fits_are_those_of_scipy():
    generator = np.random.default_rng(0)
    offsets = np.concatenate([np.zeros((1, 3)), generator.normal(size=(4, 3))])
    turns = Rotation.random(10, random_state=2)
    seen = np.stack([turns.apply(np.tile(offset, (10, 1))) for offset in offsets], axis=1)
    seen += 0.1 * generator.normal(size=seen.shape) * (np.arange(5) > 0)[:, None]
    ours = fit_rotations(seen, [-1, 0, 0, 0, 0], offsets)[:, 0]
    for own, points in zip(ours, seen, strict=True):
        expected, _ = Rotation.align_vectors(points[1:], offsets[1:])
        np.testing.assert_allclose(own.T, expected.as_matrix(), atol=1e-9)


def test_bones_that_turn_back_are_followed():
    offsets = np.array([[0.0, 0, 0], [0, 100, 0], [0, 100, 0]])
    positions = np.array([[[0.0, 0, 0], [0, -100, 0], [0, 0, 0]], [[0.0, 0, 0], [0, 100, 0], [0, 0, 0]]])
    turns = fit_rotations(positions, [-1, 0, 1], offsets)
    np.testing.assert_allclose(offsets[1] @ turns[:, 0], positions[:, 1], atol=1e-9)
    np.testing.assert_allclose(positions[:, 1] + offsets[2] @ turns[:, 1], positions[:, 2], atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(turns), 1)


def test_clips_that_cannot_be_written_are_refused(walking, tmp_path):
    with pytest.raises(DataError, match="expected frames to write, got none"):
        formats.write(Clip(torch.zeros(0, 3, 3), ARM, 30.0), tmp_path / "a.bvh")
    with pytest.raises(ConfigError, match=r"unit of .*: expected one of 'mm'.* got 'ell'"):
        formats.write(Clip(torch.zeros(2, 3, 3), replace(ARM, unit="ell"), 30.0), tmp_path / "a.bvh")
    assert list(tmp_path.iterdir()) == []
