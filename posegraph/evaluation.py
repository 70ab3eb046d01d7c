"""Evaluation under a named protocol: a number and everything that it depends on, together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from posegraph._checks import check_choice, check_positive
from posegraph._files import replace_file
from posegraph.data.dataset import MotionDataset
from posegraph.data.windows import Windows
from posegraph.errors import ConfigError
from posegraph.metrics import mpjpe_at, mpjpe_up_to
from posegraph.models.base import ForecastModel

__all__ = ["ActionResult", "Protocol", "Result", "evaluate"]

_METRICS = {"mpjpe_at": mpjpe_at, "mpjpe_up_to": mpjpe_up_to}
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
        metric: ``"mpjpe_at"`` for the error at a frame, ``"mpjpe_up_to"`` for the mean of all frames up to it.
        frames: Forecast frames to report, counted from 0. By default those of 1, 3, 7, 9, 13, 24 that exist.
        observed_frames: Frames that the model sees.
        future_frames: Frames that it forecasts.
        label_fps: Frame rate behind the millisecond labels of tables; by default the data set's.
        actions: Actions to evaluate and to average over; by default all of the data set.

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
    metric: Literal["mpjpe_at", "mpjpe_up_to"] = "mpjpe_at"
    frames: tuple[int, ...] = ()
    observed_frames: int = 10
    future_frames: int = 25
    label_fps: float | None = None
    actions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_choice("joints", self.joints, ("full", "used"))
        check_choice("metric", self.metric, tuple(_METRICS))
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

    def describe(self) -> str:
        """One line for the head of a table.

        Examples:
            >>> from posegraph.evaluation import Protocol
            >>> print(Protocol("cmu").describe())
            cmu test, windows: all, 10 -> 25 frames, mpjpe_at, full joints, actions: all
        """
        actions = ", ".join(self.actions) or "all"
        labels = "" if self.label_fps is None else f", ms labels at {self.label_fps:g} fps"
        return (
            f"{self.dataset} {self.split}, windows: {self.windows}, {self.observed_frames} -> {self.future_frames} "
            f"frames, {self.metric}, {self.joints} joints, actions: {actions}{labels}"
        )


@dataclass(frozen=True)
class ActionResult:
    """Errors of one action.

    Args:
        windows: Number of windows that were averaged.
        mpjpe_mm: Error at each frame of the protocol, in millimetres.
    """

    windows: int
    mpjpe_mm: tuple[float, ...]


@dataclass(frozen=True)
class Result:
    """Errors by action, with the protocol that they hold for.

    Args:
        protocol: What was measured; ``actions`` and ``label_fps`` are filled in.
        actions: Errors of each action that had clips.
        model: Name of the model and, of a trained checkpoint, seed, epoch and how the epoch was selected.
    """

    protocol: Protocol
    actions: Mapping[str, ActionResult]
    model: Mapping[str, Any] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """Actions of the protocol for which the data set had no clip; the mean leaves them out."""
        return tuple(action for action in self.protocol.actions if action not in self.actions)

    @property
    def mpjpe_mm(self) -> tuple[float, ...]:
        """Unweighted mean over actions, at each frame."""
        columns = zip(*(action.mpjpe_mm for action in self.actions.values()), strict=True)
        return tuple(sum(column) / len(column) for column in columns)

    @property
    def mean_mm(self) -> float:
        """Mean over actions and frames: the single number that papers quote."""
        return sum(self.mpjpe_mm) / len(self.mpjpe_mm)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary: protocol, errors by action, and their mean."""
        frames = list(self.protocol.frames)
        return {
            "protocol": {
                **dataclasses.asdict(self.protocol),
                "frames": frames,
                "actions": list(self.protocol.actions),
                "model": dict(self.model),
            },
            "actions": {
                name: {"windows": action.windows, "frames": frames, "mpjpe_mm": list(action.mpjpe_mm)}
                for name, action in self.actions.items()
            },
            "mean": {
                "actions": list(self.actions),
                "frames": frames,
                "mpjpe_mm": list(self.mpjpe_mm),
                "mean_mm": self.mean_mm,
            },
        }

    def save(self, path: str | Path) -> None:
        """Write `to_json` to a file, as a whole or not at all; missing folders are made."""
        path = Path(path)
        text = json.dumps(self.to_json(), indent=2) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda file: file.write(text.encode()))

    def table(self) -> str:
        """A plain-text table with its protocol, errors in millimetres.

        Columns are frames; the milliseconds below are ``(frame + 1) / label_fps``, as published tables label them.
        """
        frames = self.protocol.frames
        rows = [["action", "windows", *(f"frame {frame}" for frame in frames), "mean"]]
        if self.protocol.label_fps is not None:
            rate = self.protocol.label_fps
            rows.append(["", "", *(f"{(frame + 1) * 1000 / rate:.0f} ms" for frame in frames), ""])
        for name, action in self.actions.items():
            errors = action.mpjpe_mm
            rows.append([name, str(action.windows), *(f"{e:.2f}" for e in errors), f"{sum(errors) / len(errors):.2f}"])
        mean_of = f"mean of {len(self.actions)}"
        rows.append([mean_of, "", *(f"{error:.2f}" for error in self.mpjpe_mm), f"{self.mean_mm:.2f}"])
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [self.protocol.describe()]
        if self.model:
            name, *known = (
                str(value) if key in ("name", "selection") else f"{key} {value}" for key, value in self.model.items()
            )
            lines.append(", ".join([f"model: {name}", *known]))
        for first, *rest in rows:
            cells = [first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(rest, widths[1:], strict=True))]
            lines.append("  ".join(cells).rstrip())
        if self.missing:
            lines.append(f"no clips, left out of the mean: {', '.join(self.missing)}")
        return "\n".join(lines)


