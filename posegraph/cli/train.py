"""``posegraph train``."""

from __future__ import annotations

import dataclasses
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from posegraph import registry, training
from posegraph._support.checks import check_positive
from posegraph._support.device import Precision
from posegraph._support.files import replace_file
from posegraph._support.text import mean_and_spread
from posegraph.cli.options import parse_settings, read
from posegraph.data.dataset import MotionDataset
from posegraph.models.base import ForecastModel

__all__ = ["COMMAND_FILE", "TrainOptions", "train"]

COMMAND_FILE = "command.txt"
"""File of a run that says by which command it was made."""


@dataclass(frozen=True)
class TrainOptions:
    """Train a model and keep the epoch that is best on held-out training clips."""

    name: tyro.conf.Positional[str]
    """Registry name of the model; 'posegraph list' shows all."""
    dataset: str
    """Name of a data set; a wrong one is answered with the list."""
    data: str
    """Folder of the data set; 'samples' for the bundled clips."""
    out: Path | None = None
    """Folder of the run; runs/NAME by default."""
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = ()
    """Settings of the model to change; 'posegraph info NAME' shows them."""
    actions: tuple[str, ...] = ()
    """Train on these actions only."""
    validation: tuple[str, ...] | None = None
    """Training clips to hold out; by default the shortest of each action that has several."""
    no_validation: bool = False
    """Train on all clips and keep the last epoch."""
    observed_frames: int | None = None
    """Frames that the model sees; its own default if not given."""
    future_frames: int | None = None
    """Frames to forecast; the model's own default if not given."""
    epochs: int | None = None
    """Passes over the training windows; the recipe's if not given."""
    steps_per_epoch: int | None = None
    """Steps of an epoch in place of a whole pass; the recipe's if not given."""
    batch_size: int | None = None
    """Windows a step; the recipe's if not given."""
    learning_rate: float | None = None
    """Learning rate before any decay; the recipe's if not given."""
    recipe: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = ()
    """Other values of the recipe to change, as in mirror=0.5 schedule=cosine averaging=0.999; with the name of its part
    before it if you like, as in schedule.warm_up=1. 'posegraph info NAME' shows them."""
    minutes: float | None = None
    """Finish after so many minutes, validation included."""
    seed: int = 0
    """Seed of initial weights, order and dropout."""
    seeds: int = 1
    """Train so many models at once, with this seed and those after it; mean and spread for little more than one on a
    GPU. Each has a folder of its own below that of the run."""
    device: str | None = None
    """Where to train, as in cpu or cuda:0; a GPU if there is one."""
    precision: Precision = "fp32"
    """Mixed precision with bf16 or fp16; tf32 for rounded factors of float32 products."""
    acceleration: training.Acceleration = "auto"
    """Fused optimiser and, on a GPU, steps recorded as CUDA graphs; none for the plain loop, compile for torch.compile
    in addition."""
    tensorboard: bool = False
    """Refuse to train without TensorBoard, whose curves are written where it is installed."""
    resume: bool = False
    """Continue the run in the folder."""


def train(options: Annotated[TrainOptions, tyro.conf.arg(name="")]) -> None:
    """Train a model and keep the epoch that is best on held-out training clips."""
    motion = read(options.dataset, options.data, actions=options.actions)
    changes: dict[str, Any] = {
        key: value
        for key in ("epochs", "steps_per_epoch", "batch_size", "learning_rate")
        if (value := getattr(options, key)) is not None
    }
    changes |= parse_settings(options.recipe, option="--recipe")
    recipe = registry.info(options.name).recipe.replace(**changes)
    how = training.Options(
        validation=() if options.no_validation else options.validation,
        seed=options.seed,
        device=options.device,
        precision=options.precision,
        acceleration=options.acceleration,
        resume=options.resume,
        time_limit=None if options.minutes is None else 60 * options.minutes,
        tensorboard=True if options.tensorboard else None,
    )
    folder = options.out or Path("runs") / options.name
    check_positive(seeds=options.seeds)
    seeds = range(options.seed, options.seed + options.seeds)
    models = [_build(options, motion, seed) for seed in seeds]
    if len(models) == 1:
        results = [training.train(models[0], motion, folder, recipe=recipe, options=how)]
    else:
        results = training.train_seeds(models, motion, folder, seeds=seeds, recipe=recipe, options=how)
    for result in results:
        if os.environ.get("RANK", "0") == "0":  # of several training processes, one writes
            _note_command(options, result.folder)
        if result.best_epoch:
            print(f"checkpoint of epoch {result.best_epoch}: {result.folder / 'best'}")
    errors = [result.best_error for result in results if result.best_error is not None]
    if len(errors) > 1:
        spread = mean_and_spread(errors, digits=2 if motion.skeleton.unit == "mm" else 4)
        print(f"lowest validation errors of {len(errors)} seeds: {spread} (mean ± standard deviation)")
    if not results[0].finished:
        print(f"interrupted in epoch {results[0].epochs + 1}; the same command with --resume continues it")
        raise KeyboardInterrupt


def _build(options: TrainOptions, motion: MotionDataset, seed: int) -> ForecastModel:
    training.seed_everything(seed)
    return registry.build(
        options.name,
        skeleton=motion.skeleton,
        observed_frames=options.observed_frames,
        future_frames=options.future_frames,
        **parse_settings(options.set),
    )


def _note_command(options: TrainOptions, folder: Path) -> None:
    """Write down the command, with words for folders: where these are is nobody else's business."""
    words = ["posegraph", "train", options.name]
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name in ("name", "out", "resume") or value == field.default:
            continue
        if field.name == "data" and value != "samples":
            value = "DIR"
        values = [] if value is True else value if isinstance(value, tuple) else [value]
        words += [f"--{field.name.replace('_', '-')}", *map(str, values)]
    text = shlex.join([*words, "--out", "RUN"]) + "\n"
    replace_file(folder / COMMAND_FILE, lambda file: file.write(text.encode()))
