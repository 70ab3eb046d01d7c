"""The latest poses of one person, as a camera gives them, and the window that a model sees of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Gaps", "Interpolation", "MotionBuffer", "OneEuro"]

Gaps = Literal["hold", "linear", "refuse"]
"""What happens to joints that are missing for a while, see `posegraph.forecast.Stream`."""
Interpolation = Literal["linear", "cubic"]
"""How poses between two received ones are found."""
_SAME_TIME = 1e-6  # s: time stamps are floats


@dataclass(frozen=True)
class OneEuro:
    """Settings of a One Euro filter (Casiez et al., CHI 2012): a low-pass filter that opens up for fast motion.

    Args:
        min_cutoff: Cut-off frequency at rest in Hz; lower is smoother.
        beta: Hz by which it rises with each mm/s of speed; higher lags less.
        speed_cutoff: Cut-off frequency of the speed itself in Hz.
    """

    min_cutoff: float = 1.0
    beta: float = 0.01
    speed_cutoff: float = 1.0


class MotionBuffer:
    """A ring of poses with their times; its memory does not grow.

    Args:
        joints: Number of joints.
        used: Joints that have to be known.
        capacity: Poses to keep.
        longest_gap: Seconds that a joint may be missing.
        gaps: "hold" or "linear".
        one_euro: Filter to smooth poses with; None for none.

    Examples:
        >>> import numpy as np
        >>> from posegraph.forecast.motion_buffer import MotionBuffer
        >>> buffer = MotionBuffer(joints=1, used=[0], capacity=8, longest_gap=0.2)
        >>> for frame in range(3):
        ...     known = buffer.add(np.full((1, 3), 10.0 * frame), 0.1 * frame)
        >>> buffer.window(np.array([0.05, 0.1]))[:, 0, 0].round(6).tolist()
        [5.0, 10.0]
    """

    def __init__(
        self,
        *,
        joints: int,
        used: list[int],
        capacity: int,
        longest_gap: float,
        gaps: Gaps = "hold",
        one_euro: OneEuro | None = None,
    ) -> None:
        self._used, self._longest_gap, self._gaps, self._one_euro = used, longest_gap, gaps, one_euro
        self._times = np.zeros(2 * capacity)  # twice, so that the latest poses always lie side by side
        self._poses = np.zeros((2 * capacity, joints, 3))
        self._capacity, self._end, self._start = capacity, 0, 0
        self._seen = np.full(joints, -np.inf)
        self._speed = np.zeros((joints, 3))

    @property
    def num_bytes(self) -> int:
        """Memory of the poses."""
        return self._times.nbytes + self._poses.nbytes

    @property
    def times(self) -> np.ndarray:
        """Times of the poses that are kept, in seconds, oldest first."""
        return self._times[self._start : self._end]

    @property
    def poses(self) -> np.ndarray:
        """The poses that are kept, ``(frames, joints, 3)``."""
        return self._poses[self._start : self._end]

    def add(self, pose: np.ndarray, time: float) -> bool:
        """Take a pose ``(joints, 3)``; missing joints are NaN.

        Returns:
            Whether all used joints are known, now or from less than the longest gap ago. If not, all poses so far are
            forgotten.
        """
        missing: np.ndarray = np.logical_not(np.isfinite(pose).all(axis=-1))
        pose = pose.copy()
        if missing.any():
            held = missing & (time - self._seen <= self._longest_gap + _SAME_TIME)
            if self._end > self._start:
                pose[held] = self.poses[-1, held]
            pose[missing & ~held] = np.nan
        if not np.isfinite(pose[self._used]).all():
            self.clear()
            return False
        if self._gaps == "linear" and self._end > self._start:
            self._bridge(pose, time, missing)
        self._seen[~missing] = time
        self._append(self._smooth(pose, time), time)
        return True

    def clear(self) -> None:
        """Forget all poses."""
        self._start = self._end = 0
        self._seen[:] = -np.inf
        self._speed[:] = 0

    def window(self, times: np.ndarray, interpolation: Interpolation = "linear") -> np.ndarray | None:
        """Poses at some times, ``(len(times), joints, 3)``; None if the first of them is before all that is kept."""
        known = self.times
        if not len(known) or times[0] < known[0] - _SAME_TIME or len(known) < min(2, len(times)):
            return None
        if len(known) == 1:
            return self.poses[[0]]
        after = np.searchsorted(known, times, side="left").clip(1, len(known) - 1)
        first = after[0] - 1
        kept, poses, after = known[first:], self.poses[first:], after - first
        before = after - 1
        step = (kept[after] - kept[before])[:, None, None]
        part = ((times - kept[before]).clip(min=0)[:, None, None] / step).clip(max=1)
        if interpolation == "linear":
            return poses[before] + part * (poses[after] - poses[before])
        slopes = np.gradient(poses, kept, axis=0)
        change = poses[after] - poses[before]
        bend = part * (1 - part)
        straight = poses[before] + part * change
        left, right = step * slopes[before] - change, step * slopes[after] - change
        return straight + bend * ((1 - part) * left - part * right)

    def _bridge(self, pose: np.ndarray, time: float, missing: np.ndarray) -> None:
        """Put what was held of joints that are back on a straight line."""
        back = ~missing & (self._seen < self.times[-1]) & np.isfinite(self._seen)
        for joint in np.flatnonzero(back):
            rows = self.times > self._seen[joint]
            part = (self.times[rows] - self._seen[joint]) / (time - self._seen[joint])
            held = self.poses[rows, joint]
            self.poses[rows, joint] = held + part[:, None] * (pose[joint] - held)

    def _smooth(self, pose: np.ndarray, time: float) -> np.ndarray:
        filter_ = self._one_euro
        if filter_ is None or self._end == self._start:
            return pose
        last, step = self.poses[-1], time - self.times[-1]
        last = np.where(np.isfinite(last), last, pose)
        speed = (pose - last) / step
        self._speed += _weight(filter_.speed_cutoff, step) * (np.nan_to_num(speed) - self._speed)
        cutoff = filter_.min_cutoff + filter_.beta * np.abs(self._speed)
        return last + _weight(cutoff, step) * (pose - last)

    def _append(self, pose: np.ndarray, time: float) -> None:
        if self._end == len(self._times):
            kept = slice(self._end - self._capacity, self._end)
            self._times[: self._capacity], self._poses[: self._capacity] = self._times[kept], self._poses[kept]
            self._end = self._capacity
        self._times[self._end], self._poses[self._end] = time, pose
        self._end += 1
        self._start = max(0, self._end - self._capacity)


def _weight(cutoff: float | np.ndarray, step: float) -> float | np.ndarray:
    """Weight of a new value in a low-pass filter of a cut-off frequency."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)
