"""Training of one model, or of several seeds of it at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from posegraph import registry
from posegraph._support.device import Precision
from posegraph.data.dataset import MotionDataset
from posegraph.errors import ConfigError
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.training.distributed import Processes, join_processes
from posegraph.training.member import Member
from posegraph.training.options import Options
from posegraph.training.run import Run
from posegraph.training.state import TrainingResult

__all__ = ["train", "train_seeds"]


def train(
    model: ForecastModel,
    dataset: MotionDataset,
    folder: str | Path,
    *,
    recipe: Recipe | None = None,
    options: Options | None = None,
) -> TrainingResult:
    """Train a model on the training clips of a data set.

    Whole training clips are held out for validation, and the epoch with the lowest validation error becomes the
    checkpoint ``folder / "best"``; test clips are never looked at. ``log.csv`` holds the curves, and so do TensorBoard
    files where that is installed; ``training.safetensors`` has the complete state: an interrupted run (Ctrl-C, SIGTERM,
    a crash) continues with ``Options(resume=True)`` and gives the same weights as one that was not interrupted. Start
    it with ``torchrun`` to train with several processes, each on its share of every batch.

    Args:
        model: Model to train. It is moved to the device and holds the last epoch's weights afterwards.
        dataset: Clips; a split "val" in it is used for validation.
        folder: Folder of the run, made if it does not exist.
        recipe: Optimiser, schedule, sampling and augmentation; by default the authors' for this model.
        options: Validation, seed, device, precision, resumption, and what else does not change what is learned.

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
        >>> from posegraph.recipe import Recipe
        >>> from posegraph.training import Options, seed_everything, train
        >>> clips = data.load("cmu", "samples", actions=["running"])
        >>> seed_everything(0)
        >>> model = registry.build("msrgcn-1l", skeleton="cmu", channels=8, num_blocks=1)
        >>> quiet = Options(report=lambda line: None)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = train(model, clips, folder, recipe=Recipe.of(epochs=1), options=quiet)
        ...     trained = checkpoint.load(result.folder)
        >>> result.epochs, result.finished
        (1, True)
    """
    options = options or Options()
    (result,) = _train([Member(model, Path(folder), options.seed)], dataset, Path(folder), recipe, options)
    return result


def train_seeds(
    models: Sequence[ForecastModel],
    dataset: MotionDataset,
    folder: str | Path,
    *,
    seeds: Sequence[int] | None = None,
    recipe: Recipe | None = None,
    options: Options | None = None,
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
        seeds: Seeds of the orders of windows; by default ``options.seed`` and the numbers after it.
        recipe: See `train`.
        options: See `train`. The precision is not "fp16"; the error in a report is the mean of all models, with its
            standard deviation.

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
        >>> from posegraph.training import Options, seed_everything, train_seeds
        >>> clips, models = data.load("cmu", "samples", actions=["running"]), []
        >>> for seed in range(3):
        ...     seed_everything(seed)
        ...     models.append(registry.build("msrgcn-1l", skeleton="cmu", channels=8, num_blocks=1))
        >>> quiet = Options(report=lambda line: None)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     results = train_seeds(models, clips, folder, recipe=Recipe.of(epochs=1), options=quiet)
        >>> [result.folder.name for result in results]
        ['seed-0', 'seed-1', 'seed-2']
    """
    options = options or Options()
    seeds = [options.seed + number for number in range(len(models))] if seeds is None else list(seeds)
    _check_seeds(models, seeds, options.precision)
    members = [Member(model, Path(folder) / f"seed-{seed}", seed) for model, seed in zip(models, seeds, strict=True)]
    return _train(members, dataset, Path(folder), recipe, options)


def _train(
    members: Sequence[Member], dataset: MotionDataset, folder: Path, recipe: Recipe | None, options: Options
) -> list[TrainingResult]:
    model = members[0].model
    if not model.is_trainable:
        raise ConfigError(f"{type(model).__name__} has no parameters to train. Evaluate it as it is.")
    place = options.place
    model.check_skeleton(dataset.skeleton, f"data set {dataset.name!r}")
    dataset = _with_validation(dataset, model.total_frames, options.validation)
    with join_processes(place) as processes:
        _check_processes(processes, len(members))
        for member in members:
            member.model.to(place)
        recipe = registry.recipe_of(model) if recipe is None else recipe
        return Run(members, folder, dataset, recipe, options=options, processes=processes).execute()


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


def _with_validation(dataset: MotionDataset, window_frames: int, validation: Sequence[str] | None) -> MotionDataset:
    if dataset.clips.get("val") and validation is None:
        return dataset
    if validation is not None and len(validation) == 0:
        return dataclasses.replace(dataset, clips={k: v for k, v in dataset.clips.items() if k != "val"})
    return dataset.hold_out(window_frames, validation)
