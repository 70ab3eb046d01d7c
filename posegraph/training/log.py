"""What training leaves to read: one CSV row an epoch, TensorBoard curves, and progress on the terminal."""

from __future__ import annotations

import csv
import io
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from posegraph._support.files import replace_file

__all__ = ["EpochProgress", "TrainingLog", "epoch_progress"]

_SHOW_SECONDS = 1.0


class TrainingLog:
    """Rows of numbers, one an epoch, as ``log.csv`` and as TensorBoard scalars.

    Args:
        folder: Where to write.
        resumed_epochs: Epochs that an earlier part of the run completed: their rows are kept, later ones dropped.
        tensorboard: Write TensorBoard scalars; None does where the package is installed.
    """

    def __init__(self, folder: Path, *, resumed_epochs: int, tensorboard: bool | None = None) -> None:
        self._file = folder / "log.csv"
        self._rows: list[dict[str, Any]] = []
        if resumed_epochs and self._file.is_file():
            with self._file.open(newline="") as file:
                self._rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= resumed_epochs]
        self._board = None if tensorboard is False else _summary_writer(folder / "tensorboard", resumed_epochs)

    def add(self, row: dict[str, Any]) -> None:
        """Add an epoch; ``row`` has the key "epoch" and numbers."""
        self._rows.append({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()})
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(self._rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        replace_file(self._file, lambda file: file.write(text.getvalue().encode()))
        if self._board is not None:
            for key, value in row.items():
                if key != "epoch":
                    self._board.add_scalar(key, value, row["epoch"])
            self._board.flush()

    def close(self) -> None:
        """Finish the TensorBoard file."""
        if self._board is not None:
            self._board.close()


def _summary_writer(folder: Path, resumed_epochs: int) -> Any:
    """A TensorBoard writer, or None where its package is not installed: the CSV file has the same numbers."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=resumed_epochs + 1 if resumed_epochs else None)


class EpochProgress:
    """A progress bar over the steps of an epoch, on a terminal; elsewhere nothing, since each epoch prints a line."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._shown = time.monotonic()

    def step(self, loss_sums: torch.Tensor, windows: int) -> None:
        """Count a step, and show the mean loss once a second: reading it makes the host wait for the device."""
        if self._bar is None:
            return
        self._bar.update(1)
        if time.monotonic() - self._shown >= _SHOW_SECONDS:
            self._bar.set_postfix_str(f"loss {float(loss_sums.mean()) / windows:.4g}")
            self._shown = time.monotonic()


@contextmanager
def epoch_progress(total: int, *, done: int, label: str, show: bool) -> Generator[EpochProgress]:
    """Show the progress of an epoch inside.

    Args:
        total: Steps of the epoch.
        done: Steps that an earlier part of the run took.
        label: What stands before the bar.
        show: False for processes that are not the first.
    """
    if not show or not sys.stderr.isatty():
        yield EpochProgress(None)
        return
    from tqdm import tqdm

    with tqdm(total=total, initial=done, desc=label, leave=False, unit="step", dynamic_ncols=True) as bar:
        yield EpochProgress(bar)