def evaluate(
    model: ForecastModel,
    dataset: MotionDataset,
    protocol: Protocol | None = None,
    *,
    batch_size: int = 128,
    device: torch.device | str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Result:
    """Measure a model's forecasts on a data set.

    Errors are averaged over the windows of an action, each counting once; the mean over actions is unweighted.

    Args:
        model: Model to evaluate. It runs in evaluation mode; every module gets its mode back.
        dataset: Data set to cut windows from.
        protocol: What to measure; by default `Protocol` for this data set and the model's frames.
        batch_size: Windows a forward pass.
        device: Device to run on; the model is moved there. By default the model's own.
        progress: Called after each batch with windows done and windows in total.

    Returns:
        Errors by action.

    Raises:
        ConfigError: Model, data set and protocol do not fit each other.
        UnknownNameError: The data set has no such split, window rule or action.
        DataError: The data set has no clip of these actions, or a clip is too short.

    Examples:
        >>> from posegraph import data, registry
        >>> from posegraph.evaluation import evaluate
        >>> clips = data.load("cmu", "samples", split="test", actions=["running", "walking"])
        >>> print(evaluate(registry.build("zero-velocity", skeleton="cmu"), clips).table())
        cmu test, windows: all, 10 -> 25 frames, mpjpe_at, full joints, actions: running, walking, ms labels at 25 fps
        model: zero-velocity
        action     windows  frame 1  frame 3  frame 7  frame 9  frame 13  frame 24    mean
                              80 ms   160 ms   320 ms   400 ms    560 ms   1000 ms
        running         48    32.41    61.89   113.80   135.75    171.36    210.12  120.89
        walking        146    18.88    36.58    69.89    85.28    113.18    165.17   81.50
        mean of 2              25.64    49.24    91.85   110.51    142.27    187.64  101.19
    """
    if protocol is None:
        protocol = Protocol(dataset.name, observed_frames=model.observed_frames, future_frames=model.future_frames)
    _check_fit(model, dataset, protocol)
    protocol = dataclasses.replace(
        protocol,
        label_fps=protocol.label_fps or dataset.label_fps,
        actions=protocol.actions or dataset.actions,
    )
    if device is not None:
        model.to(device)
    windows = dataset.test_windows(
        protocol.windows,
        protocol.observed_frames,
        protocol.future_frames,
        split=protocol.split,
        actions=protocol.actions,
    )
    total = sum(len(own) for own in windows.values())
    results: dict[str, ActionResult] = {}
    done = 0
    with model.evaluating():
        for action in protocol.actions:
            if action not in windows:
                continue
            before = done
            report = None if progress is None else lambda n, before=before: progress(before + n, total)
            errors = _mean_errors(model, windows[action], protocol, batch_size, report)
            results[action] = ActionResult(len(windows[action]), errors)
            done += len(windows[action])
    return Result(protocol, results, _describe_model(model))


def _describe_model(model: ForecastModel) -> dict[str, Any]:
    """What a number needs to know of the model besides the protocol: its name, and how its weights came about."""
    training = model.record.get("training", {})
    known = {"seed": training.get("seed"), "epoch": training.get("epoch"), "selection": model.record.get("selection")}
    name = model.registry_name or type(model).__name__
    return {"name": name, **{key: value for key, value in known.items() if value is not None}}


@torch.inference_mode()
def _mean_errors(
    model: ForecastModel,
    windows: Windows,
    protocol: Protocol,
    batch_size: int,
    report: Callable[[int], object] | None,
) -> tuple[float, ...]:
    """The metric at each frame of the protocol, averaged over windows."""
    windows = windows.to(model.device)
    metric = _METRICS[protocol.metric]
    sums: list[torch.Tensor] = []  # one a batch, added up at the end: no device is waited for in between
    done = 0
    for window in windows.batches(batch_size):
        observed, truth = window.split([protocol.observed_frames, protocol.future_frames], dim=1)
        prediction = model.predict(model.skeleton.reduce(observed))
        if protocol.joints == "full":
            prediction = model.skeleton.expand(prediction, template=truth)
        else:
            truth = model.skeleton.reduce(truth)
        sums.append(metric(prediction, truth) * len(window))
        done += len(window)
        if report is not None:
            report(done)
    mean = torch.stack(sums).cpu().double().sum(0) / len(windows)
    return tuple(mean[list(protocol.frames)].tolist())


def _check_fit(model: ForecastModel, dataset: MotionDataset, protocol: Protocol) -> None:
    if protocol.dataset != dataset.name:
        raise ConfigError(
            f"protocol: expected data set {protocol.dataset!r}, got {dataset.name!r}. Load the one that is named."
        )
    frames = (model.observed_frames, model.future_frames)
    if frames != (protocol.observed_frames, protocol.future_frames):
        raise ConfigError(
            f"protocol: expected a model of {protocol.observed_frames} observed and {protocol.future_frames} future "
            f"frames, got one of {frames[0]} and {frames[1]}. Set the protocol's frames to the model's."
        )
    model.check_skeleton(dataset.skeleton, f"data set {dataset.name!r}")
