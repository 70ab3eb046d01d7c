"""``posegraph plot``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import torch
import tyro

from posegraph import evaluation, viz
from posegraph._support.checks import import_optional
from posegraph.cli.options import open_model, progress_bar, read
from posegraph.data.dataset import MotionDataset
from posegraph.errors import ConfigError, DataError, UnknownNameError
from posegraph.evaluation.joints import JointResult, evaluate_joints
from posegraph.forecast.result import forecast_clip
from posegraph.models.base import ForecastModel

__all__ = ["PlotOptions", "plot"]


@dataclass(frozen=True)
class PlotOptions:
    """What ``posegraph plot`` takes."""

    kind: tyro.conf.Positional[Literal["curve", "joints", "strip"]]
    """Errors against the forecast frame; errors of every joint, on the body; or poses of one forecast."""
    models: tyro.conf.Positional[tuple[str, ...]]
    """Models as 'evaluate' takes them: folders of checkpoints, weights of the library, repositories OWNER/NAME of the
    Hugging Face Hub, or models that need no training; for curve also JSON files of 'evaluate'."""
    out: Path
    """Picture to write: .png."""
    dataset: str | None = None
    """Name of a data set; a wrong one is answered with the list. Not needed if all of MODELS are JSON files."""
    data: str | None = None
    """Folder of the data set; 'samples' for the bundled clips."""
    labels: tuple[str, ...] = ()
    """Names of the models in the picture, in their order; by default those of the registry."""
    title: str | None = None
    """Line above the picture."""
    protocol: str | None = None
    """For curve and joints: window rule or published protocol, as for 'evaluate'; all by default."""
    metric: evaluation.Metric | None = None
    """For curve and joints: error at a frame, mean up to it, or (curve) Euler angles at a frame."""
    joints: Literal["full", "used"] | None = None
    """For curve and joints: compare the full skeleton, or the joints that models see; full by default."""
    actions: tuple[str, ...] = ()
    """For curve and joints: evaluate these actions only, in place of the protocol's."""
    frames: tuple[int, ...] = ()
    """Forecast frames, counted from 0. By default the protocol's (curve), two of them (joints), or five (strip)."""
    panels: tuple[str, ...] = ()
    """For curve: actions that get a panel, 'mean' for their mean, 'all' for every action and the mean; by default mean.
    """
    worst: int | None = None
    """For joints: number of joints to list; 3 by default."""
    clip: str | None = None
    """For strip: name of the clip, as in walking_1."""
    start: int | None = None
    """For strip: first frame that the models see, 0 by default; those that see fewer frames start later."""
    split: str = "test"
    """Split to take clips from."""
    batch_size: int = 128
    """Windows a forward pass."""
    device: str | None = None
    """Where to run; a GPU if there is one."""


T = TypeVar("T")

_OF_A_PROTOCOL = ("protocol", "metric", "joints", "actions")
_ONLY_FOR = {
    **dict.fromkeys(_OF_A_PROTOCOL, ("curve", "joints")),
    "panels": ("curve",),
    "worst": ("joints",),
    "clip": ("strip",),
    "start": ("strip",),
}


def plot(options: Annotated[PlotOptions, tyro.conf.arg(name="")]) -> None:
    """Draw the errors or the forecasts of several models into one picture."""
    _check(options)
    import_optional("matplotlib", extra="viz", purpose="posegraph plot")
    {"curve": _curve, "joints": _joints, "strip": _strip}[options.kind](options)
    print(f"written to {options.out}")


def _check(options: PlotOptions) -> None:
    """Refuse what cannot work before anything is computed."""
    if options.out.suffix != ".png":
        raise ConfigError(f"--out: expected a file that ends in .png, got {options.out.name!r}.")
    if not options.models:
        raise ConfigError("models: expected at least one checkpoint folder, model or JSON file, got none.")
    if options.labels and len(options.labels) != len(options.models):
        raise ConfigError(
            f"--labels: expected {len(options.models)}, one for each model, got {len(options.labels)}. Name all of "
            "them, or none."
        )
    labels = options.labels or options.models
    if len(set(labels)) < len(labels):
        raise ConfigError(f"--labels: expected different names of the models, got {', '.join(labels)}. Choose others.")
    for name, kinds in _ONLY_FOR.items():
        if getattr(options, name) not in (None, ()) and options.kind not in kinds:
            raise ConfigError(f"--{name}: expected for {' and '.join(kinds)} only, got it for {options.kind}.")


def _curve(options: PlotOptions) -> None:
    motion = None
    results: list[tuple[str, evaluation.Result]] = []
    for model in options.models:
        if Path(model).suffix == ".json":
            result = _read_result(Path(model))
        else:
            motion = motion or _data(options)
            loaded = _open(options, motion, model)
            protocol = _protocol(options, motion, loaded)
            with progress_bar(model) as progress:
                result = evaluation.evaluate(loaded, motion, protocol, batch_size=options.batch_size, progress=progress)
        results.append((str(result.model.get("name", model)), result))
    if motion is None:
        given = [name for name in ("dataset", "data", *_OF_A_PROTOCOL, "frames") if getattr(options, name)]
        if given:
            raise ConfigError(
                f"--{given[0]}: expected with models to evaluate, got JSON files alone, which hold what was measured. "
                "Leave it out; --panels chooses the actions to draw."
            )
    viz.error_panels(
        _named(options, results),
        options.out,
        actions=None if "all" in options.panels else options.panels or ("mean",),
        title=options.title,
    )


