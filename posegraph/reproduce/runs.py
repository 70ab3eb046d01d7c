"""One row of a table, trained from a seed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from posegraph import checkpoint, registry, training
from posegraph._support.files import replace_file
from posegraph.errors import CheckpointError, ConfigError
from posegraph.reproduce.setup import Outcome, Setup, build, differences, evaluate_actions, model_settings, plain
from posegraph.reproduce.table import Row
from posegraph.training.state import read_progress

_RECORD = "row.json"
_STATE = "training.safetensors"


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
        return self._trained["epochs"] >= self.recipe.schedule.epochs

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
            options=training.Options(
                seed=self.seed,
                device=self.setup.place,
                precision=self.setup.precision,
                resume=True,
                time_limit=None if time_limit is None else max(time_limit, 0.0),
                report=report,
            ),
        )
        self._read_progress()
        self._write()
        return result.finished

    def score(self) -> Outcome:
        """Errors of the best epoch. What is known already, of the same clips and rule, is not measured again."""
        if missing := self._unscored():
            result = evaluate_actions(self.setup, checkpoint.load(self.folder, device=self.setup.place), missing)
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
        setup, recipe = self.setup, self.recipe.to_dict()
        del recipe["epochs"]
        clips = {
            split: {clip.name: clip.num_frames for clip in setup.dataset.clips.get(split, ())}
            for split in ("train", "val")
        }
        config = registry.config(self.row.model, **model_settings(setup, self.row))
        return plain(
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
        for key, (expected, found) in differences(self._settings, settings).items():
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
