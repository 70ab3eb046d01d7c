"""One of the models that a run trains: its log, its validation, its best checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from posegraph.checkpoint.store import save_checkpoint
from posegraph.data.dataset import MotionDataset
from posegraph.data.summary import summarize
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import Result
from posegraph.models.base import ForecastModel
from posegraph.training.log import TrainingLog
from posegraph.training.state import Best

__all__ = ["Member"]


class Member:
    """A model in training.

    Args:
        model: The model.
        folder: Where its log and its best checkpoint go.
        seed: Seed of its order of windows and of its dropout.
    """

    def __init__(self, model: ForecastModel, folder: Path, seed: int) -> None:
        self.model, self.folder, self.seed = model, folder, seed
        self._log: TrainingLog | None = None

    def open_log(self, *, resumed_epochs: int, tensorboard: bool | None = None) -> TrainingLog:
        """Begin to write the log, or go on with it; see `TrainingLog`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log = TrainingLog(self.folder, resumed_epochs=resumed_epochs, tensorboard=tensorboard)
        return self._log

    def end_epoch(
        self,
        row: dict[str, Any],
        best: Best,
        dataset: MotionDataset,
        settings: dict[str, Any],
        clock: Callable[[], float],
    ) -> tuple[Best, Result | None]:
        """Validate, keep the weights if they are the best so far, and log.

        Args:
            row: Epoch, learning rate and loss, for the log.
            best: The best epoch so far.
            dataset: What its split "val" holds is validated on.
            settings: What the checkpoint says of the run.
            clock: Seconds of the run.

        Returns:
            The best epoch, this one included; and the result of this one, None without validation.
        """
        result = self._validate(dataset)
        if result is None or _improves(result.mean, best.error):
            best = Best(row["epoch"], None if result is None else result.mean)
            record = {
                "training": settings | {"seed": self.seed},
                "poses": summarize(dataset.clips["train"]),
                "selection": "last epoch" if result is None else "lowest validation error on held-out training clips",
                "validation": None if result is None else result.to_json(),
            }
            save_checkpoint(self.model, self.folder / "best", record=record)
        if self._log is not None:
            errors = {} if result is None else _columns(result)
            self._log.add(row | errors | {"seconds": round(clock(), 1)})
        return best, result

    def _validate(self, dataset: MotionDataset) -> Result | None:
        if not dataset.clips.get("val"):
            return None
        present = {clip.action for clip in dataset.clips["val"]}
        protocol = Protocol.named(
            dataset,
            split="val",
            observed_frames=self.model.observed_frames,
            future_frames=self.model.future_frames,
            actions=tuple(action for action in dataset.actions if action in present),
        )
        return evaluate(self.model, dataset, protocol)


def _columns(result: Result) -> dict[str, float]:
    unit = result.protocol.unit
    frames = {f"val_frame_{f}_{unit}": e for f, e in zip(result.protocol.frames, result.errors, strict=True)}
    return {f"val_{unit}": result.mean} | frames


def _improves(error: float, best: float | None) -> bool:
    """Whether an error is lower than the best so far; anything replaces a best that is not a number."""
    return best is None or math.isnan(best) or error < best
