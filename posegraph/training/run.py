"""A training run: epochs of steps, what is stored, and how it goes on after an interruption."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from posegraph._support.text import mean_and_spread
from posegraph.data.dataset import MotionDataset
from posegraph.data.windows import Windows
from posegraph.errors import CheckpointError, ConfigError
from posegraph.evaluation.result import Result
from posegraph.inference.products import tf32_products
from posegraph.recipe import Recipe
from posegraph.training.assembly import assemble
from posegraph.training.batches import window_order
from posegraph.training.distributed import Processes
from posegraph.training.interruption import interruptions
from posegraph.training.log import epoch_progress
from posegraph.training.member import Member
from posegraph.training.options import Options
from posegraph.training.seeding import mix, seed_everything
from posegraph.training.state import Best, Progress, TrainingResult, read_progress, restore, store
from posegraph.training.steps import set_learning_rate

__all__ = ["Run"]

_STATE_FILE = "training.safetensors"
_SAVE_SECONDS = 300.0  # most that a killed run has to do again
_AGREE_STEPS = 20  # processes ask one another only every so many steps whether to stop


class Run:
    """One call of `posegraph.training.train` or `train_seeds`: what steps, epochs and files share.

    Args:
        members: Models to train, on the device.
        folder: Where the state lies.
        dataset: Clips, with those to validate on as its split "val".
        recipe: How to train.
        options: How to carry out the run.
        processes: This process among those that train together.
    """

    def __init__(
        self,
        members: Sequence[Member],
        folder: Path,
        dataset: MotionDataset,
        recipe: Recipe,
        options: Options,
        processes: Processes,
    ) -> None:
        self.members, self.folder, self.dataset, self.recipe = tuple(members), folder, dataset, recipe
        self.options, self.processes, self.device = options, processes, options.place
        self.model = self.members[0].model
        windows = dataset.train_windows(self.model.observed_frames, self.model.future_frames)
        self.windows: Windows = windows.to(self.device)
        self._check_batches()
        made = assemble([member.model for member in self.members], self.windows, recipe, options, processes)
        self.step, self.weights, self.average = made.step, made.weights, made.average
        self.progress = Progress(
            loss_sums=[0.0] * len(self.members), best=[Best()] * len(self.members), settings=self._settings()
        )
        self._started = self._saved = time.monotonic()

    def _check_batches(self) -> None:
        size = self.processes.world_size
        if self.steps_per_epoch == 0:
            raise ConfigError(
                f"batch: expected at least two training windows a process, got {len(self.windows)} windows for "
                f"{size} processes. Add clips."
            )
        if self.recipe.sampling.batch_size < size:
            raise ConfigError(
                f"batch_size: expected at least one window for each of {size} processes, got "
                f"{self.recipe.sampling.batch_size}. Enlarge the batch or start fewer processes."
            )

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch; a last batch that leaves some process fewer than two windows is left out."""
        sampling = self.recipe.sampling
        if sampling.steps_per_epoch is not None:
            return sampling.steps_per_epoch
        full, rest = divmod(len(self.windows), sampling.batch_size)
        return full + (rest >= 2 * self.processes.world_size)

    def _settings(self) -> dict[str, Any]:
        recipe = self.recipe.to_dict()
        if self.recipe.schedule.kind == "steps":
            del recipe["epochs"]  # a finished run may be continued for longer
        seeds = [member.seed for member in self.members]
        return {
            "model": type(self.model).__name__,
            "config": _as_json(dataclasses.asdict(self.model.config)),
            "observed_frames": self.model.observed_frames,
            "future_frames": self.model.future_frames,
            "dataset": self.dataset.name,
            "train": [clip.name for clip in self.dataset.clips["train"]],
            "val": [clip.name for clip in self.dataset.clips.get("val", ())],
            "recipe": recipe,
            "seed": seeds[0] if len(seeds) == 1 else seeds,
            "precision": self.options.precision,
            "processes": self.processes.world_size,
        }

    def execute(self) -> list[TrainingResult]:
        """Run until the last epoch, the time limit, or an interruption."""
        self._prepare()
        self._started = time.monotonic() - self.progress.seconds
        self._saved = time.monotonic()
        limit = math.inf if self.options.time_limit is None else time.monotonic() + self.options.time_limit
        ending = 0.0  # seconds that the end of an epoch took: validation and files, which the limit covers too
        finished = True
        rounded = tf32_products(True) if self.options.precision == "tf32" else contextlib.nullcontext()
        with rounded, interruptions() as interrupted, contextlib.ExitStack() as stack:
            if self.processes.is_first:
                done, board = self.progress.epoch - 1, self.options.tensorboard
                for member in self.members:
                    stack.callback(member.open_log(resumed_epochs=done, tensorboard=board).close)
            while self.progress.epoch <= self.recipe.schedule.epochs:
                complete = self._epoch(interrupted, limit - ending)
                # Clocks differ a little between processes, which must all agree on what comes next.
                out_of_time = self.processes.any(time.monotonic() >= limit - ending, self.device)
                if not complete and not out_of_time:
                    finished = False
                    self._store()
                    break
                trained = time.monotonic()
                self._end_epoch(complete=complete)
                ending = time.monotonic() - trained
                if self.processes.any(out_of_time or interrupted.is_set(), self.device):
                    finished = out_of_time or self.progress.epoch > self.recipe.schedule.epochs
                    break
        epochs, seconds = self.progress.epoch - 1, self._seconds()
        return [
            TrainingResult(member.folder, epochs, best.epoch, best.error, finished, seconds)
            for member, best in zip(self.members, self.processes.from_first(self.progress.best), strict=True)
        ]

    def _prepare(self) -> None:
        """Restore the state of an earlier part of the run, or begin a new one."""
        state_file = self.folder / _STATE_FILE
        if state_file.is_file() and self.options.resume:
            self._restore(state_file)
        elif state_file.is_file():
            raise CheckpointError(
                f"{self.folder}: expected a folder without a training run, found one. "
                "Choose another folder, or continue it with resume."
            )
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            for member in self.members:
                member.model.fit_statistics(self.windows.batches(256))
            if self.average is not None:
                self.average.reset()

    def _restore(self, state_file: Path) -> None:
        expected, found = self.progress.settings, read_progress(state_file).settings
        different = [key for key in expected if found.get(key) != expected[key]]
        if different:
            key = different[0]
            raise ConfigError(
                f"{self.folder}: the run there has another {' and '.join(different)}: "
                f"{found.get(key)!r} in place of {expected[key]!r}. "
                "Continue it with its own settings, or start in another folder."
            )
        self.progress = restore(state_file, self.weights, self.step.optimizer, self.step.scaler, self.average)
        if not self.processes.is_first:  # the first process goes on with the sums of all
            self.progress.loss_sums, self.progress.windows = [0.0] * len(self.members), 0

    def _epoch(self, interrupted: threading.Event, limit: float) -> bool:
        """Train until the end of the epoch; False if something stopped it before."""
        progress = self.progress
        order = self._order(progress.epoch)
        for member in self.members:
            member.model.train()
        loss_sums = torch.tensor(progress.loss_sums, device=self.device, dtype=torch.float64)
        label = f"epoch {progress.epoch}/{self.recipe.schedule.epochs}"
        show = self.processes.is_first
        rate = None
        with epoch_progress(self.steps_per_epoch, done=progress.step, label=label, show=show) as bar:
            while progress.step < self.steps_per_epoch:
                numbers = self._share(order, progress.step)
                # Seeded anew, so that dropout is the same after a restart and differs between processes.
                seed_everything(
                    mix(*(m.seed for m in self.members), progress.epoch, progress.step + 1, self.processes.rank)
                )
                before, part = rate, (progress.step + 0.5) / self.steps_per_epoch
                rate = self.recipe.learning_rate_at(progress.epoch, part)
                if rate != before:  # on a device, setting it is work of its own
                    set_learning_rate(self.step.optimizer, rate)
                losses = self.step(numbers)
                loss_sums += losses * numbers.shape[-1]
                progress.step += 1
                progress.windows += numbers.shape[-1]
                bar.step(loss_sums, progress.windows)
                stop = interrupted.is_set() or time.monotonic() >= limit
                checked = self.processes.world_size == 1 or progress.step % _AGREE_STEPS == 0
                if not checked:
                    continue
                if self.processes.any(stop, self.device):
                    break
                if self.processes.any(time.monotonic() - self._saved > _SAVE_SECONDS, self.device):
                    progress.loss_sums = loss_sums.tolist()
                    self._store()
        progress.loss_sums = loss_sums.tolist()
        return progress.step == self.steps_per_epoch

    def _order(self, epoch: int) -> torch.Tensor:
        """Window numbers of an epoch, ``(windows,)`` or ``(seeds, windows)``."""
        orders = [window_order(self.windows, self.recipe.sampling, member.seed, epoch) for member in self.members]
        return (orders[0] if len(orders) == 1 else torch.stack(orders)).to(self.device)

    def _share(self, order: torch.Tensor, step: int) -> torch.Tensor:
        """The window numbers of a step that are this process's."""
        size = self.recipe.sampling.batch_size
        return order[..., step * size : (step + 1) * size][..., self.processes.rank :: self.processes.world_size]

    def _end_epoch(self, *, complete: bool) -> None:
        """Validate, keep the best weights, report, and store the state that the run continues from."""
        progress = self.progress
        loss_sums, windows = self._totals()
        if self.processes.is_first:
            losses = [loss_sum / max(windows, 1) for loss_sum in loss_sums]
            settings = progress.settings | {"epoch": progress.epoch, "epochs": self.recipe.schedule.epochs}
            rate = self.recipe.learning_rate_at(progress.epoch)
            before, results = list(progress.best), list[Result | None]()
            with contextlib.nullcontext() if self.average is None else self.average.applied():
                for number, (member, loss) in enumerate(zip(self.members, losses, strict=True)):
                    row = {"epoch": progress.epoch, "learning_rate": rate, "train_loss": loss}
                    progress.best[number], result = member.end_epoch(
                        row, progress.best[number], self.dataset, settings, self._seconds
                    )
                    results.append(result)
            self.options.report(self._summary(losses, results, improved=progress.best != before))
        if complete:
            progress.epoch += 1
            progress.step, progress.windows, progress.loss_sums = 0, 0, [0.0] * len(self.members)
        self._store()
        self.processes.wait()

    def _summary(self, losses: Sequence[float], results: Sequence[Result | None], *, improved: bool) -> str:
        text = f"epoch {self.progress.epoch:>3}  train loss {statistics.fmean(losses):10.4g}"
        measured = [result for result in results if result is not None]
        if measured:
            unit = measured[0].protocol.unit
            digits = 2 if unit == "mm" else 4
            errors = mean_and_spread([result.mean for result in measured], digits)
            text += f"  validation error {errors:>{7 if len(measured) == 1 else 15}}"
            text += f" {unit}{' *' if improved else '  '}"
        return f"{text}  {self._seconds():7.0f} s"

    def _totals(self) -> tuple[list[float], int]:
        """Sums of losses and number of windows of the epoch under way, over all processes."""
        own = [*self.progress.loss_sums, self.progress.windows]
        *loss_sums, windows = self.processes.sum(torch.tensor(own, dtype=torch.float64, device=self.device)).tolist()
        return loss_sums, int(windows)

    def _store(self) -> None:
        self._saved = time.monotonic()
        loss_sums, windows = self._totals()
        if self.processes.is_first:
            progress = dataclasses.replace(self.progress, loss_sums=loss_sums, windows=windows, seconds=self._seconds())
            step = self.step
            store(self.folder / _STATE_FILE, progress, self.weights, step.optimizer, step.scaler, self.average)

    def _seconds(self) -> float:
        return time.monotonic() - self._started


def _as_json(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as they come back from JSON, so that they compare equal to stored ones."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}
