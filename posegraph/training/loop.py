"""The training loop."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from posegraph import registry
from posegraph._checks import check_choice
from posegraph.checkpoint import save_checkpoint
from posegraph.data.dataset import MotionDataset
from posegraph.data.windows import Windows
from posegraph.errors import CheckpointError, ConfigError
from posegraph.evaluation import Protocol, Result, evaluate
from posegraph.models.base import ForecastModel
from posegraph.recipe import Optimizer, Recipe
from posegraph.training.distributed import Processes, default_device, join_processes
from posegraph.training.log import TrainingLog, epoch_progress
from posegraph.training.state import Progress, read_progress, restore, store

__all__ = ["Precision", "TrainingResult", "seed_everything", "train"]

Precision = Literal["fp32", "bf16", "fp16"]
"""Number type of the layers; see `train`."""

_STATE_FILE = "training.safetensors"
_SAVE_SECONDS = 300.0  # most that a killed run has to do again
_OPTIMIZERS: dict[Optimizer, Callable[..., torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
_REPORT_STEPS = 20  # what waits for the device or for other processes is done only every so many steps


@dataclass(frozen=True)
class TrainingResult:
    """What `train` did.

    Args:
        folder: Folder of the run; its checkpoint is in ``folder / "best"``.
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


def seed_everything(seed: int) -> None:
    """Seed PyTorch's random generators. Call it before building a model, to draw the same initial weights again."""
    torch.manual_seed(seed)


def train(
    model: ForecastModel,
    dataset: MotionDataset,
    folder: str | Path,
    *,
    recipe: Recipe | None = None,
    validation: Sequence[str] | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    precision: Precision = "fp32",
    resume: bool = False,
    time_limit: float | None = None,
    report: Callable[[str], object] = print,
) -> TrainingResult:
    """Train a model on the training clips of a data set.

    Whole training clips are held out for validation, and the epoch with the lowest validation error becomes the
    checkpoint ``folder / "best"``; test clips are never looked at. ``log.csv`` and TensorBoard files hold the
    curves, ``training.safetensors`` the complete state: an interrupted run (Ctrl-C, SIGTERM, a crash) continues with
    ``resume=True`` and gives the same weights as one that was not interrupted. Start it with ``torchrun`` to train
    with several processes, each on its share of every batch.

    Args:
        model: Model to train. It is moved to ``device`` and holds the last epoch's weights afterwards.
        dataset: Clips; a split "val" in it is used for validation.
        folder: Folder of the run, made if it does not exist.
        recipe: Optimiser, schedule and batch; by default the authors' for this model.
        validation: Names of the training clips to hold out. By default the shortest clip of each action that has
            several. An empty list trains on all clips and keeps the last epoch's weights.
        seed: Seed of the order of windows and of dropout. Initial weights are the model's: see `seed_everything`.
        device: Where to train; by default a GPU if there is one.
        precision: ``"fp32"``, or mixed precision with ``"bf16"`` or (GPU only) ``"fp16"``.
        resume: Continue the run in ``folder``, or start it if there is none.
        time_limit: Finish the run after so many seconds of training, in the middle of an epoch if need be.
        report: Called with a line of text after each epoch.

    Returns:
        Where the checkpoint is and how good it is.

    Raises:
        ConfigError: The model cannot be trained, does not fit the data set, or a setting is not valid; or the run to
            resume had other settings.
        CheckpointError: ``folder`` holds another run, or its state is damaged.
        DataError: There is no training clip, or one is too short.
        UnknownNameError: A clip to hold out does not exist.

    Examples:
        >>> import tempfile
        >>> from posegraph import checkpoint, data, registry
        >>> from posegraph.recipe import Optimizer, Recipe
        >>> from posegraph.training import seed_everything, train
        >>> clips = data.load("cmu", "samples", actions=["running"])
        >>> seed_everything(0)
        >>> model = registry.build("msrgcn-1l", skeleton="cmu", channels=8, num_blocks=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = train(model, clips, folder, recipe=Recipe(epochs=1), report=lambda line: None)
        ...     trained = checkpoint.load(result.folder)
        >>> result.epochs, result.finished
        (1, True)
    """
    check_choice("precision", precision, ("fp32", "bf16", "fp16"))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(f"{type(model).__name__} has no parameters to train. Evaluate it as it is.")
    place = _choose_device(device)
    if precision == "fp16" and place.type != "cuda":
        raise ConfigError(f"precision 'fp16' needs a GPU, but the device is {place}. Use 'bf16' or 'fp32'.")
    if recipe is None:
        recipe = _default_recipe(model)
    with join_processes(place) as processes:
        run = _Run(model, dataset, Path(folder), recipe, validation, seed, place, precision, processes, report)
        return run.execute(resume=resume, time_limit=time_limit)


