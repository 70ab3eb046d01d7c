"""Protocols: everything that a number of a table depends on besides the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from posegraph._support.checks import check_choice, check_positive
from posegraph.data.dataset import MotionDataset
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.evaluation.metrics import euler_error_at, mpjpe_at, mpjpe_up_to

__all__ = ["Metric", "Protocol"]


Metric = Literal["mpjpe_at", "mpjpe_up_to", "euler_at"]
"""Error at a frame, mean error up to it, both of positions; or error of Euler angles at a frame."""

METRICS = {"mpjpe_at": mpjpe_at, "mpjpe_up_to": mpjpe_up_to, "euler_at": euler_error_at}

OF_ROTATIONS = ("euler_at",)

_FRAMES = (1, 3, 7, 9, 13, 24)


@dataclass(frozen=True)
class Protocol:
    """What an error is measured on, and how.

    Errors are comparable only if all of this agrees. The defaults are those of MSR-GCN (Dang et al., ICCV 2021).

    Args:
        dataset: Name of the data set.
        split: Split that windows are cut from.
        windows: Rule that chooses the windows: ``"all"``, ``"8"``, ``"256"``, or another that the data set has.
        joints: ``"full"`` compares all joints, copies of used joints by their source; constant joints count with
            error 0. ``"used"`` compares the joints that models see.
        metric: ``"mpjpe_at"`` for the error at a frame, ``"mpjpe_up_to"`` for the mean of all frames up to it;
            rotations are brought to positions for both. ``"euler_at"`` for the error of the rotations' Euler angles.
        frames: Forecast frames to report, counted from 0. By default those of 1, 3, 7, 9, 13, 24 that exist.
        observed_frames: Frames that the model sees.
        future_frames: Frames that it forecasts.
        label_fps: Frame rate behind the millisecond labels of published tables; by default the data set's.
        actions: Actions to evaluate and to average over; by default all of the data set.
        fps: True frame rate of the poses; by default the data set's.

    Raises:
        ConfigError: A value cannot work.

    Examples:
        >>> from posegraph.evaluation import Protocol
        >>> Protocol("cmu", windows="8", future_frames=10).frames
        (1, 3, 7, 9)
    """

    dataset: str
    split: str = "test"
    windows: str = "all"
    joints: Literal["full", "used"] = "full"
    metric: Metric = "mpjpe_at"
    frames: tuple[int, ...] = ()
    observed_frames: int = 10
    future_frames: int = 25
    label_fps: float | None = None
    actions: tuple[str, ...] = ()
    fps: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        check_choice("joints", self.joints, ("full", "used"))
        check_choice("metric", self.metric, tuple(METRICS))
        check_positive(observed_frames=self.observed_frames, future_frames=self.future_frames)
        frames = tuple(self.frames) or tuple(f for f in _FRAMES if f < self.future_frames) or (self.future_frames - 1,)
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "actions", tuple(self.actions))
        if any(not 0 <= frame < self.future_frames for frame in frames):
            raise ConfigError(
                f"frames: expected forecast frames in 0..{self.future_frames - 1}, got {frames}. Frame 0 is the first "
                "one after the observed frames."
            )
        if self.label_fps is not None and not self.label_fps > 0:
            raise ConfigError(f"label_fps: expected frames a second above 0, got {self.label_fps!r}.")

    @classmethod
    def named(cls, dataset: MotionDataset, name: str = "all", **changes: Any) -> Protocol:
        """A published protocol of a data set, or one of its window rules.

        Args:
            dataset: Data set; its ``protocols`` and ``start_rules`` are the names.
            name: Name of a protocol, such as "pgbig", or of a window rule, such as "8".
            changes: Fields to change.

        Returns:
            The protocol. Without another wish the metric is that of the data set's kind: `mpjpe_at` for positions,
            `euler_at` for rotations; published frames that the model does not forecast are left out, and so are actions
            that the data set was not asked for.

        Raises:
            UnknownNameError: The data set has no protocol or window rule of this name.
            ConfigError: A value cannot work.

        Examples:
            >>> from posegraph import data
            >>> from posegraph.evaluation import Protocol
            >>> cmu = data.load("cmu", "samples")
            >>> len(Protocol.named(cmu, "pgbig").actions), Protocol.named(cmu, "8", metric="mpjpe_up_to").windows
            (7, '8')
        """
        known = {rule: {"windows": rule} for rule in dataset.start_rules} | dict(dataset.protocols)
        if name not in known:
            raise UnknownNameError("protocol", name, known)
        fields: dict[str, Any] = {"metric": "euler_at" if dataset.skeleton.holds == "rotations" else "mpjpe_at"}
        fields |= {**known[name], **changes}
        future_frames = fields.get("future_frames", cls.future_frames)
        if "frames" not in changes:
            fields["frames"] = tuple(f for f in fields.get("frames", ()) if f < future_frames)
        if "actions" not in changes:
            fields["actions"] = tuple(a for a in fields.get("actions", ()) if a in dataset.actions)
        return cls(dataset.name, **fields)

    @property
    def unit(self) -> str:
        """Unit of the errors: "rad" for Euler angles, "mm" for positions."""
        return "rad" if self.metric in OF_ROTATIONS else "mm"

    def describe(self) -> str:
        """One line for the head of a table.

        Examples:
            >>> from posegraph.evaluation import Protocol
            >>> print(Protocol("cmu").describe())
            cmu test, windows: all, 10 -> 25 frames, mpjpe_at, full joints, actions: all
        """
        actions = ", ".join(self.actions) or "all"
        rate = "" if self.fps is None else f", {self.fps:g} fps"
        if self.label_fps not in (None, self.fps):
            rate += f", labelled as {self.label_fps:g} fps" if rate else f", ms labels at {self.label_fps:g} fps"
        return (
            f"{self.dataset} {self.split}, windows: {self.windows}, {self.observed_frames} -> {self.future_frames} "
            f"frames, {self.metric}, {self.joints} joints, actions: {actions}{rate}"
        )
