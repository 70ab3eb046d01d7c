from __future__ import annotations

import gc
import threading
import tracemalloc

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from posegraph import data, registry
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.forecast import Forecaster, Stream, StreamOptions
from posegraph.forecast.streaming import Gaps
from tests.forecast.toys import Drift, Labelled

FPS = 25.0


def pose(frame: float = 0.0) -> np.ndarray:
    """A body of four joints that moves."""
    own = np.array([[0.0, 0, 0], [300, 0, 0], [600, 100, 0], [600, 100, 0]])
    own[1:, 2] += frame
    return own


def stream(**options) -> Stream:
    return Stream(Drift().eval(), **{"fps": FPS, **options})


def fill(own: Stream, frames: int = 3, first: int = 0, **options):
    return [own.push(pose(frame), frame / FPS, **options) for frame in range(first, first + frames)]


@pytest.fixture(scope="module")
def walking():
    return data.load("cmu", "samples", split="test", actions=["walking"]).select("test")[0]


def test_forecasts_are_those_of_the_forecaster(walking):
    model = registry.build("graph-mixer", skeleton="cmu", weights="cmu")
    own, poses = Stream(model), walking.poses[:40].numpy()
    forecasts = [own.push(one, frame / 60) for frame, one in enumerate(poses)]
    assert [forecast is None for forecast in forecasts] == [True] * 9 + [False] * 31
    for frame in (9, 20, 39):
        expected = Forecaster(model)(poses[frame - 9 : frame + 1])
        np.testing.assert_allclose(forecasts[frame].poses, expected, atol=0.01)
        np.testing.assert_allclose(forecasts[frame].pose, poses[frame], atol=1e-3)
        np.testing.assert_allclose(forecasts[frame].times, (frame + np.arange(1, 26)) / 60)
    assert forecasts[39].poses.dtype == np.float32


@pytest.mark.parametrize(
    ("rate", "interpolation", "most"),
    [(120, "cubic", 0.01), (120, "linear", 0.01), (100, "cubic", 0.2), (100, "linear", 0.8), (30, "cubic", 4.0)],
)
def test_the_frame_rate_of_the_camera_matters_little(walking, rate, interpolation, most):
    """Mean distance in mm of forecasts from those at the model's own 60 frames a second."""
    count = walking.num_frames
    motion = CubicSpline(np.arange(count) / 60, walking.poses.double().numpy())

    def forecasts(hz: int) -> dict[int, np.ndarray]:
        own = Stream("graph-mixer/cmu", options=StreamOptions(interpolation=interpolation))
        made = [own.push(motion(k / hz), k / hz) for k in range(int((count - 1) / 60 * hz) + 1)]
        return {round(one.t * 300): one.poses for one in made if one is not None}

    expected, got = forecasts(60), forecasts(rate)
    common = sorted(set(expected) & set(got))
    assert len(common) >= 50
    distances = [np.linalg.norm(got[t] - expected[t], axis=-1).mean() for t in common]
    assert np.mean(distances) < most


def test_jitter_and_dropped_frames_follow_their_time_stamps():
    rng, own, forecast = np.random.default_rng(0), stream(), None
    for k in np.flatnonzero(rng.uniform(size=60) > 0.3):
        t = (k + rng.uniform(-0.3, 0.3)) / 60
        t = max(t, 0.0)
        forecast = own.push(pose(100 * t), t) or forecast  # a motion that is linear in time
        if forecast is not None and forecast.t == t:
            drift = np.array([1.0, 2.0, 3.0])
            np.testing.assert_allclose(forecast.poses[0, 1], pose(100 * t)[1] + drift, atol=1e-3)
    assert forecast is not None


def test_units_are_restored():
    millimetres, metres = stream(), stream(unit="m")
    for frame in range(4):
        expected = millimetres.push(pose(frame), frame / FPS)
        got = metres.push(pose(frame) / 1000, frame / FPS)
    np.testing.assert_allclose(got.poses * 1000, expected.poses, atol=1e-3)
    np.testing.assert_allclose(got.pose * 1000, expected.pose, atol=1e-3)


@pytest.mark.parametrize("gaps", ["hold", "linear"])
def test_missing_joints_are_bridged_for_a_while(gaps: Gaps):
    own = stream(gaps=gaps)
    assert fill(own, 3)[-1] is not None
    lost = pose(3)
    lost[2] = np.nan
    forecast = own.push(lost, 3 / FPS)
    np.testing.assert_allclose(forecast.pose[2], pose(2)[2], atol=1e-4)  # where it was last
    assert [own.push(lost, frame / FPS) is None for frame in range(4, 10)] == [False] * 4 + [True] * 2  # 0.2 s
    assert [one is None for one in fill(own, 3, first=10)] == [True, True, False]


