from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from posegraph import data, registry
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.forecast import Forecaster, OneEuro, Stream, StreamOptions
from posegraph.models.base import ForecastModel

WEIGHTS = "graph-mixer/cmu"


@pytest.fixture(scope="module")
def walking() -> np.ndarray:
    clip = data.load("cmu", "samples", split="test", actions=["walking"]).clips["test"][0]
    assert clip.fps == 60
    return clip.poses.numpy()[:60]


@pytest.fixture(scope="module")
def held() -> ForecastModel:
    """A model that repeats what it saw last, at 60 frames a second."""
    return registry.build("zero-velocity", skeleton="cmu")


def test_at_the_rate_of_the_model_forecasts_are_those_of_the_forecaster(walking):
    forecaster = Forecaster(WEIGHTS)
    observed = forecaster.observed_frames
    with Stream(WEIGHTS) as stream:
        for frame, pose in enumerate(walking[:20]):
            got = stream.push(pose, t=frame / 60)
            if frame < observed - 1:
                assert got is None
                continue
            expected = forecaster(walking[frame + 1 - observed : frame + 1])
            np.testing.assert_allclose(got.poses, expected, atol=1e-3)
            np.testing.assert_allclose(got.times, frame / 60 + np.arange(1, 26) / 60, atol=1e-9)
            assert got.t == frame / 60


@pytest.mark.parametrize("rate", [15, 24, 25, 30, 50, 90, 120])
def test_other_rates_are_resampled(walking, rate):
    """Swinging at 1 Hz by 100 mm: the window is that of the motion itself, to the error of the interpolation."""
    seen: list[torch.Tensor] = []

    class Spy(type(registry.build("zero-velocity", skeleton="cmu"))):
        def predict(self, observed, *labels):
            seen.append(observed.clone())
            return super().predict(observed, *labels)

    def swing(times):
        moved = 100 * np.sin(2 * np.pi * np.asarray(times))[:, None, None]
        return walking[0] + moved * (np.arange(38) != 0)[None, :, None]

    spy = Spy(skeleton="cmu")
    times = np.arange(2 * rate) / rate
    with Stream(spy, options=StreamOptions(longest_gap=0.3)) as stream:
        for time, pose in zip(times, swing(times), strict=True):
            last = stream.push(pose, time)
    assert last is not None
    expected = swing(times[-1] + np.arange(-9, 1) / 60)[:, list(spy.skeleton.used)]
    error = np.abs(seen[-1][0].numpy() - expected).max()
    assert error < 100 * (2 * np.pi / rate) ** 3, error


def test_dropped_frames_cost_little(walking):
    generator = np.random.default_rng(0)
    clean, noisy = Stream(WEIGHTS), Stream(WEIGHTS)
    kept = [frame for frame in range(60) if generator.random() > 0.2 or frame == 59]
    for frame in range(60):
        expected = clean.push(walking[frame], frame / 60)
    for frame in kept:
        got = noisy.push(walking[frame], frame / 60)
    assert got is not None
    assert np.linalg.norm(got.poses - expected.poses, axis=-1).mean() < 20


def test_units(walking):
    with Stream(WEIGHTS) as in_mm, Stream(WEIGHTS, unit="m") as in_m:
        for frame, pose in enumerate(walking[:12]):
            one, other = in_mm.push(pose, frame / 60), in_m.push(pose / 1000, frame / 60)
    np.testing.assert_allclose(other.poses * 1000, one.poses, atol=1e-2)
    np.testing.assert_allclose(other.pose * 1000, walking[11], atol=1e-2)


def test_people_have_buffers_of_their_own_and_are_forgotten(walking, held):
    with Stream(held) as stream:
        for frame in range(12):
            t = frame / 60
            made = stream.push_all({"ann": walking[frame], "bob": walking[frame + 20]}, t)
        assert set(made) == {"ann", "bob"}
        np.testing.assert_allclose(made["ann"].poses[0], walking[11], atol=1e-3)
        np.testing.assert_allclose(made["bob"].poses[0], walking[31], atol=1e-3)
        assert stream.push(walking[12], t + 0.5, "ann") is None
        assert stream.people == ("ann",)


def test_missing_joints(walking, held):
    def last(gaps):
        with Stream(held, gaps=gaps) as stream:
            for frame in range(14):
                pose = walking[frame].copy()
                if frame == 13:
                    pose[5] = np.nan
                got = stream.push(pose, frame / 60)
        return got

    np.testing.assert_allclose(last("hold").poses[0, 5], walking[12, 5], atol=1e-3)
    with pytest.raises(DataError, match="expected all used joints, got NaN for LeftToeBase"):
        last("refuse")


