"""What training did to a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["TrainingResult"]


@dataclass(frozen=True)
class TrainingResult:
    """What training did to a model.

    Args:
        folder: Folder of the model's log; its checkpoint is in ``folder / "best"``.
        epochs: Epochs that are complete.
        best_epoch: Epoch of the checkpoint.
        best_error: Its validation error in the unit of the data set's metric, or None without validation.
        finished: False if the run was interrupted and can be resumed.
        seconds: Time spent, earlier parts of the run included.
    """

    folder: Path
    epochs: int
    best_epoch: int
    best_error: float | None
    finished: bool
    seconds: float