def test_missing_joints_are_refused_if_asked_for():
    own = stream(gaps="refuse")
    lost = pose()
    lost[1, 0] = np.nan
    with pytest.raises(DataError, match=r"pose of person 0: expected all used joints, got NaN for a\. Fill them"):
        own.push(lost, 0.0)
    copy = pose()
    copy[3] = np.nan  # a copy of another joint: the model does not see it
    assert own.push(copy, 0.0) is None


def test_people_have_buffers_of_their_own_and_are_forgotten():
    own = stream()
    fill(own, 3, person="ann")
    assert own.push(pose(0), 2 / FPS, person="bob") is None
    assert own.people == ("ann", "bob")
    assert own.push(pose(1), 2 / FPS + 0.05, person="bob") is None
    assert own.push(pose(2), 2 / FPS + 0.25, person="bob") is not None
    assert own.people == ("bob",)
    assert own.push(pose(3), 2 / FPS + 0.26, person="ann") is None


def test_people_are_forecast_in_one_batch(monkeypatch):
    own, shapes = stream(), []
    forecaster = own._forecaster
    monkeypatch.setattr(own, "_forecaster", lambda poses: (shapes.append(poses.shape), forecaster(poses))[1])
    for frame in range(3):
        made = own.push_all({"ann": pose(frame), "bob": pose(10 + frame)}, frame / FPS)
    assert shapes == [(2, 3, 4, 3)]
    np.testing.assert_allclose(made["bob"].pose - made["ann"].pose, pose(10) - pose(0), atol=1e-3)
    assert own.latency.count == 2


def test_callbacks_get_every_forecast():
    got = []
    own = stream(on_forecast=got.append)
    made = [one for one in fill(own, 6) if one is not None]
    assert got == made
    assert len(got) == 4


def test_the_latest_pose_is_forecast_by_a_thread():
    started, may_go, got = threading.Event(), threading.Event(), []
    own = stream(mode="latest", on_forecast=lambda one: (got.append(one.t), started.set(), may_go.wait(10)))
    fill(own, 3)
    assert started.wait(10)
    fill(own, 17, first=3)  # returns at once, though the first forecast is held up
    may_go.set()
    own.close()
    assert got == [2 / FPS, 19 / FPS]  # what was pushed in between is left out


def test_the_newest_forecast_is_handed_out():
    done = threading.Event()
    with stream(mode="latest", on_forecast=lambda _: done.set()) as own:
        assert fill(own, 3) == [None] * 3
        assert done.wait(10)
        for frame in range(3, 200):  # the callback comes just before the forecast is laid out
            if forecast := own.push(pose(frame), frame / FPS):
                break
        assert forecast is not None
        assert forecast.t >= 2 / FPS


def test_failures_of_the_thread_are_raised():
    def fail(_):
        raise RuntimeError("callback")

    own = stream(mode="latest", on_forecast=fail)
    fill(own, 3)
    with pytest.raises(RuntimeError, match="callback"):
        own.close()