class _Run:
    """One call of `train`: what the steps, epochs and files share."""

    def __init__(
        self,
        model: ForecastModel,
        dataset: MotionDataset,
        folder: Path,
        recipe: Recipe,
        validation: Sequence[str] | None,
        seed: int,
        device: torch.device,
        precision: Precision,
        processes: Processes,
        report: Callable[[str], object],
    ) -> None:
        self.model, self.folder, self.recipe, self.seed = model, folder, recipe, seed
        self.device, self.precision, self.processes, self.report = device, precision, processes, report
        model.check_skeleton(dataset.skeleton, f"data set {dataset.name!r}")
        self.dataset = _with_validation(dataset, model.total_frames, validation)
        self.windows: Windows = self.dataset.train_windows(model.observed_frames, model.future_frames).to(device)
        if self.steps_per_epoch == 0:
            raise ConfigError(
                f"batch: expected at least two training windows a process, got {len(self.windows)} windows for "
                f"{processes.world_size} processes. Add clips."
            )
        if recipe.batch_size < processes.world_size:
            raise ConfigError(
                f"batch_size: expected at least one window for each of {processes.world_size} processes, got "
                f"{recipe.batch_size}. Enlarge the batch or start fewer processes."
            )
        self.model.to(device)
        self.labels = model.action_labels(self.windows.actions)[self.windows.clips] if model.actions else None
        self.optimizer = _OPTIMIZERS[recipe.optimizer](
            [p for p in model.parameters() if p.requires_grad],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self.progress = Progress(settings=self._settings(dataset, precision))
        self._started = self._saved = time.monotonic()

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch; a last batch that leaves some process fewer than two windows is left out."""
        if self.recipe.steps_per_epoch is not None:
            return self.recipe.steps_per_epoch
        full, rest = divmod(len(self.windows), self.recipe.batch_size)
        return full + (rest >= 2 * self.processes.world_size)

    @property
    def protocol(self) -> Protocol | None:
        """How epochs are compared; None without validation."""
        if not self.dataset.clips.get("val"):
            return None
        present = {clip.action for clip in self.dataset.clips["val"]}
        return Protocol.named(
            self.dataset,
            split="val",
            observed_frames=self.model.observed_frames,
            future_frames=self.model.future_frames,
            actions=tuple(action for action in self.dataset.actions if action in present),
        )

    def _settings(self, dataset: MotionDataset, precision: Precision) -> dict[str, Any]:
        recipe = dataclasses.asdict(self.recipe)
        del recipe["epochs"]  # a finished run may be continued for longer
        return {
            "model": type(self.model).__name__,
            "config": _as_json(dataclasses.asdict(self.model.config)),
            "observed_frames": self.model.observed_frames,
            "future_frames": self.model.future_frames,
            "dataset": dataset.name,
            "train": [clip.name for clip in self.dataset.clips["train"]],
            "val": [clip.name for clip in self.dataset.clips.get("val", ())],
            "recipe": recipe,
            "seed": self.seed,
            "precision": precision,
            "processes": self.processes.world_size,
        }

    def execute(self, *, resume: bool, time_limit: float | None) -> TrainingResult:
        """Run until the last epoch, the time limit, or an interruption."""
        state_file = self.folder / _STATE_FILE
        if state_file.is_file() and resume:
            self._restore(state_file)
        elif state_file.is_file():
            raise CheckpointError(
                f"{self.folder}: expected a folder without a training run, found one. "
                "Choose another folder, or continue it with resume."
            )
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.model.fit_statistics(self.windows.batches(256))
        network = self.processes.wrap(self.model, self.device)
        log = TrainingLog(self.folder, resumed_epochs=self.progress.epoch - 1) if self.processes.is_first else None
        self._started = time.monotonic() - self.progress.seconds
        self._saved = time.monotonic()
        limit = None if time_limit is None else time.monotonic() + time_limit
        finished = True
        with _interruptions() as interrupted, contextlib.ExitStack() as stack:
            if log is not None:
                stack.callback(log.close)
            while self.progress.epoch <= self.recipe.epochs:
                complete = self._epoch(network, interrupted, limit)
                # Clocks differ a little between processes, which must all agree on what comes next.
                out_of_time = self.processes.any(limit is not None and time.monotonic() >= limit, self.device)
                if not complete and not out_of_time:
                    finished = False
                    self._store()
                    break
                self._end_epoch(log, complete=complete)
                if self.processes.any(out_of_time or interrupted.is_set(), self.device):
                    finished = out_of_time or self.progress.epoch > self.recipe.epochs
                    break
        best_epoch, best_error = self.processes.from_first((self.progress.best_epoch, self.progress.best_error))
        return TrainingResult(
            folder=self.folder,
            epochs=self.progress.epoch - 1,
            best_epoch=best_epoch,
            best_error=best_error,
            finished=finished,
            seconds=self._seconds(),
        )

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
        self.progress = restore(state_file, self.model, self.optimizer, self.scaler)
        if not self.processes.is_first:  # the first process goes on with the sums of all
            self.progress.loss_sum, self.progress.windows = 0.0, 0

    def _epoch(self, network: torch.nn.Module, interrupted: threading.Event, limit: float | None) -> bool:
        """Train until the end of the epoch; False if something stopped it before."""
        progress = self.progress
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate_at(progress.epoch)
        order = self._order(progress.epoch)
        self.model.train()
        loss_sum = torch.tensor(progress.loss_sum, device=self.device, dtype=torch.float64)
        label = f"epoch {progress.epoch}/{self.recipe.epochs}"
        show = self.processes.is_first
        with epoch_progress(self.steps_per_epoch, done=progress.step, label=label, show=show) as bar:
            while progress.step < self.steps_per_epoch:
                share = self._share(order, progress.step)
                # Seeded anew, so that dropout is the same after a restart and differs between processes.
                seed_everything(_mix(self.seed, progress.epoch, progress.step + 1, self.processes.rank))
                loss = self._step(network, *self._batch(share))
                loss_sum += loss.detach() * len(share)
                progress.step += 1
                progress.windows += len(share)
                bar.update(1)
                if progress.step % _REPORT_STEPS == 0:
                    bar.set_postfix_str(f"loss {float(loss_sum) / progress.windows:.4g}")
                stop = interrupted.is_set() or (limit is not None and time.monotonic() >= limit)
                checked = self.processes.world_size == 1 or progress.step % _REPORT_STEPS == 0
                if not checked:
                    continue
                if self.processes.any(stop, self.device):
                    break
                if self.processes.any(time.monotonic() - self._saved > _SAVE_SECONDS, self.device):
                    progress.loss_sum = float(loss_sum)
                    self._store()
        progress.loss_sum = float(loss_sum)
        return progress.step == self.steps_per_epoch

    def _order(self, epoch: int) -> torch.Tensor:
        """The window numbers of an epoch in random order: the same in every process and after a restart."""
        generator = torch.Generator().manual_seed(_mix(self.seed, epoch))
        steps = self.recipe.steps_per_epoch
        count = len(self.windows) if steps is None else steps * self.recipe.batch_size
        if self.recipe.sampling == "clips":
            sizes = self.windows.clips.cpu().bincount()
            clips = sizes.nonzero().flatten()[torch.randint(int((sizes > 0).sum()), (count,), generator=generator)]
            places = (torch.rand(count, generator=generator, dtype=torch.float64) * sizes[clips]).long()
            order = (sizes.cumsum(0) - sizes)[clips] + places
        else:
            passes = -(-count // len(self.windows))
            order = torch.cat([torch.randperm(len(self.windows), generator=generator) for _ in range(passes)])[:count]
        return order.to(self.device)

    def _share(self, order: torch.Tensor, step: int) -> torch.Tensor:
        """This process's window numbers of a step."""
        size = self.recipe.batch_size
        return order[step * size : (step + 1) * size][self.processes.rank :: self.processes.world_size]

    def _batch(self, numbers: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The windows of these numbers, some of them backwards if the recipe says so, and labels if the model has."""
        window = self.windows.batch(numbers)
        if self.recipe.reverse:
            chosen = torch.rand(len(window)).to(self.device) < self.recipe.reverse
            window = torch.where(chosen[:, None, None, None], window.flip(1), window)
        return (window,) if self.labels is None else (window, self.labels[numbers])

    def _step(self, network: torch.nn.Module, window: torch.Tensor, *labels: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        half = torch.float16 if self.precision == "fp16" else torch.bfloat16
        with torch.autocast(self.device.type, dtype=half, enabled=self.precision != "fp32"):
            outputs = network(window[:, : self.model.observed_frames], *labels)
        loss = self.model.loss(tuple(output.float() for output in outputs), window)
        self.scaler.scale(loss).backward()
        if self.recipe.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def _end_epoch(self, log: TrainingLog | None, *, complete: bool) -> None:
        """Validate, keep the best weights, report, and store the state that the run continues from."""
        progress = self.progress
        loss_sum, windows = self._totals()
        row: dict[str, Any] = {
            "epoch": progress.epoch,
            "learning_rate": self.recipe.learning_rate_at(progress.epoch),
            "train_loss": loss_sum / max(windows, 1),
        }
        if self.processes.is_first:
            result = self._validate(row)
            better = result is None or _improves(result.mean, progress.best_error)
            if better:
                progress.best_epoch = progress.epoch
                progress.best_error = None if result is None else result.mean
                save_checkpoint(self.model, self.folder / "best", record=self._record(result))
            row["seconds"] = round(self._seconds(), 1)
            if log is not None:
                log.add(row)
            self.report(self._summary(row, result, better))
        if complete:
            progress.epoch += 1
            progress.step, progress.windows, progress.loss_sum = 0, 0, 0.0
        self._store()
        self.processes.wait()

    def _validate(self, row: dict[str, Any]) -> Result | None:
        protocol = self.protocol
        if protocol is None:
            return None
        result = evaluate(self.model, self.dataset, protocol)
        row[f"val_{protocol.unit}"] = result.mean
        row |= {f"val_frame_{f}_{protocol.unit}": e for f, e in zip(protocol.frames, result.errors, strict=True)}
        return result

    def _record(self, result: Result | None) -> dict[str, Any]:
        return {
            "training": self.progress.settings | {"epoch": self.progress.epoch, "epochs": self.recipe.epochs},
            "selection": "last epoch" if result is None else "lowest validation error on held-out training clips",
            "validation": None if result is None else result.to_json(),
        }

    def _summary(self, row: dict[str, Any], result: Result | None, better: bool) -> str:
        text = f"epoch {row['epoch']:>3}  train loss {row['train_loss']:10.4g}"
        if result is not None:
            unit = result.protocol.unit
            error = f"{result.mean:7.2f}" if unit == "mm" else f"{result.mean:7.4f}"
            text += f"  validation error {error} {unit}{' *' if better else '  '}"
        return f"{text}  {row['seconds']:7.0f} s"

    def _totals(self) -> tuple[float, int]:
        """Sum of losses and number of windows of the epoch under way, over all processes."""
        own = torch.tensor([self.progress.loss_sum, self.progress.windows], dtype=torch.float64, device=self.device)
        loss_sum, windows = self.processes.sum(own).tolist()
        return loss_sum, int(windows)

    def _store(self) -> None:
        self._saved = time.monotonic()
        loss_sum, windows = self._totals()
        if self.processes.is_first:
            progress = dataclasses.replace(self.progress, loss_sum=loss_sum, windows=windows, seconds=self._seconds())
            store(self.folder / _STATE_FILE, progress, self.model, self.optimizer, self.scaler)

    def _seconds(self) -> float:
        return time.monotonic() - self._started


def _improves(error: float, best: float | None) -> bool:
    """Whether an error is lower than the best so far; anything replaces a best that is not a number."""
    return best is None or math.isnan(best) or error < best


def _mix(*numbers: int) -> int:
    """One seed from several numbers; neighbouring ones give unrelated seeds."""
    return int(np.random.SeedSequence([number % 2**32 for number in numbers]).generate_state(1, np.uint64)[0] >> 1)


def _choose_device(device: torch.device | str | None) -> torch.device:
    place = torch.device(device or default_device())
    if place == torch.device("cuda"):  # torchrun gives each process of a machine its own
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return place


def _default_recipe(model: ForecastModel) -> Recipe:
    return Recipe() if model.registry_name is None else registry.info(model.registry_name).recipe


def _with_validation(dataset: MotionDataset, window_frames: int, validation: Sequence[str] | None) -> MotionDataset:
    if dataset.clips.get("val") and validation is None:
        return dataset
    if validation is not None and len(validation) == 0:
        return dataclasses.replace(dataset, clips={k: v for k, v in dataset.clips.items() if k != "val"})
    return dataset.hold_out(window_frames, validation)


def _as_json(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as they come back from JSON, so that they compare equal to stored ones."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}


@contextlib.contextmanager
def _interruptions() -> Generator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that the step under way can finish; a second Ctrl-C stops at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # only the main thread may handle signals
        return

    def handle(number: int, frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
