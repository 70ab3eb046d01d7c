"""Forecasts of live motion: poses in as they come, forecasts out at the model's frame rate."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np

from posegraph._support.checks import check_choice
from posegraph._support.units import millimetres
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.forecast.forecaster import Forecaster
from posegraph.forecast.live import Latency, LiveForecast, Stopwatch
from posegraph.forecast.motion_buffer import Gaps, Interpolation, MotionBuffer, OneEuro
from posegraph.models.base import ForecastModel
from posegraph.weights.reference import TrainedWeights

__all__ = ["Stream", "StreamOptions"]

Mode = Literal["every", "latest"]
"""Whether each pose is forecast before ``push`` returns, or the latest one whenever a thread is free."""
_HIGHEST_RATE = 120  # poses a second and person
_SMALLEST_REACH, _LARGEST_REACH = 100.0, 10_000.0  # mm: bodies in another unit are smaller or larger
_ROOT_MAY_MOVE = 10.0  # mm
_TOO_FAR_APART = 5  # times in a row: no person comes back as often, the unit of time is wrong


@dataclass(frozen=True)
class StreamOptions:
    """What is seldom changed about a stream.

    Args:
        longest_gap: Seconds that a joint, or a whole person, may be missing: above 0.
        interpolation: How poses at the model's frame rate are found between those that came: ``"linear"`` or
            ``"cubic"``.
        one_euro: Filter to smooth poses with before they are forecast; None for none.
        action: What the subject does; needed by a model with action labels, and only by it.
        fast: Forecast with `posegraph.optimize(model)`.

    Raises:
        ConfigError: A value cannot work.
    """

    longest_gap: float = 0.2
    interpolation: Interpolation = "cubic"
    one_euro: OneEuro | None = None
    action: str | None = None
    fast: bool = False

    def __post_init__(self) -> None:
        check_choice("interpolation", self.interpolation, get_args(Interpolation))
        if not 0 < self.longest_gap < math.inf:
            raise ConfigError(f"longest_gap: expected seconds above 0, got {self.longest_gap!r}.")


@dataclass
class _Job:
    """A window to forecast."""

    person: Hashable
    t: float
    window: np.ndarray = field(repr=False)
    started: float


class Stream:
    """Forecasts people from poses that come one by one, at any rate from 15 to 120 a second.

    A pose has all joints of the model's skeleton, relative to the root as the model needs it. Poses are resampled to
    the model's frame rate on the fly: the window that the model sees ends with the latest pose. So frames may be
    dropped or jitter, as long as their time stamps are true. Each person has a buffer of its own; one that is not seen
    for longer than the longest gap is forgotten. Memory does not grow with time. Several threads may push.

    A missing joint is NaN. ``gaps`` says what happens to it for up to ``longest_gap`` seconds:

    * ``"hold"``: it stays where it was seen last;
    * ``"linear"``: the same, and once it is back, its way in between becomes a straight line;
    * ``"refuse"``: an error.

    After a longer gap of a used joint, the person's window fills anew.

    Args:
        model: A model, or a reference to a trained one, as `posegraph.checkpoint.load` takes it.
        fps: Frames a second that the model was trained with; by default those of its skeleton.
        unit: Unit of the poses that come and of the forecasts: "mm", "cm", "m" or "inch".
        gaps: As above.
        mode: ``"every"``: `push` forecasts each pose before it returns. ``"latest"``: a thread forecasts the latest
            pose of everybody at once; `push` returns without waiting, with the newest forecast that is done.
        on_forecast: Called with each forecast, from the thread that made it.
        options: What is seldom changed.

    Raises:
        ConfigError: A value is not one of those above; the frame rate is not known; the model is of rotations; or as
            `Forecaster` says.
        CheckpointError: There is no trained model of this reference, or it is damaged.

    Examples:
        >>> from posegraph import data
        >>> from posegraph.forecast import Stream
        >>> walking = data.load("cmu", "samples", split="test", actions=["walking"]).clips["test"][0]
        >>> with Stream("graph-mixer/cmu") as stream:
        ...     for frame, pose in enumerate(walking.poses.numpy()):
        ...         forecast = stream.push(pose, t=frame / walking.fps)
        >>> forecast.poses.shape, round(float(forecast.times[0] - forecast.t), 4), stream.latency.count
        ((25, 38, 3), 0.0167, 171)
    """

    def __init__(
        self,
        model: ForecastModel | str | Path | TrainedWeights,
        *,
        fps: float | None = None,
        unit: str = "mm",
        gaps: Gaps = "hold",
        mode: Mode = "every",
        on_forecast: Callable[[LiveForecast], object] | None = None,
        options: StreamOptions | None = None,
    ) -> None:
        check_choice("gaps", gaps, get_args(Gaps))
        check_choice("mode", mode, get_args(Mode))
        self._gaps: Gaps = gaps
        self._scale, self._mode, self._on_forecast = millimetres(unit), mode, on_forecast
        self._unit, self._options = unit, options or StreamOptions()
        self._forecaster = Forecaster(model, action=self._options.action, fast=self._options.fast)
        self.model = self._forecaster.model
        """The model."""
        self.fps = _rate(fps, self._forecaster)
        """Frames a second that the model sees and forecasts."""
        self._ago = np.arange(1 - self.model.observed_frames, 1) / self.fps
        self._ahead = np.arange(1, self.model.future_frames + 1) / self.fps
        self._capacity = math.ceil(-self._ago[0] * _HIGHEST_RATE * 1.2) + 8
        skeleton = self.model.skeleton
        root = skeleton.joint_names[skeleton.root]
        self._fixed_root = skeleton.root if root in skeleton.constant else None
        self._people: dict[Hashable, MotionBuffer] = {}
        self._last: dict[Hashable, float] = {}
        self._far_apart = 0
        self._watch = Stopwatch()
        self._is_open = True
        self._waiting: dict[Hashable, _Job] = {}
        self._done: dict[Hashable, LiveForecast] = {}
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        if mode == "latest":
            self._thread = threading.Thread(target=self._work, name="posegraph-stream", daemon=True)
            self._thread.start()

    @property
    def people(self) -> tuple[Hashable, ...]:
        """Who has been seen lately."""
        with self._changed:
            return tuple(self._people)

    @property
    def latency(self) -> Latency:
        """How long forecasts took, from the call of `push` on."""
        with self._changed:
            return self._watch.latency

    def push(self, pose: np.ndarray, t: float, person: Hashable = 0) -> LiveForecast | None:
        """Take a pose.

        Args:
            pose: All joints ``(joints, 3)`` of the model's skeleton, in the stream's unit; NaN where one is missing.
            t: When it was seen, in seconds of any clock; later than this person's pose before.
            person: Who it is.

        Returns:
            The forecast; None while there are too few poses, or, in mode ``"latest"``, no new forecast.

        Raises:
            ShapeError: The joints are not those of the skeleton.
            DataError: No joint is known; the time is not later than before, or poses come too slowly or too fast; the
                pose cannot be in the stream's unit or is not relative to the root; or a joint is missing and ``gaps``
                is ``"refuse"``.
            ConfigError: The stream is closed.
        """
        return self.push_all({person: pose}, t).get(person)

    def push_all(self, poses: Mapping[Hashable, np.ndarray], t: float) -> dict[Hashable, LiveForecast]:
        """Take poses of several people at one time, and forecast them in one batch.

        Args:
            poses: The pose of each person, as in `push`. A pose that is refused refuses all.
            t: As in `push`.

        Returns:
            The forecasts of those people for whom there is one.

        Raises:
            PosegraphError: As in `push`.
        """
        started = time.perf_counter()
        with self._changed:
            if not self._is_open:
                raise ConfigError("stream: expected an open one, got a pose after close(). Make a new Stream.")
            self._raise_failure()
            t = self._check_time(t, poses)
            checked = {person: self._check_pose(pose, person) for person, pose in poses.items()}
            jobs = [job for person, pose in checked.items() if (job := self._take(person, pose, t, started))]
            if self._mode == "latest":
                self._waiting |= {job.person: job for job in jobs}
                self._changed.notify_all()
                return {person: self._done.pop(person) for person in checked if person in self._done}
            made = self._forecast(jobs)
        for forecast in made:
            if self._on_forecast is not None:
                self._on_forecast(forecast)
        return {forecast.person: forecast for forecast in made}

    def close(self) -> None:
        """Take no more poses; in mode ``"latest"`` wait for what is being forecast. Closing twice is no error."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
            self._raise_failure()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = self.model.registry_name or type(self.model).__name__
        return f"Stream({name!r}, fps={self.fps:g}, unit={self._unit!r}, mode={self._mode!r})"

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _take(self, person: Hashable, pose: np.ndarray, t: float, started: float) -> _Job | None:
        """Put a pose into its person's buffer, and make a job of it if the buffer is long enough."""
        if person not in self._people:
            self._people[person] = MotionBuffer(
                joints=len(pose),
                used=list(self.model.skeleton.used),
                capacity=self._capacity,
                longest_gap=self._options.longest_gap,
                gaps=self._gaps,
                one_euro=self._options.one_euro,
            )
        buffer, self._last[person] = self._people[person], t
        if not buffer.add(pose, t):
            return None
        window = buffer.window(t + self._ago, self._options.interpolation)
        if window is not None:
            return _Job(person, t, window, started)
        if len(buffer.times) == self._capacity:
            rate = (self._capacity - 1) / (buffer.times[-1] - buffer.times[0])
            raise DataError(
                f"t: expected 15 to {_HIGHEST_RATE} poses a second of person {person!r}, got about {rate:.0f}. Push "
                "every second or third one."
            )
        return None

    def _forecast(self, jobs: list[_Job]) -> list[LiveForecast]:
        """Forecast windows in one batch."""
        if not jobs:
            return []
        windows = np.stack([job.window for job in jobs]).astype(np.float32)
        futures = self._forecaster(windows) / np.float32(self._scale)
        poses = windows[:, -1] / np.float32(self._scale)
        made = [
            LiveForecast(job.person, job.t, pose, job.t + self._ahead, future)
            for job, pose, future in zip(jobs, poses, futures, strict=True)
        ]
        ended = time.perf_counter()
        for job in jobs:
            self._watch.add(ended - job.started)
        return made

    def _work(self) -> None:
        """The thread of mode "latest"."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or not self._is_open)
                jobs, self._waiting = list(self._waiting.values()), {}
            if not jobs:
                return
            try:
                made = self._forecast(jobs)
                for forecast in made:
                    if self._on_forecast is not None:
                        self._on_forecast(forecast)
            except BaseException as error:  # for the thread that pushes next, or closes
                with self._changed:
                    self._failure = error
                continue
            with self._changed:
                self._done |= {forecast.person: forecast for forecast in made if forecast.person in self._people}

    def _check_time(self, t: Any, people: Mapping[Hashable, object]) -> float:
        """Require a time later than before, and forget who was not seen for too long."""
        try:
            t = float(t)
        except (TypeError, ValueError):
            t = math.nan
        if not math.isfinite(t):
            raise DataError("t: expected the time of the pose in seconds, got no finite number.")
        longest = self._options.longest_gap
        for person in people:
            last = self._last.get(person, -math.inf)
            if t <= last:
                raise DataError(
                    f"t: expected a time later than {last:g} s, when person {person!r} was seen last, got {t:g}. Push "
                    "poses in the order of time, each once."
                )
            if person in self._last:
                self._far_apart = self._far_apart + 1 if t - last > longest else 0
            if self._far_apart >= _TOO_FAR_APART:
                raise DataError(
                    f"t: expected poses at most {longest:g} s apart, got {t - last:g} s, {self._far_apart} times in a "
                    "row. Give seconds, not milliseconds, or set longest_gap."
                )
        for person in [person for person, last in self._last.items() if t - last > longest]:
            del self._last[person], self._people[person]
            self._done.pop(person, None)
        return t

    def _check_pose(self, pose: Any, person: Hashable) -> np.ndarray:
        """The pose in millimetres."""
        skeleton = self.model.skeleton
        try:
            own = np.array(pose, dtype=np.float64)
        except (TypeError, ValueError):
            own = np.empty(0)
        if own.shape != (skeleton.num_joints, 3):
            got = own.shape if own.size and own.ndim else type(pose).__name__
            remedy = f"Give all joints of skeleton {skeleton.name!r}, NaN where one is missing."
            raise ShapeError(f"pose of person {person!r}", f"({skeleton.num_joints} joints, 3)", got, remedy)
        own *= self._scale
        missing: np.ndarray = np.logical_not(np.isfinite(own).all(axis=-1))
        if missing.all():
            raise DataError(
                f"pose of person {person!r}: expected joints, got NaN only. Push nothing while nobody is seen."
            )
        lost = [skeleton.joint_names[joint] for joint in skeleton.used if missing[joint]]
        if lost and self._gaps == "refuse":
            raise DataError(
                f"pose of person {person!r}: expected all used joints, got NaN for {', '.join(lost)}. Fill them, or "
                "use gaps='hold'."
            )
        self._check_place(own[~missing], own, person)
        return own

    def _check_place(self, known: np.ndarray, pose: np.ndarray, person: Hashable) -> None:
        """Require a body of human size around its root."""
        root = self._fixed_root
        away = 0.0 if root is None else float(np.linalg.norm(pose[root]))
        if away > _ROOT_MAY_MOVE:  # not if it is missing, which is NaN
            raise DataError(
                f"pose of person {person!r}: expected joints relative to the root, got the root "
                f"{away / self._scale:.3g} {self._unit} from the origin. Push pose - pose[{root}]."
            )
        if person in self._people:
            return
        reach = float(np.abs(known).max())
        if not _SMALLEST_REACH <= reach <= _LARGEST_REACH:
            raise DataError(
                f"pose of person {person!r}: expected a body in {self._unit}, got joints up to "
                f"{reach / self._scale:.3g} {self._unit} from the root. Set the stream's unit."
            )


def _rate(fps: float | None, forecaster: Forecaster) -> float:
    skeleton = forecaster.model.skeleton
    if skeleton.holds != "positions":
        raise ConfigError(
            f"model: expected one of joint positions, got one of rotations, of skeleton {skeleton.name!r}. Use a model "
            "of positions."
        )
    rate = forecaster.model_fps if fps is None else fps
    if rate is None or not 0 < rate < math.inf:
        raise ConfigError(
            f"fps: expected the frames a second that the model was trained with, got {rate}. Skeleton "
            f"{skeleton.name!r} does not say it."
            if fps is None
            else f"fps: expected a number above 0, got {fps!r}."
        )
    return float(rate)
