"""Errors of a model or of a forecast on the test windows of a protocol."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import torch

from posegraph._support.modules import evaluation_view, unwrap
from posegraph.data.dataset import MotionDataset
from posegraph.data.windows import Windows
from posegraph.errors import ConfigError, InputWarning
from posegraph.evaluation.protocol import METRICS, OF_ROTATIONS, Protocol
from posegraph.evaluation.result import ActionResult, Result
from posegraph.models.base import ForecastModel
from posegraph.skeleton.kinematics import to_positions

__all__ = ["evaluate"]


def evaluate(
    model: ForecastModel,
    dataset: MotionDataset,
    protocol: Protocol | str | None = None,
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
        protocol: What to measure, or the name of a published protocol or window rule of the data set; by default every
            window that its own rule "all" takes.
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
        cmu test, windows: all, 10 -> 25 frames, mpjpe_at, full joints, actions: running, walking, 60 fps,
            labelled as 25 fps
        model: zero-velocity
        action     windows  frame 1  frame 3  frame 7  frame 9  frame 13  frame 24    mean
                              33 ms    67 ms   133 ms   167 ms    233 ms    417 ms
        labelled              80 ms   160 ms   320 ms   400 ms    560 ms   1000 ms
        running         48    32.41    61.89   113.80   135.75    171.36    210.12  120.89
        walking        146    18.88    36.58    69.89    85.28    113.18    165.17   81.50
        mean of 2              25.64    49.24    91.85   110.51    142.27    187.64  101.19
    """
    if not isinstance(protocol, Protocol):
        frames = {"observed_frames": model.observed_frames, "future_frames": model.future_frames}
        protocol = Protocol.named(dataset, protocol or "all", **frames)
    protocol, measured = measure(
        model, dataset, protocol, METRICS[protocol.metric], batch_size=batch_size, device=device, progress=progress
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
        fps=dataset.fps,
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
    view = evaluation_view(unwrap(model))
    for action in protocol.actions:
        if action not in windows:
            continue
        before = done
        report = None if progress is None else lambda n, before=before: progress(before + n, total)
        averages = _average(view, windows[action], protocol, metric, batch_size, report)
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
        if protocol.metric not in OF_ROTATIONS:
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
    if dataset.skeleton.holds == "positions" and dataset.skeleton.unit != "mm":
        raise ConfigError(
            f"data set {dataset.name!r}: expected positions in mm, which errors are given in, got "
            f"{dataset.skeleton.unit}. Convert its clips with posegraph.data.resample.convert(clip, unit='mm')."
        )
    seen = model.trained_fps
    if seen is not None and seen != dataset.fps:
        warnings.warn(
            f"data set {dataset.name!r} has {dataset.fps:g} frames a second, the model was made for {seen:g}: it sees "
            "other speeds than in training. Convert the clips with posegraph.data.resample.convert, or load them with "
            "another frame_step.",
            InputWarning,
            stacklevel=4,
        )
    rotations = dataset.skeleton.holds == "rotations"
    if protocol.metric in OF_ROTATIONS and not rotations:
        raise ConfigError(
            f"metric {protocol.metric!r}: expected a data set of rotations, got the positions of {dataset.name!r}. "
            "Use 'mpjpe_at' or 'mpjpe_up_to'."
        )
    if rotations and protocol.metric not in OF_ROTATIONS and protocol.joints == "used":
        raise ConfigError(
            f"joints 'used' with metric {protocol.metric!r}: positions follow from the rotations of all joints. "
            "Use joints 'full', or metric 'euler_at'."
        )