def _joints(options: PlotOptions) -> None:
    motion = _data(options)
    models = [_open(options, motion, model) for model in options.models]
    futures = sorted({model.future_frames for model in models})
    if len(futures) > 1:
        raise ConfigError(f"models: expected one number of forecast frames, got {futures}. Draw them apart.")
    results: list[tuple[str, JointResult]] = []
    for model in models:
        protocol = _protocol(options, motion, model, metric="mpjpe_at")
        if not options.frames:
            frames = protocol.frames
            protocol = dataclasses.replace(protocol, frames=tuple(sorted({frames[len(frames) // 2], frames[-1]})))
        with progress_bar(_name(model)) as progress:
            result = evaluate_joints(model, motion, protocol, batch_size=options.batch_size, progress=progress)
        results.append((_name(model), result))
    first = results[0][1]
    # Models may see different numbers of frames, which is part of a protocol.
    notes = list(dict.fromkeys(result.protocol.describe() for _, result in results))
    if first.missing:
        notes.append(f"clips missing, left out of the mean: {', '.join(first.missing)}")
    viz.joint_error_map(
        {label: result.errors for label, result in _named(options, results).items()},
        options.out,
        skeleton=motion.skeleton,
        frames=first.protocol.frames,
        protocol="; ".join(notes),
        poses=torch.cat([clip.poses for clip in motion.select(options.split)]),
        worst=3 if options.worst is None else options.worst,
        drawing=viz.Drawing(title=options.title, fps=motion.fps, label_fps=motion.label_fps),
    )


def _strip(options: PlotOptions) -> None:
    motion = _data(options)
    clips = {clip.name: clip for clip in motion.select(options.split)}
    if options.clip is None:
        raise ConfigError(f"--clip: expected the name of a clip for strip, got none. Known: {', '.join(clips)}.")
    if options.clip not in clips:
        raise UnknownNameError(f"clip of split {options.split!r}", options.clip, clips)
    clip, start = clips[options.clip], options.start or 0
    models = [_open(options, motion, model) for model in options.models]
    first = start + max(model.observed_frames for model in models)
    frames = min(model.future_frames for model in models)
    last = clip.num_frames - frames - first + start
    if last < 0:
        raise ConfigError(
            f"--clip: expected one of at least {first - start + frames} frames, which the models see and forecast, got "
            f"{clip.name} with {clip.num_frames}. Choose a longer one."
        )
    if not 0 <= start <= last:
        raise ConfigError(
            f"--start: expected a frame in 0..{last}, so that {clip.name} with its {clip.num_frames} frames has true "
            f"poses for {frames} forecast frames, got {start}."
        )
    forecasts = [
        (_name(model), forecast_clip(model, clip, first - model.observed_frames).forecast[:frames]) for model in models
    ]
    viz.compare_strips(
        _named(options, forecasts),
        clip.poses[first : first + frames],
        skeleton=motion.skeleton,
        path=options.out,
        window=f"{motion.name} {options.split}, {clip.name}, forecast from frame {first}",
        frames=sorted(set(options.frames)) or None,
        drawing=viz.Drawing(title=options.title, fps=motion.fps, label_fps=motion.label_fps),
    )


def _data(options: PlotOptions) -> MotionDataset:
    if options.dataset is None or options.data is None:
        raise ConfigError(
            f"--dataset, --data: expected both for {options.kind} of models, got "
            f"{options.dataset or options.data or 'neither'}. Name the data set and its folder, as in --dataset cmu "
            "--data samples."
        )
    return read(options.dataset, options.data, split=options.split, actions=options.actions)


def _open(options: PlotOptions, motion: MotionDataset, model: str) -> ForecastModel:
    return open_model(model, skeleton=motion.skeleton, device=options.device)


def _name(model: ForecastModel) -> str:
    return model.registry_name or type(model).__name__


def _protocol(
    options: PlotOptions, motion: MotionDataset, model: ForecastModel, metric: evaluation.Metric | None = None
) -> evaluation.Protocol:
    """What to measure; ``metric`` if the options name none."""
    wishes = {
        "metric": options.metric or metric,
        "joints": options.joints,
        "actions": options.actions,
        "frames": tuple(sorted(set(options.frames))),
    }
    return evaluation.Protocol.named(
        motion,
        options.protocol or "all",
        split=options.split,
        observed_frames=model.observed_frames,
        future_frames=model.future_frames,
        **{key: value for key, value in wishes.items() if value},
    )


def _read_result(path: Path) -> evaluation.Result:
    try:
        return evaluation.Result.from_json(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:  # no JSON, or not that of a result
        raise DataError(f"{path}: expected a result that 'posegraph evaluate --out' wrote: {error}") from error


def _named(options: PlotOptions, found: Sequence[tuple[str, T]]) -> dict[str, T]:
    """What was found for each model by its label: the one given, or its own name, or the argument where names clash."""
    names = [name for name, _ in found]
    labels = options.labels or (names if len(set(names)) == len(names) else options.models)
    return dict(zip(labels, (thing for _, thing in found), strict=True))