def test_several_threads_may_push():
    own, failures = stream(), []

    def push(person: int) -> None:
        try:
            for frame in range(100):
                forecast = own.push(pose(person), frame / FPS, person)
                assert (forecast is None) == (frame < 2)
                if forecast is not None:
                    np.testing.assert_allclose(forecast.pose, pose(person), atol=1e-4)
        except Exception as error:
            failures.append(error)

    options = StreamOptions(longest_gap=100.0)
    own = stream(options=options)
    threads = [threading.Thread(target=push, args=(person,)) for person in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert own.latency.count == 4 * 98


def test_memory_stays_flat_over_20000_frames():
    own, rng = stream(), np.random.default_rng(0)

    def run(first: int, frames: int) -> int:
        for k in range(first, first + frames):
            own.push(pose(k % 50), k / 100 + rng.uniform(0, 0.004), person=k // 1000)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    run(0, 18000)
    tracemalloc.start()  # it slows everything down, so only now
    try:
        first = run(18000, 500)
        last = run(18500, 1500)
    finally:
        tracemalloc.stop()
    assert last - first < 20_000  # bytes; 1500 poses of 4 joints are 144,000
    assert len(own.people) == 1
    assert own.latency.count > 19_000


def test_a_closed_stream_takes_no_pose():
    own = stream()
    own.close()
    own.close()
    with pytest.raises(ConfigError, match=r"stream: expected an open one, got a pose after close\(\)"):
        own.push(pose(), 0.0)


@pytest.mark.parametrize("t", [0.0, 0.04])
def test_a_step_back_in_time_is_refused(t):
    own = stream()
    fill(own, 2)
    with pytest.raises(DataError, match=rf"t: expected a time later than 0\.04 s, .*, got {t:g}\. Push poses in"):
        own.push(pose(), t)
    assert own.push(pose(2), 2 / FPS) is not None  # nothing was lost


@pytest.mark.parametrize("t", [np.nan, np.inf, "soon", None])
def test_times_are_numbers(t):
    with pytest.raises(DataError, match="t: expected the time of the pose in seconds, got no finite number"):
        stream().push(pose(), t)


def test_milliseconds_are_noticed():
    own = stream()
    for frame in range(5):
        assert own.push(pose(), 40.0 * frame) is None
    with pytest.raises(DataError, match=r"poses at most 0\.2 s apart, got 40 s, 5 times in a row.*not milliseconds"):
        own.push(pose(), 200.0)


def test_too_many_poses_a_second_are_noticed():
    own = stream()
    with pytest.raises(DataError, match="expected 15 to 120 poses a second of person 0, got about 1000"):
        _ = [own.push(pose(), frame / 1000) for frame in range(100)]


def test_poses_that_cannot_be_are_refused():
    own = stream()
    for wrong, got in (
        (np.zeros((3, 3)), r"\(3, 3\)"),
        (np.zeros(12), r"\(12,\)"),
        ("pose", "str"),
        (None, "NoneType"),
    ):
        with pytest.raises(
            ShapeError, match=rf"pose of person 0: expected \(4 joints, 3\), got {got}\. Give all joints"
        ):
            own.push(wrong, 0.0)
    with pytest.raises(DataError, match="pose of person 0: expected joints, got NaN only"):
        own.push(np.full((4, 3), np.nan), 0.0)
    with pytest.raises(DataError, match=r"expected a body in mm, got joints up to 0\.6 mm from the root\. Set the"):
        own.push(pose() / 1000, 0.0)
    with pytest.raises(DataError, match=r"expected a body in m, got joints up to 600 m from the root"):
        stream(unit="m").push(pose(), 0.0)
    with pytest.raises(
        DataError, match=r"relative to the root, got the root 1e\+03 mm from the origin\. Push pose - pose"
    ):
        own.push(pose() + np.array([0, 1000, 0]), 0.0)
    assert own.people == ()


def test_settings_that_cannot_work_are_refused():
    for options, message in (
        ({"gaps": "fill"}, "gaps: expected one of 'hold', 'linear', 'refuse'; got 'fill'"),
        ({"mode": "all"}, "mode: expected one of 'every', 'latest'; got 'all'"),
        ({"unit": "feet"}, "unit: expected one of"),
        ({"fps": 0}, "fps: expected a number above 0, got 0"),
        ({"fps": None}, r"fps: expected the frames a second .* got None\. Skeleton 'body' does not say it"),
    ):
        with pytest.raises(ConfigError, match=message):
            stream(**options)
    with pytest.raises(ConfigError, match=r"longest_gap: expected seconds above 0, got 0"):
        StreamOptions(longest_gap=0)
    with pytest.raises(ConfigError, match="interpolation: expected one of 'linear', 'cubic'; got 'spline'"):
        StreamOptions(interpolation="spline")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="expected one of joint positions, got one of rotations, of skeleton 'cmu-a"):
        Stream(registry.build("zero-velocity", skeleton="cmu-angles"))


def test_labelled_models_need_the_action():
    own = Stream(Labelled().eval(), fps=FPS, options=StreamOptions(action="wave"))
    plain = stream()
    made, expected = fill(own)[-1], fill(plain)[-1]
    np.testing.assert_allclose(made.poses[:, 1:] - expected.poses[:, 1:], 1.0, atol=1e-3)


def test_a_fast_stream_forecasts_the_same(walking):
    torch.manual_seed(0)
    model = registry.build("traj-gcn", skeleton="cmu", channels=8, num_blocks=1).eval()
    plain, fast = Stream(model), Stream(model, options=StreamOptions(fast=True))
    for frame, one in enumerate(walking.poses[:12].numpy()):
        expected, got = plain.push(one, frame / 60), fast.push(one, frame / 60)
    np.testing.assert_allclose(got.poses, expected.poses, atol=1e-2)
    assert "traj-gcn" in repr(fast)
