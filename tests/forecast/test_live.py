from __future__ import annotations

import numpy as np
import pytest

from posegraph.errors import DataError
from posegraph.forecast.live import LiveForecast, Stopwatch


def test_poses_between_forecast_ones_lie_on_a_line():
    poses = np.array([[[2.0, 0, 0]], [[6.0, 0, 0]]])
    forecast = LiveForecast(0, 1.0, np.zeros((1, 3)), np.array([1.1, 1.2]), poses)
    moments = [1.0, 1.05, 1.1, 1.15, 1.2]
    np.testing.assert_allclose([forecast.at(t)[0, 0] for t in moments], [0, 1, 2, 4, 6], atol=1e-9)
    for outside in (0.9, 1.3):
        with pytest.raises(DataError, match=rf"time: expected one in 1 to 1\.2 s, .*, got {outside}"):
            forecast.at(outside)


def test_latency_is_that_of_the_latest_thousand():
    watch = Stopwatch()
    assert (watch.latency.count, watch.latency.p50_ms, watch.latency.p99_ms) == (0, 0.0, 0.0)
    seconds = np.random.default_rng(0).uniform(0, 0.01, 1500)
    for one in seconds:
        watch.add(one)
    expected = np.percentile(seconds[-1000:] * 1000, [50, 99])
    assert watch.latency.count == 1500
    np.testing.assert_allclose([watch.latency.p50_ms, watch.latency.p99_ms], expected)
