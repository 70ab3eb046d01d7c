from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, Slerp

from posegraph._support.units import MILLIMETRES
from posegraph.data import Clip
from posegraph.data.resample import convert, interpolate, slerp, turn_to_up
from posegraph.errors import ConfigError
from posegraph.skeleton.kinematics import forward_kinematics
from posegraph.skeleton.root import RootMotion
from tests.data.motion import ARM


def rotations(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(Rotation.random(count, random_state=seed).as_matrix())


def moving_clip(frames: int = 25, fps: float = 50.0) -> Clip:
    generator = torch.Generator().manual_seed(0)
    poses = torch.randn(frames, 3, 3, generator=generator).cumsum(0)
    root = RootMotion(torch.randn(frames, 3, generator=generator).cumsum(0), rotations(frames).float())
    return Clip(poses, ARM, fps, name="wave", root=root)


@pytest.mark.parametrize("frames", [2, 3, 4, 5, 6, 40])
def test_splines_are_those_of_scipy(frames):
    values = np.random.default_rng(frames).normal(size=(frames, 4, 3))
    times = np.linspace(0, frames - 1, 77)
    ours = interpolate(torch.from_numpy(values), torch.from_numpy(times)).numpy()
    np.testing.assert_allclose(ours, CubicSpline(np.arange(frames), values)(times), atol=1e-12)


def test_slerp_is_that_of_scipy():
    first, second = rotations(200, 1), rotations(200, 2)
    share = torch.rand(200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = slerp(first, second, share).numpy()
    for a, b, s, own in zip(first, second, share, ours, strict=True):
        expected = Slerp([0, 1], Rotation.from_matrix(np.stack([a, b])))(float(s)).as_matrix()
        np.testing.assert_allclose(own, expected, atol=1e-7)  # near half a turn both lose half the digits


def test_rate_follows_splines_and_slerp():
    clip = moving_clip()
    other = convert(clip, fps=70)
    times = np.arange(other.num_frames) * 50 / 70
    assert (other.fps, other.num_frames) == (70.0, 34)
    assert clip.root is not None
    assert clip.root.rotations is not None
    assert other.root is not None
    assert other.root.rotations is not None
    np.testing.assert_allclose(other.poses, CubicSpline(np.arange(25), clip.poses)(times), atol=1e-5)
    np.testing.assert_allclose(other.root.positions, CubicSpline(np.arange(25), clip.root.positions)(times), atol=1e-5)
    expected = Slerp(np.arange(25), Rotation.from_matrix(clip.root.rotations.double().numpy()))(times).as_matrix()
    np.testing.assert_allclose(other.root.rotations, expected, atol=1e-5)


def test_frames_on_frames_are_taken_as_they_are():
    clip = moving_clip()
    half = convert(clip, fps=25)
    assert torch.equal(half.poses, clip.poses[::2])
    assert half.root is not None
    assert clip.root is not None
    assert torch.equal(half.root.positions, clip.root.positions[::2])
    assert convert(clip, fps=50) is clip


def test_rotations_turn_along_the_shortest_way():
    skeleton = replace(ARM, holds="rotations")
    maps = torch.from_numpy(Rotation.random(12, random_state=4).as_rotvec()).float().reshape(4, 3, 3)
    other = convert(Clip(maps, skeleton, 10.0), fps=20)
    expected = Slerp(np.arange(4), Rotation.from_rotvec(maps[:, 1].numpy()))(np.arange(7) / 2).as_matrix()
    ours = Rotation.from_rotvec(other.poses[:, 1].numpy()).as_matrix()
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("unit", MILLIMETRES)
def test_units_scale_everything_that_has_a_length(unit):
    clip = moving_clip()
    other = convert(clip, unit=unit)
    assert other.unit == other.skeleton.unit == unit
    torch.testing.assert_close(other.poses * MILLIMETRES[unit], clip.poses)
    assert other.skeleton.offsets is not None
    assert other.skeleton.offsets[1][0] == pytest.approx(300 / MILLIMETRES[unit])
    torch.testing.assert_close(convert(other, unit="mm").poses, clip.poses)


@pytest.mark.parametrize("up", ["x", "z"])
def test_axes_turn_world_body_and_offsets_alike(up):
    clip = moving_clip()
    other = convert(clip, up=up)
    turn = turn_to_up("y", up)
    assert torch.linalg.det(turn) == 1
    assert (torch.tensor([0.0, 1.0, 0.0]) @ turn).tolist() == [float(axis == up) for axis in "xyz"]
    assert clip.root is not None
    assert other.root is not None
    torch.testing.assert_close(other.root.to_world(other.poses), clip.root.to_world(clip.poses) @ turn)
    back = convert(other, up="y")
    torch.testing.assert_close(back.poses, clip.poses)
    assert back.skeleton == clip.skeleton


def test_kinematics_of_turned_rotations_are_turned_positions():
    skeleton = replace(ARM, holds="rotations")
    maps = torch.from_numpy(Rotation.random(12, random_state=5).as_rotvec()).float().reshape(4, 3, 3)
    other = convert(Clip(maps, skeleton, 10.0), up="z")
    expected = forward_kinematics(maps, skeleton) @ turn_to_up("y", "z")
    torch.testing.assert_close(forward_kinematics(other.poses, other.skeleton), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fps": 0}, "fps: expected frames a second above 0, got 0"),
        ({"fps": float("nan")}, "fps: expected frames a second above 0, got nan"),
        ({"unit": "furlong"}, "unit: expected one of 'mm', 'cm', 'm', 'inch', 'cmu'; got 'furlong'"),
        ({"up": "-z"}, "up: expected one of 'x', 'y', 'z'; got '-z'"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        convert(moving_clip(), **change)


def test_rates_that_need_too_many_frames_are_refused():
    with pytest.raises(ConfigError, match=r"fps: expected a rate that gives at most 10000000 frames, got 100000"):
        convert(moving_clip(2000, fps=1e-3), fps=100_000.0)
