"""What all rows of a table share, and the errors of one model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegraph import checkpoint, evaluation, registry
from posegraph._support.device import Precision, default_device
from posegraph.data import MotionDataset
from posegraph.errors import ConfigError
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.reproduce.coverage import Coverage
from posegraph.reproduce.table import Row, Table

_SMOKE_BATCH = 4  # DMGNN takes 5 GB of memory with its 32


@dataclass(frozen=True)
class Setup:
    """What all rows of a table share.

    Args:
        table: Table.
        dataset: Clips to train and to score on.
        coverage: What can be scored.
        device: Where to train and score; by default a GPU if there is one.
        precision: Number type of training.
        steps: Train so many steps of few windows in place of the recipe's, which says only that everything works.
    """

    table: Table
    dataset: MotionDataset
    coverage: Coverage
    device: str | None = None
    precision: Precision = "fp32"
    steps: int | None = None

    @property
    def place(self) -> str:
        """The device."""
        return self.device or default_device()

    def recipe(self, row: Row) -> Recipe:
        """How a row is trained; raises `ConfigError` if that cannot work."""
        recipe = registry.info(row.model).recipe.replace(**row.recipe)
        if self.steps is None:
            return recipe
        batch_size = min(recipe.sampling.batch_size, _SMOKE_BATCH)
        return recipe.replace(epochs=1, steps_per_epoch=self.steps, batch_size=batch_size)


@dataclass(frozen=True)
class Outcome:
    """Errors of one model, and how the model came about.

    Args:
        row: Row of the table.
        origin: "seed 0", the folder of a checkpoint, or "no training".
        errors: Errors of each action at every forecast frame, in millimetres.
        windows: Number of windows of each action.
        epochs: Epochs that it was trained for, as far as that is known.
        best_epoch: Epoch that was scored, as far as that is known.
        seconds: Time of training, as far as that is known.
        selection: How the epoch was chosen.
        differences: Settings in which a given checkpoint differs from the row's.
    """

    row: Row
    origin: str
    errors: Mapping[str, Sequence[float]]
    windows: Mapping[str, int]
    epochs: int | None = None
    best_epoch: int | None = None
    seconds: float | None = None
    selection: str | None = None
    differences: tuple[str, ...] = ()


def build(setup: Setup, row: Row) -> ForecastModel:
    """The model of a row, untrained, for the skeleton and the actions of the data set.

    Raises:
        UnknownNameError: There is no such model or setting.
        ConfigError: A setting cannot work.
    """
    return registry.build(
        row.model,
        skeleton=setup.dataset.skeleton,
        observed_frames=setup.table.observed_frames,
        future_frames=setup.table.future_frames,
        **model_settings(setup, row),
    )


def model_settings(setup: Setup, row: Row) -> dict[str, Any]:
    """Settings of a row's model: the row's, and the actions of the data set if the model takes labels."""
    takes_labels = registry.info(row.model).cls.takes_labels
    return ({"actions": setup.dataset.actions} if takes_labels else {}) | dict(row.settings)


def score(setup: Setup, row: Row, model: ForecastModel, origin: str, **facts: Any) -> Outcome:
    """Measure a model on all that is covered of the table; ``facts`` are more fields of the outcome."""
    result = evaluate_actions(setup, model, setup.coverage.actions)
    return Outcome(
        row,
        origin,
        errors={action: own.errors for action, own in result.actions.items()},
        windows={action: own.windows for action, own in result.actions.items()},
        **facts,
    )


def evaluate_actions(setup: Setup, model: ForecastModel, actions: Sequence[str]) -> evaluation.Result:
    """Measure a model on some actions at every forecast frame, by the rule of the table."""
    table = setup.table
    protocol = evaluation.Protocol(
        setup.dataset.name,
        windows=table.windows,
        metric=table.metric,
        frames=tuple(range(table.future_frames)),
        observed_frames=table.observed_frames,
        future_frames=table.future_frames,
        actions=tuple(actions),
    )
    return evaluation.evaluate(model, setup.dataset, protocol, device=setup.place)


def open_checkpoint(setup: Setup, row: Row, folder: str | Path) -> tuple[ForecastModel, dict[str, Any]]:
    """Load a model that was trained elsewhere.

    Returns:
        The model, and what its outcome says of where it comes from.

    Raises:
        ConfigError: It is of another model, another skeleton or other frames than the row, or differs from it in a
            setting that makes the row.
        CheckpointError: There is no checkpoint, or it is damaged.
    """
    model = checkpoint.load(folder, device=setup.place)
    facts = {
        "best_epoch": model.record.get("training", {}).get("epoch"),
        "selection": model.record.get("selection"),
        "differences": _compare_with_row(setup, row, model, folder),
    }
    return model, facts


def _compare_with_row(setup: Setup, row: Row, model: ForecastModel, folder: str | Path) -> tuple[str, ...]:
    """Settings in which a model differs from its row; those that make the row may not."""
    what = f"checkpoint of row {row.label!r}"
    if model.registry_name != row.model:
        raise ConfigError(
            f"{what}: expected a model {row.model!r}, got {model.registry_name!r} in {folder}. "
            "Name the row that it belongs to."
        )
    model.check_skeleton(setup.dataset.skeleton, f"data set {setup.dataset.name!r}")
    expected = (setup.table.observed_frames, setup.table.future_frames)
    found = (model.observed_frames, model.future_frames)
    if found != expected:
        raise ConfigError(
            f"{what}: expected {expected[0]} observed and {expected[1]} future frames as in {setup.table.name}, got "
            f"{found[0]} and {found[1]} in {folder}. Name a checkpoint of these frames."
        )
    defaults = registry.config(row.model, **model_settings(setup, row))
    different = differences(plain(dataclasses.asdict(defaults)), plain(dataclasses.asdict(model.config)))
    for key, (wanted, got) in different.items():
        if key in row.settings:
            raise ConfigError(
                f"{what}: expected {key} {wanted!r}, got {got!r} in {folder}. Name a checkpoint of this row."
            )
    return tuple(f"{key} {got!r} in place of {wanted!r}" for key, (wanted, got) in different.items())


def plain(value: Any) -> Any:
    """A value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def differences(expected: Mapping[str, Any], found: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Settings that differ: dotted key to (expected, found)."""
    different: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys([*expected, *found]):
        wanted, got = expected.get(key), found.get(key)
        if isinstance(wanted, dict) and isinstance(got, dict):
            different |= differences(wanted, got, f"{prefix}{key}.")
        elif wanted != got:
            different[f"{prefix}{key}"] = (wanted, got)
    return different
