"""From training runs to weights that can be handed on: rounded, measured, with a card.

The weights that come with the library were made by it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from posegraph import data, registry
from posegraph._support.checkpoint_files import CARD, WEIGHTS
from posegraph._support.device import Precision
from posegraph._support.files import replace_file
from posegraph.checkpoint.card import model_card
from posegraph.checkpoint.store import load, rounded_state, save_checkpoint
from posegraph.data.dataset import MotionDataset
from posegraph.errors import CheckpointError, ConfigError
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import Result
from posegraph.models.base import ForecastModel

__all__ = ["MAX_BYTES", "Release", "measure_bundled", "pack"]

MAX_BYTES = 15_000_000
"""Largest file of weights that belongs into the library; `pack` reports larger ones."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True)
class Release:
    """How a training run becomes weights to hand on.

    Args:
        name: Name of the weights, in lower case with hyphens, as in "cmu".
        commands: The commands that made the weights, in order; they are put into the card.
        note: What else the card should say of the training, such as how its recipe was chosen.
        finest_only: Leave out what only training needs; see `posegraph.models.ForecastModel.finest_only`.
        dtype: Number type to round the weights to.
        protocols: Window rules or published protocols of the data set, see `posegraph.evaluation.Protocol.named`; the
            first is the one that the seeds are compared by.

    Raises:
        ConfigError: The name is not of this form, or there are no commands.
    """

    name: str
    commands: Sequence[str]
    note: str = ""
    finest_only: bool = False
    dtype: torch.dtype | Precision = "fp16"
    protocols: Sequence[str] = ("all",)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"name: expected lower-case letters, digits and hyphens, as in 'cmu', got {self.name!r}.")
        if not self.commands:
            raise ConfigError("commands: expected the commands that made the weights, got none. The card states them.")


def pack(
    runs: Sequence[str | Path],
    dataset: MotionDataset,
    folder: str | Path,
    release: Release,
    *,
    device: torch.device | str | None = None,
    report: Callable[[str], object] = print,
) -> Path:
    """Choose a run by its validation error, round its weights, measure them, and write them with a card.

    The test clips are evaluated once, with the rounded weights, beside the zero-velocity baseline. Runs that differ by
    their seed alone show how far seeds differ. Averages are over the test actions that have training clips; others
    stand apart.

    Args:
        runs: Training runs of one model, as `load` takes them, with one data set and settings.
        dataset: The data set that they were trained on, with its training and test clips.
        folder: Where to write: the weights come to ``folder / model / name``.
        release: What to make of them.
        device: Where to evaluate; by default on the CPU.
        report: Called with lines of text.

    Returns:
        The checkpoint folder, with ``README.md``.

    Raises:
        ConfigError: A setting is not valid, the runs differ in more than the seed, or the data set is not that of the
            runs.
        CheckpointError: A folder holds no checkpoint that training wrote.
        UnknownNameError: The data set has no such protocol.
    """
    candidates = _load(runs, finest_only=release.finest_only)
    seen = _actions_trained_on(candidates, dataset)
    kept = min(candidates, key=lambda candidate: candidate.validation)
    for candidate in candidates:
        if device is not None:
            candidate.model.to(device)
        candidate.round(release.dtype)
    evaluation = [_measure(kept.model, dataset, protocol) for protocol in release.protocols]
    headline = Result.from_json(evaluation[0]["result"])
    tested = [action for action in headline.actions if action in seen]
    if not tested:
        raise ConfigError(
            f"data set {dataset.name!r}: expected a test clip of an action that the run was trained on, got only "
            f"{', '.join(headline.actions)}. Complete the folder."
        )
    others = [own for own in candidates if own is not kept]
    results = {kept.seed: headline} | {own.seed: evaluate(own.model, dataset, headline.protocol) for own in others}
    packed = {
        "reference": f"{kept.model.registry_name}/{release.name}",
        "commands": list(release.commands),
        "note": release.note,
        "runs": [own.describe(results[own.seed].select(tested).mean, kept is own) for own in candidates],
        "missing": list(dataset.missing),
        "unseen": [action for action in headline.actions if action not in seen],
        "evaluation": evaluation,
        "bundled": _measure_rounding(kept),
    }
    target = Path(folder) / str(kept.model.registry_name) / release.name
    save_checkpoint(kept.model, target, record={**kept.model.record, "packed": packed}, dtype=release.dtype)
    replace_file(target / CARD, lambda file: file.write(model_card(target).encode()))
    size = (target / WEIGHTS).stat().st_size
    report(headline.select(tested).table())
    report(f"{target}: {size / 1e6:.1f} MB, seed {kept.seed} of {len(candidates)} run(s)")
    if size > MAX_BYTES:
        report(f"larger than the {MAX_BYTES / 1e6:g} MB that weights in the library may have")
    return target


