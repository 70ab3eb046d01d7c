"""Training of one model, or of several seeds of it at once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import torch

from posegraph import registry
from posegraph._support.checks import check_choice
from posegraph._support.device import default_device
from posegraph.data.dataset import MotionDataset
from posegraph.errors import ConfigError
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.training.distributed import Processes, join_processes
from posegraph.training.member import Member
from posegraph.training.run import Run, TrainingResult
from posegraph.training.steps import Acceleration, Precision

__all__ = ["train", "train_seeds"]


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
    acceleration: Acceleration = "auto",
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
        acceleration: ``"auto"`` updates all parameters in one kernel and, on a GPU, records a step as a CUDA graph
            and replays it; the last batch of an epoch, several processes and "fp16" do without a graph.
            ``"compile"`` compiles the network with torch.compile as well, for up to a few minutes. ``"none"`` is the
            plain loop with PyTorch's default optimisers. All follow the same course, to rounding.
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
    (result,) = _train(
        [Member(model, Path(folder), seed)],
        dataset,
        Path(folder),
        recipe,
        validation,
        device,
        precision,
        acceleration,
        report,
        resume=resume,
        time_limit=time_limit,
    )
    return result


def train_seeds(
    models: Sequence[ForecastModel],
    dataset: MotionDataset,
    folder: str | Path,
    *,
    seeds: Sequence[int] | None = None,
    recipe: Recipe | None = None,
    validation: Sequence[str] | None = None,
    device: torch.device | str | None = None,
    precision: Precision = "fp32",
    acceleration: Acceleration = "auto",
    resume: bool = False,
    time_limit: float | None = None,
    report: Callable[[str], object] = print,
) -> list[TrainingResult]:
    """Train several models of one kind at once, each with a seed of its own: mean and spread from one run.

    Each model is trained as `train` would with its seed: the same order of windows, and its own validation, log and
    checkpoint in ``folder / "seed-<seed>"``. Only the random numbers of dropout differ. One kernel works on all models,
    so on a GPU, which a single model of this field leaves mostly idle, several take little longer than one; on a CPU
    they take about as long as one after another.

    Args:
        models: Models that differ in nothing but their weights: build each after `seed_everything` with its seed.
        dataset: See `train`.
        folder: Folder of the run, made if it does not exist.
        seeds: Seeds of the orders of windows; by default 0, 1, 2, ...
        recipe: See `train`.
        validation: See `train`.
        device: See `train`.
        precision: ``"fp32"`` or ``"bf16"``.
        acceleration: See `train`.
        resume: See `train`.
        time_limit: See `train`.
        report: See `train`; the error is the mean of all models and its standard deviation.

    Returns:
        The result of each model.

    Raises:
        ConfigError: As `train`; or the models differ, the seeds do not fit them, the models cannot be trained
            together, or there are several processes.
        CheckpointError: As `train`.
        DataError: As `train`.
        UnknownNameError: As `train`.

    Examples:
        >>> import tempfile
        >>> from posegraph import data, registry
        >>> from posegraph.recipe import Recipe
        >>> from posegraph.training import seed_everything, train_seeds
        >>> clips, models = data.load("cmu", "samples", actions=["running"]), []
        >>> for seed in range(3):
        ...     seed_everything(seed)
        ...     models.append(registry.build("msrgcn-1l", skeleton="cmu", channels=8, num_blocks=1))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     results = train_seeds(models, clips, folder, recipe=Recipe(epochs=1), report=lambda line: None)
        >>> [result.folder.name for result in results]
        ['seed-0', 'seed-1', 'seed-2']
    """
    seeds = list(range(len(models))) if seeds is None else list(seeds)
    _check_seeds(models, seeds, precision)
    return _train(
        [Member(model, Path(folder) / f"seed-{seed}", seed) for model, seed in zip(models, seeds, strict=True)],
        dataset,
        Path(folder),
        recipe,
        validation,
        device,
        precision,
        acceleration,
        report,
        resume=resume,
        time_limit=time_limit,
    )


def _train(
    members: Sequence[Member],
    dataset: MotionDataset,
    folder: Path,
    recipe: Recipe | None,
    validation: Sequence[str] | None,
    device: torch.device | str | None,
    precision: Precision,
    acceleration: Acceleration,
    report: Callable[[str], object],
    *,
    resume: bool,
    time_limit: float | None,
) -> list[TrainingResult]:
    check_choice("precision", precision, get_args(Precision))
    check_choice("acceleration", acceleration, get_args(Acceleration))
    model = members[0].model
    if not model.is_trainable:
        raise ConfigError(f"{type(model).__name__} has no parameters to train. Evaluate it as it is.")
    place = _choose_device(device)
    if precision == "fp16" and place.type != "cuda":
        raise ConfigError(f"precision 'fp16' needs a GPU, but the device is {place}. Use 'bf16' or 'fp32'.")
    model.check_skeleton(dataset.skeleton, f"data set {dataset.name!r}")
    dataset = _with_validation(dataset, model.total_frames, validation)
    with join_processes(place) as processes:
        _check_processes(processes, len(members))
        for member in members:
            member.model.to(place)
        run = Run(
            members,
            folder,
            dataset,
            registry.recipe_of(model) if recipe is None else recipe,
            precision=precision,
            acceleration=acceleration,
            processes=processes,
            device=place,
            report=report,
        )
        return run.execute(resume=resume, time_limit=time_limit)


def _check_seeds(models: Sequence[ForecastModel], seeds: Sequence[int], precision: Precision) -> None:
    if not models or len(seeds) != len(models) or len(set(seeds)) != len(seeds):
        raise ConfigError(
            f"seeds: expected at least one model and a different seed for each, got {len(models)} models and seeds "
            f"{list(seeds)}."
        )
    if precision == "fp16":
        raise ConfigError("precision: expected 'fp32' or 'bf16' for several seeds, got 'fp16'. Train them one by one.")
    first = _kind(models[0])
    for number, model in enumerate(models):
        if _kind(model) != first:
            raise ConfigError(
                f"models: expected models that differ in nothing but their weights, but model {number} is "
                f"{type(model).__name__} with {model.config}, and model 0 {type(models[0]).__name__} with "
                f"{models[0].config}. Build all with the same settings."
            )


def _kind(model: ForecastModel) -> tuple[Any, ...]:
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    return type(model), model.config, model.skeleton, model.observed_frames, model.future_frames, shapes


def _check_processes(processes: Processes, num_models: int) -> None:
    if processes.world_size > 1 and num_models > 1:
        raise ConfigError(
            f"seeds: expected one process for {num_models} models, got {processes.world_size}. Start one process, or "
            "train the seeds one by one."
        )


def _choose_device(device: torch.device | str | None) -> torch.device:
    place = torch.device(device or default_device())
    if place == torch.device("cuda"):  # torchrun gives each process of a machine its own
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return place


def _with_validation(dataset: MotionDataset, window_frames: int, validation: Sequence[str] | None) -> MotionDataset:
    if dataset.clips.get("val") and validation is None:
        return dataset
    if validation is not None and len(validation) == 0:
        return dataclasses.replace(dataset, clips={k: v for k, v in dataset.clips.items() if k != "val"})
    return dataset.hold_out(window_frames, validation)
