"""What a stream gives: forecasts with their times, and how long they took."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from posegraph.errors import DataError

__all__ = ["Latency", "LiveForecast", "Stopwatch"]

_REMEMBERED = 1000  # forecasts whose latency counts


@dataclass(frozen=True, eq=False)
class LiveForecast:
    """A forecast of one person, in the unit of the stream.

    Args:
        person: Whose.
        t: Time of the latest pose in seconds.
        pose: The latest pose, ``(joints, 3)``.
        times: Times of the forecast poses in seconds, ``(future_frames,)``.
        poses: The forecast poses, ``(future_frames, joints, 3)``.
    """

    person: Hashable
    t: float
    pose: np.ndarray = field(repr=False)
    times: np.ndarray = field(repr=False)
    poses: np.ndarray = field(repr=False)

    def at(self, time: float) -> np.ndarray:
        """The pose ``(joints, 3)`` forecast for a time, between the forecast poses on a straight line.

        A camera that is 100 ms late gives ``t`` of 100 ms ago: ``forecast.at(forecast.t + 0.1)`` is the pose of now.

        Raises:
            DataError: The time is before the latest pose or after the last forecast one.
        """
        if not self.t <= time <= self.times[-1]:
            raise DataError(
                f"time: expected one in {self.t:g} to {self.times[-1]:g} s, which the forecast covers, got {time:g}. "
                "Forecast more frames."
            )
        times, poses = np.append(self.t, self.times), np.concatenate([self.pose[None], self.poses])
        after = int(np.searchsorted(times, time).clip(1))
        part = (time - times[after - 1]) / (times[after] - times[after - 1])
        return poses[after - 1] + part * (poses[after] - poses[after - 1])


@dataclass(frozen=True)
class Latency:
    """How long forecasts took, from the call of ``push`` on; of the latest thousand."""

    count: int
    """Forecasts since the stream was opened."""
    p50_ms: float
    """Median in milliseconds; 0 before the first forecast."""
    p99_ms: float
    """What 99 of 100 stay below."""

    def __str__(self) -> str:
        return f"{self.count} forecasts, latency {self.p50_ms:.2f} ms (median), {self.p99_ms:.2f} ms (99 of 100)"


class Stopwatch:
    """Collects the seconds that forecasts took.

    Examples:
        >>> from posegraph.forecast.live import Stopwatch
        >>> watch = Stopwatch()
        >>> for seconds in (0.001, 0.002, 0.003):
        ...     watch.add(seconds)
        >>> print(watch.latency)
        3 forecasts, latency 2.00 ms (median), 2.98 ms (99 of 100)
    """

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)
        self._count = 0

    def add(self, seconds: float) -> None:
        """Note one."""
        self._seconds.append(seconds)
        self._count += 1

    @property
    def latency(self) -> Latency:
        """What is known so far."""
        if not self._seconds:
            return Latency(0, 0.0, 0.0)
        p50, p99 = np.percentile(np.fromiter(self._seconds, float), [50, 99]) * 1000
        return Latency(self._count, float(p50), float(p99))