def measure_bundled(model: ForecastModel) -> Result:
    """Evaluate a model on the clips that come with the library: the number that its tests measure again.

    Args:
        model: Model of one of the skeletons of these clips.

    Raises:
        ConfigError: The model is for another skeleton.

    Examples:
        >>> from posegraph import registry
        >>> from posegraph.checkpoint import measure_bundled
        >>> round(measure_bundled(registry.build("zero-velocity", skeleton="cmu")).mean, 2)
        96.4
    """
    name = _bundled(model)
    if name is None:
        raise ConfigError(
            f"skeleton: expected one of the bundled clips, got {model.skeleton.name!r}. Only "
            "such weights can be checked by the tests of the library."
        )
    clips = data.load(name, "samples", split="test")
    present = tuple(clip.action for clip in clips.select("test"))
    return evaluate(model, clips, Protocol.named(clips, actions=present, **_frames(model)))


@dataclass
class _Candidate:
    """A trained model, as it was trained and rounded."""

    folder: Path
    model: ForecastModel

    def __post_init__(self) -> None:
        self.exact = self.model
        self.training: dict[str, Any] = self.model.record["training"]

    @property
    def seed(self) -> int:
        return self.training["seed"]

    @property
    def validation(self) -> float:
        own = self.model.record.get("validation")
        return Result.from_json(own).mean if own else float("inf")

    def round(self, dtype: torch.dtype | Precision) -> None:
        self.model = copy.deepcopy(self.exact)
        self.model.load_state_dict(rounded_state(self.exact, dtype))

    def describe(self, test: float, kept: bool) -> dict[str, Any]:
        validation = None if self.validation == float("inf") else self.validation
        facts = {"seed": self.seed, "epoch": self.training["epoch"]}
        return {**facts, "validation": validation, "test": test, "kept": kept}


def _load(runs: Sequence[str | Path], *, finest_only: bool) -> list[_Candidate]:
    if not runs:
        raise ConfigError("runs: expected at least one folder of a training run, got none.")
    candidates: list[_Candidate] = []
    for run in runs:
        model = load(run)
        if "training" not in model.record:
            raise CheckpointError(
                f"{run}: expected a checkpoint that training wrote, got one without a record of it. Pass the folder of "
                "a run."
            )
        candidates.append(_Candidate(Path(run), model.finest_only() if finest_only else model))
    first, *others = candidates
    for other in others:
        different = [
            key
            for key in first.training.keys() | other.training.keys()
            if key not in ("seed", "epoch") and first.training.get(key) != other.training.get(key)
        ]
        if different:
            raise ConfigError(
                f"runs: expected runs that differ by their seed alone, but {first.folder} and {other.folder} differ in "
                f"{', '.join(sorted(different))}. Pack them by themselves."
            )
    seeds = [candidate.seed for candidate in candidates]
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"runs: expected runs of different seeds, got seeds {seeds}. Leave out the copies.")
    if others and any(candidate.validation == float("inf") for candidate in candidates):
        raise ConfigError(
            "runs: expected runs with validation, to choose one of them, got some without. Pass the one to pack; "
            "choosing by the test error would make that error too low."
        )
    return candidates


def _actions_trained_on(candidates: Sequence[_Candidate], dataset: MotionDataset) -> set[str]:
    training = candidates[0].training
    names = set(training["train"])
    clips = [clip for split, own in dataset.clips.items() if split != "test" for clip in own if clip.name in names]
    absent = sorted(names - {clip.name for clip in clips})
    if training["dataset"] != dataset.name or absent:
        raise ConfigError(
            f"data set: expected {training['dataset']!r} with the clips that the run was trained on, got "
            f"{dataset.name!r} without {len(absent)} of them{': ' if absent else ''}{', '.join(absent[:3])}. Pass the "
            "folder that it was trained on."
        )
    return {clip.action for clip in clips}


def _measure(model: ForecastModel, dataset: MotionDataset, protocol: str) -> dict[str, Any]:
    """Errors of a model and of zero velocity under a protocol, for the record."""
    chosen = Protocol.named(dataset, protocol, **_frames(model))
    still = registry.build("zero-velocity", skeleton=model.skeleton, **_frames(model))
    results = {"result": evaluate(model, dataset, chosen), "zero_velocity": evaluate(still, dataset, chosen)}
    return {key: result.to_json() for key, result in results.items()}


def _measure_rounding(candidate: _Candidate) -> dict[str, Any] | None:
    """Errors on the bundled clips, and how far rounding moved them; None for other skeletons."""
    if _bundled(candidate.model) is None:
        return None
    exact, rounded = (measure_bundled(model) for model in (candidate.exact, candidate.model))
    moved = [
        abs(one - other)
        for action, own in rounded.actions.items()
        for one, other in zip(own.errors, exact.actions[action].errors, strict=True)
    ]
    return {"result": rounded.to_json(), "rounding": max(moved)}


def _frames(model: ForecastModel) -> dict[str, Any]:
    return {"observed_frames": model.observed_frames, "future_frames": model.future_frames}


def _bundled(model: ForecastModel) -> str | None:
    """The data set of the bundled clips of a model's skeleton."""
    for name in data.names():
        benchmark = data.info(name)
        if benchmark.bundled is not None and model.skeleton.matches(benchmark.skeleton):
            return name
    return None
