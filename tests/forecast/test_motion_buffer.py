from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from posegraph.forecast.motion_buffer import MotionBuffer, OneEuro

RNG = np.random.default_rng(0)


def buffer(**options) -> MotionBuffer:
    return MotionBuffer(**{"joints": 2, "used": [0, 1], "capacity": 20, "longest_gap": 0.25, **options})


def filled(times, poses, **options) -> MotionBuffer:
    own = buffer(**options)
    for time, pose in zip(times, poses, strict=True):
        assert own.add(pose, time)
    return own


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_windows_are_interpolated(interpolation):
    times = np.sort(RNG.uniform(0, 1, 12))
    poses = RNG.normal(size=(12, 2, 3))
    at = np.linspace(times[0], times[-1], 30)
    flat = poses.reshape(12, 6)
    if interpolation == "linear":
        expected = np.stack([np.interp(at, times, column) for column in flat.T], axis=-1)
    else:
        expected = CubicHermiteSpline(times, flat, np.gradient(flat, times, axis=0))(at)
    got = filled(times, poses).window(at, interpolation)
    np.testing.assert_allclose(got, expected.reshape(30, 2, 3), atol=1e-9)


def test_too_early_windows_are_none():
    own = filled([1.0, 1.1], np.ones((2, 2, 3)))
    assert own.window(np.array([0.9, 1.1])) is None
    assert own.window(np.array([1.0, 1.1])) is not None
    assert buffer().window(np.array([1.0])) is None
    alone = filled([1.0], np.ones((1, 2, 3)))
    np.testing.assert_array_equal(alone.window(np.array([1.0])), np.ones((1, 2, 3)))


def test_the_latest_poses_are_kept_and_memory_does_not_grow():
    own = buffer(capacity=5)
    size = own.num_bytes
    for frame in range(1000):
        own.add(np.full((2, 3), float(frame)), frame / 30)
        first = max(0, frame - 4)
        np.testing.assert_array_equal(own.poses[:, 0, 0], np.arange(first, frame + 1))
        np.testing.assert_array_equal(own.times, np.arange(first, frame + 1) / 30)
    assert own.num_bytes == size


def gap(gaps: str) -> MotionBuffer:
    """Joint 1 moves by 10 a frame and is missing in frames 2 to 4."""
    own = buffer(gaps=gaps)
    for frame in range(7):
        pose = np.zeros((2, 3))
        pose[1] = 10.0 * frame
        if 2 <= frame <= 4:
            pose[1] = np.nan
        assert own.add(pose, 0.05 * frame)
    return own


def test_missing_joints_are_held():
    assert gap("hold").poses[:, 1, 0].tolist() == [0, 10, 10, 10, 10, 50, 60]


def test_missing_joints_come_back_on_a_line():
    np.testing.assert_allclose(gap("linear").poses[:, 1, 0], [0, 10, 20, 30, 40, 50, 60], atol=1e-9)
    assert gap("linear").poses[:, 0].tolist() == np.zeros((7, 3)).tolist()


def test_after_a_longer_gap_the_buffer_is_empty():
    own = filled([0.0, 0.1], np.ones((2, 2, 3)))
    lost = np.ones((2, 3))
    lost[1, 2] = np.nan
    assert [own.add(lost, time) for time in (0.2, 0.3, 0.35, 0.36)] == [True, True, True, False]
    assert len(own.times) == 0
    assert not own.add(lost, 0.37)
    assert own.add(np.ones((2, 3)), 0.4)


def test_unused_joints_may_be_missing():
    own = buffer(used=[0])
    pose = np.array([[1.0, 2.0, 3.0], [np.nan] * 3])
    assert own.add(pose, 0.0)
    np.testing.assert_array_equal(own.poses[0], pose)


def test_the_filter_is_that_of_its_authors():
    """The algorithm as the paper states it, one number at a time."""
    times = np.cumsum(RNG.uniform(0.01, 0.05, 40))
    signal = np.cumsum(RNG.normal(size=40)) * 20
    settings = OneEuro(min_cutoff=1.2, beta=0.03, speed_cutoff=0.9)

    def alpha(cutoff, step):
        return 1 / (1 + 1 / (2 * np.pi * cutoff) / step)

    smooth, speed, expected = signal[0], 0.0, [signal[0]]
    for step, x in zip(np.diff(times), signal[1:], strict=True):
        a = alpha(settings.speed_cutoff, step)
        speed = a * (x - smooth) / step + (1 - a) * speed
        a = alpha(settings.min_cutoff + settings.beta * abs(speed), step)
        smooth = a * x + (1 - a) * smooth
        expected.append(smooth)
    own = buffer(capacity=40, one_euro=settings)
    for time, x in zip(times, signal, strict=True):
        own.add(np.full((2, 3), x), time)
    np.testing.assert_allclose(own.poses, np.broadcast_to(np.array(expected)[:, None, None], (40, 2, 3)), atol=1e-9)
