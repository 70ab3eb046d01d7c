"""Evaluation under a named protocol: a number and everything that it depends on, together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from posegraph._checks import check_choice, check_positive
from posegraph._files import replace_file
from posegraph.data.dataset import MotionDataset
from posegraph.data.windows import Windows
from posegraph.errors import ConfigError, DataError, UnknownNameError
from posegraph.kinematics import to_positions
from posegraph.metrics import euler_error_at, mpjpe_at, mpjpe_up_to
from posegraph.models.base import ForecastModel

__all__ = ["ActionResult", "Metric", "Protocol", "Result", "evaluate"]

Metric = Literal["mpjpe_at", "mpjpe_up_to", "euler_at"]
"""Error at a frame, mean error up to it, both of positions; or error of Euler angles at a frame."""

_METRICS = {"mpjpe_at": mpjpe_at, "mpjpe_up_to": mpjpe_up_to, "euler_at": euler_error_at}
_OF_ROTATIONS = ("euler_at",)
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
    metric: Metric = "mpjpe_at"
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
        fields: dict[str, Any] = {"metric": "euler_at" if dataset.skeleton.holds_rotations else "mpjpe_at"}
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
        return "rad" if self.metric in _OF_ROTATIONS else "mm"

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
        errors: Error at each frame of the protocol, in its unit.
    """

    windows: int
    errors: tuple[float, ...]


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
        """Actions of the protocol for which the data set had not the clips; the mean leaves them out."""
        return tuple(action for action in self.protocol.actions if action not in self.actions)

    @property
    def errors(self) -> tuple[float, ...]:
        """Unweighted mean over actions, at each frame."""
        columns = zip(*(action.errors for action in self.actions.values()), strict=True)
        return tuple(sum(column) / len(column) for column in columns)

    @property
    def mean(self) -> float:
        """Mean over actions and frames: the single number that papers quote."""
        return sum(self.errors) / len(self.errors)

    def select(self, actions: Sequence[str]) -> Result:
        """The result of some of the actions, for an average over them.

        Args:
            actions: Actions, in the order that they shall have.

        Raises:
            UnknownNameError: An action was not measured.
        """
        for action in actions:
            if action not in self.actions:
                raise UnknownNameError("measured action", action, self.actions)
        protocol = dataclasses.replace(self.protocol, actions=tuple(actions))
        return Result(protocol, {action: self.actions[action] for action in actions}, self.model)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary: protocol, errors by action, and their mean.

        Errors are under "mpjpe_mm", or "euler_rad" for Euler angles; `from_json` reads either.
        """
        frames = list(self.protocol.frames)
        key, mean_key = _json_keys(self.protocol)
        return {
            "protocol": {
                **dataclasses.asdict(self.protocol),
                "frames": frames,
                "actions": list(self.protocol.actions),
                "model": dict(self.model),
            },
            "actions": {
                name: {"windows": action.windows, "frames": frames, key: list(action.errors)}
                for name, action in self.actions.items()
            },
            "mean": {
                "actions": list(self.actions),
                "frames": frames,
                key: list(self.errors),
                mean_key: self.mean,
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """Read what `to_json` made.

        Raises:
            DataError: Something is missing or of another kind.
        """
        try:
            fields = dict(data["protocol"])
            model = fields.pop("model")
            protocol = Protocol(**fields)
            key, _ = _json_keys(protocol)
            actions = {
                name: ActionResult(int(action["windows"]), tuple(float(error) for error in action[key]))
                for name, action in data["actions"].items()
            }
        except (AttributeError, ConfigError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"result: expected what 'posegraph evaluate --out' writes, got something else: "
                f"{type(error).__name__}: {error}."
            ) from error
        return cls(protocol, actions, model)

    def save(self, path: str | Path) -> None:
        """Write `to_json` to a file, as a whole or not at all; missing folders are made."""
        path = Path(path)
        text = json.dumps(self.to_json(), indent=2) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda file: file.write(text.encode()))

    def table(self) -> str:
        """A plain-text table with its protocol, errors in millimetres or, for Euler angles, radians.

        Columns are frames; the milliseconds below are ``(frame + 1) / label_fps``, as published tables label them.
        """
        frames = self.protocol.frames
        digits = 2 if self.protocol.unit == "mm" else 3
        rows = [["action", "windows", *(f"frame {frame}" for frame in frames), "mean"]]
        if self.protocol.label_fps is not None:
            rate = self.protocol.label_fps
            rows.append(["", "", *(f"{(frame + 1) * 1000 / rate:.0f} ms" for frame in frames), ""])
        for name, action in self.actions.items():
            errors = action.errors
            mean = sum(errors) / len(errors)
            rows.append([name, str(action.windows), *(f"{error:.{digits}f}" for error in (*errors, mean))])
        mean_of = f"mean of {len(self.actions)}"
        rows.append([mean_of, "", *(f"{error:.{digits}f}" for error in (*self.errors, self.mean))])
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
            lines.append(f"clips missing, left out of the mean: {', '.join(self.missing)}")
        return "\n".join(lines)


def _json_keys(protocol: Protocol) -> tuple[str, str]:
    """Keys of the errors of an action and of the overall mean, which name the metric and the unit."""
    kind = "euler" if protocol.metric in _OF_ROTATIONS else "mpjpe"
    return f"{kind}_{protocol.unit}", f"mean_{protocol.unit}"


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
        protocol = Protocol.named(dataset, observed_frames=model.observed_frames, future_frames=model.future_frames)
    protocol, measured = measure(
        model, dataset, protocol, _METRICS[protocol.metric], batch_size=batch_size, device=device, progress=progress
    )
    results = {action: ActionResult(count, tuple(errors.tolist())) for action, (count, errors) in measured.items()}
    return Result(protocol, results, _describe_model(model))


def measure(
    model: ForecastModel,
    dataset: MotionDataset,
    protocol: Protocol,
    metric: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    *,
    batch_size: int,
    device: torch.device | str | None,
    progress: Callable[[int, int], object] | None,
) -> tuple[Protocol, dict[str, tuple[int, torch.Tensor]]]:
    """Average a metric of forecast and true poses over the windows of each action: what all evaluation shares.

    ``metric`` gives a mean over a batch for every forecast frame, ``(frames, ...)``. Returned are the protocol, filled
    in, and by action the number of windows and the averages ``(frames of the protocol, ...)``.
    """
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
    results: dict[str, tuple[int, torch.Tensor]] = {}
    done = 0
    with model.evaluating():
        for action in protocol.actions:
            if action not in windows:
                continue
            before = done
            report = None if progress is None else lambda n, before=before: progress(before + n, total)
            averages = _average(model, windows[action], protocol, metric, batch_size, report)
            results[action] = (len(windows[action]), averages)
            done += len(windows[action])
    return protocol, results


def _describe_model(model: ForecastModel) -> dict[str, Any]:
    """What a number needs to know of the model besides the protocol: its name, and how its weights came about."""
    training = model.record.get("training", {})
    known = {"seed": training.get("seed"), "epoch": training.get("epoch"), "selection": model.record.get("selection")}
    name = model.registry_name or type(model).__name__
    return {"name": name, **{key: value for key, value in known.items() if value is not None}}


@torch.inference_mode()
def _average(
    model: ForecastModel,
    windows: Windows,
    protocol: Protocol,
    metric: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    batch_size: int,
    report: Callable[[int], object] | None,
) -> torch.Tensor:
    """The metric at each frame of the protocol, averaged over windows."""
    windows = windows.to(model.device)
    labels = model.action_labels(windows.actions)[windows.clips] if model.actions else None
    sums: list[torch.Tensor] = []  # one a batch, added up at the end: no device is waited for in between
    done = 0
    for window in windows.batches(batch_size):
        observed, truth = window.split([protocol.observed_frames, protocol.future_frames], dim=1)
        inputs = (model.skeleton.reduce(observed), *(() if labels is None else (labels[done : done + len(window)],)))
        prediction = model.predict(*inputs)
        if protocol.joints == "full":
            prediction = model.skeleton.expand(prediction, template=truth)
        else:
            truth = model.skeleton.reduce(truth)
        if protocol.metric not in _OF_ROTATIONS:
            prediction, truth = (to_positions(poses, model.skeleton) for poses in (prediction, truth))
        sums.append(metric(prediction, truth) * len(window))
        done += len(window)
        if report is not None:
            report(done)
    mean = torch.stack(sums).cpu().double().sum(0) / len(windows)
    return mean[list(protocol.frames)]


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
    rotations = dataset.skeleton.holds_rotations
    if protocol.metric in _OF_ROTATIONS and not rotations:
        raise ConfigError(
            f"metric {protocol.metric!r}: expected a data set of rotations, got the positions of {dataset.name!r}. "
            "Use 'mpjpe_at' or 'mpjpe_up_to'."
        )
    if rotations and protocol.metric not in _OF_ROTATIONS and protocol.joints == "used":
        raise ConfigError(
            f"joints 'used' with metric {protocol.metric!r}: positions follow from the rotations of all joints. "
            "Use joints 'full', or metric 'euler_at'."
        )
