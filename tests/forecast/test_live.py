from __future__ import annotations

import numpy as np
import pytest

from posegraph.errors import DataError
from posegraph.forecast.live import LiveForecast, Stopwatch

FORECAST = LiveForecast(
    "ann", 2.0, np.zeros((1, 3)), np.array([2.1, 2.3]), np.array([10.0, 30.0])[:, None, None] * np.ones(3)
)


@pytest.mark.parametrize(("time", "expected"), [(2.0, 0), (2.05, 5), (2.1, 10), (2.2, 20), (2.3, 30)])
def test_pose_at_a_time(time, expected):
    np.testing.assert_allclose(FORECAST.at(time), [[expected] * 3], atol=1e-9)


@pytest.mark.parametrize("time", [1.9, 2.31, float("nan")])
def test_other_times_are_refused(time):
    with pytest.raises(DataError, match=r"expected one in 2 to 2\.3 s"):
        FORECAST.at(time)


def test_latency_is_of_the_latest_thousand():
    watch = Stopwatch()
    assert (watch.latency.count, watch.latency.p50_ms) == (0, 0.0)
    for _ in range(1000):
        watch.add(1.0)
    for _ in range(1000):
        watch.add(0.004)
    assert watch.latency.count == 2000
    assert watch.latency.p50_ms == pytest.approx(4)
    assert watch.latency.p99_ms == pytest.approx(4)
