from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from posegraph.forecast.motion_buffer import MotionBuffer, OneEuro


def buffer(**settings) -> MotionBuffer:
    return MotionBuffer(**{"joints": 2, "used": [0, 1], "capacity": 50, "longest_gap": 0.2, **settings})


def filled(times: np.ndarray, poses: np.ndarray, **settings) -> MotionBuffer:
    own = buffer(joints=poses.shape[1], used=list(range(poses.shape[1])), **settings)
    for time, pose in zip(times, poses, strict=True):
        assert own.add(pose, time)
    return own


TIMES = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.03, 40))
POSES = np.random.default_rng(1).normal(size=(40, 2, 3))
WANTED = np.linspace(TIMES[5], TIMES[-1], 23)


def test_poses_between_two_lie_on_a_line():
    got = filled(TIMES, POSES).window(WANTED)
    flat = POSES.reshape(40, 6)
    expected = np.stack([np.interp(WANTED, TIMES, flat[:, axis]) for axis in range(6)], axis=1)
    np.testing.assert_allclose(got.reshape(-1, 6), expected, atol=1e-12)


def test_cubics_are_those_of_scipy():
    got = filled(TIMES, POSES).window(WANTED, "cubic")
    known = TIMES[4:] if WANTED[0] > TIMES[4] else TIMES
    slopes = np.gradient(POSES[-len(known) :], known, axis=0)
    expected = CubicHermiteSpline(known, POSES[-len(known) :], slopes)(WANTED)
    np.testing.assert_allclose(got[2:], expected[2:], atol=1e-9)


def test_memory_does_not_grow_and_the_latest_poses_are_kept():
    own = buffer(capacity=7)
    before = own.num_bytes
    for frame in range(100):
        own.add(np.full((2, 3), float(frame)), 0.02 * frame)
    assert own.num_bytes == before
    assert own.poses[:, 0, 0].tolist() == [93, 94, 95, 96, 97, 98, 99]
    np.testing.assert_allclose(own.times, 0.02 * np.arange(93, 100))
    assert own.window(np.array([0.02 * 92, 0.02 * 99])) is None


@pytest.mark.parametrize(("gaps", "expected"), [("hold", [0, 10, 10, 10, 40]), ("linear", [0, 10, 20, 30, 40])])
def test_missing_joints(gaps, expected):
    own = buffer(gaps=gaps)
    for frame in range(5):
        pose = np.full((2, 3), 10.0 * frame)
        if frame in (2, 3):
            pose[1] = np.nan
        assert own.add(pose, 0.02 * frame)
    assert own.poses[:, 1, 0].tolist() == expected
    assert own.poses[:, 0, 0].tolist() == [0, 10, 20, 30, 40]


def test_a_joint_that_is_missing_for_too_long_empties_the_buffer():
    own = buffer(longest_gap=0.05)
    own.add(np.zeros((2, 3)), 0.0)
    lost = np.array([[0.0] * 3, [np.nan] * 3])
    assert own.add(lost, 0.04)
    assert not own.add(lost, 0.08)
    assert len(own.times) == 0
    assert not own.add(lost, 0.1)
    assert own.add(np.ones((2, 3)), 0.12)


def test_unused_joints_may_stay_unknown():
    own = buffer(used=[0])
    assert own.add(np.array([[0.0] * 3, [np.nan] * 3]), 0.0)
    assert own.add(np.array([[1.0] * 3, [np.nan] * 3]), 5.0)
    assert np.isnan(own.poses[:, 1]).all()


def test_one_euro_filter_follows_its_definition():
    settings = OneEuro(min_cutoff=1.2, beta=0.5, speed_cutoff=0.8)
    got = filled(TIMES, POSES, one_euro=settings).poses

    def weight(cutoff, step):
        return 1 / (1 + 1 / (2 * np.pi * cutoff) / step)

    for axis in range(3):
        x, speed = POSES[0, 0, axis], 0.0
        for frame in range(1, 40):
            step = TIMES[frame] - TIMES[frame - 1]
            now = (POSES[frame, 0, axis] - x) / step
            speed += weight(settings.speed_cutoff, step) * (now - speed)
            x += weight(settings.min_cutoff + settings.beta * abs(speed), step) * (POSES[frame, 0, axis] - x)
            assert got[frame, 0, axis] == pytest.approx(x, abs=1e-9)