def test_latest_mode_gives_the_newest_that_is_done(walking):
    got, done = [], threading.Event()

    def note(forecast):
        got.append(forecast)
        if forecast.t == 59 / 60:
            done.set()

    with Stream(WEIGHTS, mode="latest", on_forecast=note) as stream:
        for frame, pose in enumerate(walking):
            stream.push(pose, frame / 60)
        assert done.wait(30)
    times = [forecast.t for forecast in got]
    assert times == sorted(times)
    np.testing.assert_allclose(got[-1].poses, Forecaster(WEIGHTS)(walking[50:60]), atol=1e-3)


def test_failures_of_the_thread_reach_the_caller(walking, held):
    def fail(forecast):
        raise ValueError("of the application")

    stream = Stream(held, mode="latest", on_forecast=fail)
    # It comes with a later push, or at the end.
    with pytest.raises(ValueError, match="of the application"):  # noqa: PT012
        for frame, pose in enumerate(walking):
            stream.push(pose, frame / 60)
        stream.close()


def test_memory_does_not_grow(walking, held):
    with Stream(held) as stream:
        for frame in range(50):
            stream.push(walking[frame], frame / 60)
        (buffer,) = stream._people.values()
        before = buffer.num_bytes
        for frame in range(50, 1000):
            stream.push(walking[frame % 60], frame / 60)
        assert (buffer.num_bytes, len(stream._people)) == (before, 1)
        assert stream.latency.count == 991


def test_smoothing_lessens_noise(walking, held):
    noise = np.random.default_rng(0).normal(scale=10, size=(60, 38, 3)) * (np.arange(38) != 0)[:, None]

    def error(options):
        with Stream(held, options=options) as stream:
            got = [stream.push(walking[0] + noise[frame], frame / 60) for frame in range(60)]
        return np.linalg.norm(got[-1].poses[0] - walking[0], axis=-1)[list(held.skeleton.used)].mean()

    assert error(StreamOptions(one_euro=OneEuro(beta=0.0))) < 0.5 * error(None)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda pose: pose[:22], ShapeError, r"expected \(38 joints, 3\), got \(22, 3\)"),
        (lambda pose: "pose", ShapeError, "got str"),
        (lambda pose: pose * np.nan, DataError, "expected joints, got NaN only"),
        (lambda pose: pose / 1000, DataError, "expected a body in mm"),
        (
            lambda pose: pose + 500,
            DataError,
            r"relative to the root, got Hips .* Push pose - pose\[0\]",
        ),
    ],
)
def test_poses_that_cannot_be_are_refused(walking, held, change, error, message):
    with Stream(held) as stream, pytest.raises(error, match=message):
        stream.push(change(walking[0]), 0.0)


def test_times_that_cannot_be_are_refused(walking, held):
    with Stream(held) as stream:
        stream.push(walking[0], 1.0)
        for t in (1.0, 0.5):
            with pytest.raises(DataError, match="expected a time later than 1 s"):
                stream.push(walking[1], t)
        for t in (float("nan"), None):
            with pytest.raises(DataError, match="expected the time of the pose in seconds"):
                stream.push(walking[1], t)
    with Stream(held) as stream, pytest.raises(DataError, match="Give seconds, not milliseconds"):  # noqa: PT012
        for frame in range(20):
            stream.push(walking[frame], 1000 * frame / 60)
    with Stream(held) as stream, pytest.raises(DataError, match="Push every second or third one"):  # noqa: PT012
        for frame in range(1000):
            stream.push(walking[0], frame / 2000)
    with pytest.raises(ConfigError, match=r"after close\(\)"):
        stream.push(walking[0], 9.0)


def test_settings_that_cannot_be_are_refused(held):
    with pytest.raises(ConfigError, match="gaps"):
        Stream(held, gaps="fill")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="mode"):
        Stream(held, mode="all")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="unit"):
        Stream(held, unit="mile")
    with pytest.raises(ConfigError, match="fps"):
        Stream(held, fps=0)
    with pytest.raises(ConfigError, match="longest_gap"):
        StreamOptions(longest_gap=0)
    with pytest.raises(ConfigError, match="interpolation"):
        StreamOptions(interpolation="none")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="one of rotations"):
        Stream(registry.build("zero-velocity", skeleton="cmu-angles"))
