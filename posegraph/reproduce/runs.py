"""One row of a table: trained from a seed or read from a checkpoint, and scored."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegraph import checkpoint, evaluation, registry, training
from posegraph._support.device import default_device
from posegraph._support.files import replace_file
from posegraph.data import MotionDataset
from posegraph.errors import CheckpointError, ConfigError
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.reproduce.coverage import Coverage
from posegraph.reproduce.table import Row, Table
from posegraph.training.state import read_progress

_RECORD = "row.json"
_STATE = "training.safetensors"
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
    precision: training.Precision = "fp32"
    steps: int | None = None

    @property
    def place(self) -> str:
        """The device."""
        return self.device or default_device()

    def recipe(self, row: Row) -> Recipe:
        """How a row is trained; raises `ConfigError` if that cannot work."""
        recipe = dataclasses.replace(registry.info(row.model).recipe, **row.recipe)
        if self.steps is None:
            return recipe
        batch_size = min(recipe.batch_size, _SMOKE_BATCH)
        return dataclasses.replace(recipe, epochs=1, steps_per_epoch=self.steps, batch_size=batch_size)


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
        **_model_settings(setup, row),
    )


def _model_settings(setup: Setup, row: Row) -> dict[str, Any]:
    takes_labels = any(field.name == "actions" for field in dataclasses.fields(registry.info(row.model).config))
    return ({"actions": setup.dataset.actions} if takes_labels else {}) | dict(row.settings)


def score(setup: Setup, row: Row, model: ForecastModel, origin: str, **facts: Any) -> Outcome:
    """Measure a model on all that is covered of the table; ``facts`` are more fields of the outcome."""
    result = _evaluate(setup, model, setup.coverage.actions)
    return Outcome(
        row,
        origin,
        errors={action: own.errors for action, own in result.actions.items()},
        windows={action: own.windows for action, own in result.actions.items()},
        **facts,
    )


def _evaluate(setup: Setup, model: ForecastModel, actions: Sequence[str]) -> evaluation.Result:
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
    defaults = registry.config(row.model, **_model_settings(setup, row))
    different = _differences(_plain(dataclasses.asdict(defaults)), _plain(dataclasses.asdict(model.config)))
    for key, (wanted, got) in different.items():
        if key in row.settings:
            raise ConfigError(
                f"{what}: expected {key} {wanted!r}, got {got!r} in {folder}. Name a checkpoint of this row."
            )
    return tuple(f"{key} {got!r} in place of {wanted!r}" for key, (wanted, got) in different.items())


class TrainingRun:
    """A row trained from one seed, in a folder of its own.

    The folder is that of a training run, with one more file: the settings of the run, how far it came, and its errors
    by action. Everything is read back from there, so a run that was stopped or killed goes on.

    Args:
        setup: What all rows share.
        row: Row.
        seed: Seed of initial weights, order and dropout.
        folder: Where the run is, or will be.

    Raises:
        ConfigError: The run in the folder has other settings.
        CheckpointError: What is in the folder cannot be read.
    """

    def __init__(self, setup: Setup, row: Row, seed: int, folder: Path) -> None:
        self.setup, self.row, self.seed, self.folder = setup, row, seed, folder
        self.recipe = setup.recipe(row)
        self._settings = self._describe()
        self._trained: dict[str, Any] = {"epochs": 0, "step": 0, "best_epoch": 0, "seconds": 0.0}
        self._scores: dict[str, dict[str, Any]] = {}
        self._read()

    @property
    def name(self) -> str:
        """Row and seed."""
        return f"{self.row.label}, seed {self.seed}"

    @property
    def seconds(self) -> float:
        """Time of training so far."""
        return self._trained["seconds"]

    @property
    def trained(self) -> bool:
        """Whether there is a checkpoint to score."""
        return self._trained["best_epoch"] > 0

    @property
    def scored(self) -> bool:
        """Whether all errors of that checkpoint are known."""
        return self.trained and not self._unscored()

    @property
    def complete(self) -> bool:
        """Whether the last epoch of the recipe is done."""
        return self._trained["epochs"] >= self.recipe.epochs

    def train(self, time_limit: float | None, report: Callable[[str], object]) -> bool:
        """Train, or go on training, until the recipe or the time ends; at least one step.

        Args:
            time_limit: Most time to spend now, in seconds.
            report: Called with lines of text.

        Returns:
            False if the run was interrupted.
        """
        training.seed_everything(self.seed)
        model = build(self.setup, self.row)
        self._write()  # so that a run that is killed can say what it was
        result = training.train(
            model,
            self.setup.dataset,
            self.folder,
            recipe=self.recipe,
            seed=self.seed,
            device=self.setup.place,
            precision=self.setup.precision,
            resume=True,
            time_limit=None if time_limit is None else max(time_limit, 0.0),
            report=report,
        )
        self._read_progress()
        self._write()
        return result.finished

    def score(self) -> Outcome:
        """Errors of the best epoch. What is known already, of the same clips and rule, is not measured again."""
        if missing := self._unscored():
            result = _evaluate(self.setup, checkpoint.load(self.folder, device=self.setup.place), missing)
            for action, own in result.actions.items():
                self._scores[action] = self._score_key(action) | {"count": own.windows, "errors": list(own.errors)}
            self._write()
        actions = self.setup.coverage.actions
        return Outcome(
            self.row,
            origin=f"seed {self.seed}",
            errors={action: tuple(self._scores[action]["errors"]) for action in actions},
            windows={action: self._scores[action]["count"] for action in actions},
            epochs=self._trained["epochs"],
            best_epoch=self._trained["best_epoch"],
            seconds=self.seconds,
            selection=checkpoint.read_config(self.folder)["record"].get("selection"),
        )

    def _unscored(self) -> list[str]:
        """Actions whose error is not known."""
        return [
            action
            for action in self.setup.coverage.actions
            if any(self._scores.get(action, {}).get(key) != value for key, value in self._score_key(action).items())
        ]

    def _score_key(self, action: str) -> dict[str, Any]:
        """What the error of an action depends on besides the model."""
        table, clips = self.setup.table, self.setup.coverage.clips[action]
        return {"windows": table.windows, "metric": table.metric, "clips": list(clips)}

    def _describe(self) -> dict[str, Any]:
        """What must be the same when the run goes on; more epochs are no change."""
        setup, recipe = self.setup, dataclasses.asdict(self.recipe)
        del recipe["epochs"]
        clips = {
            split: {clip.name: clip.num_frames for clip in setup.dataset.clips.get(split, ())}
            for split in ("train", "val")
        }
        config = registry.config(self.row.model, **_model_settings(setup, self.row))
        return _plain(
            {
                "model": self.row.model,
                "config": dataclasses.asdict(config),
                "observed_frames": setup.table.observed_frames,
                "future_frames": setup.table.future_frames,
                "dataset": setup.dataset.name,
                "fps": setup.dataset.fps,
                **clips,
                "recipe": recipe,
                "seed": self.seed,
                "precision": setup.precision,
            }
        )

    def _read(self) -> None:
        file = self.folder / _RECORD
        if not file.is_file():
            return
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            settings, trained, scores = record["settings"], record["trained"], record["scores"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{file}: expected what is known of a row, but it cannot be read: {type(error).__name__}: {error}. "
                f"Delete {self.folder} to train the row anew."
            ) from error
        for key, (expected, found) in _differences(self._settings, settings).items():
            raise ConfigError(
                f"{self.folder}: the row there was trained with another {key}: {found!r} in place of {expected!r}. "
                "Choose another folder for the table, or delete this one to train the row anew."
            )
        self._trained = trained
        self._read_progress()
        if self._trained == trained:  # else it was killed after more training
            self._scores = scores

    def _read_progress(self) -> None:
        file = self.folder / _STATE
        if file.is_file():  # it may be deleted once the run is done
            progress = read_progress(file)
            self._trained = {
                "epochs": progress.epoch - 1,
                "step": progress.step,
                "best_epoch": progress.best[0].epoch,
                "seconds": progress.seconds,
            }
            self._scores = {}

    def _write(self) -> None:
        record = {"settings": self._settings, "trained": self._trained, "scores": self._scores}
        text = json.dumps(record, indent=1) + "\n"
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.folder / _RECORD, lambda file: file.write(text.encode()))


def _plain(value: Any) -> Any:
    """A value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def _differences(expected: Mapping[str, Any], found: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Settings that differ: dotted key to (expected, found)."""
    different: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys([*expected, *found]):
        wanted, got = expected.get(key), found.get(key)
        if isinstance(wanted, dict) and isinstance(got, dict):
            different |= _differences(wanted, got, f"{prefix}{key}.")
        elif wanted != got:
            different[f"{prefix}{key}"] = (wanted, got)
    return different
