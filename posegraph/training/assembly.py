"""The step of a run, put together from its recipe and options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from posegraph.data.windows import Windows
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.training.averaging import AveragedStep, WeightAverage
from posegraph.training.batches import Batches
from posegraph.training.distributed import Processes
from posegraph.training.graphs import CudaRecorder, RecordedStep
from posegraph.training.options import Options
from posegraph.training.steps import PlainStep, StackedStep, Step, make_optimizer

__all__ = ["Assembly", "assemble"]


@dataclass(frozen=True)
class Assembly:
    """What the steps of a run work on."""

    step: Step
    """Takes a step."""
    weights: nn.Module
    """All that a step changes: the model, or a list of several."""
    average: WeightAverage | None
    """The moving average of the weights, if the recipe asks for one."""


def assemble(
    models: Sequence[ForecastModel], windows: Windows, recipe: Recipe, options: Options, processes: Processes
) -> Assembly:
    """Put a step together.

    Args:
        models: Models to train at once, on the device.
        windows: Training windows, on the device.
        recipe: Optimiser, sampling, augmentation, averaging.
        options: Precision and acceleration.
        processes: This process among those that train together.
    """
    model, device = models[0], windows.device
    weights = model if len(models) == 1 else nn.ModuleList(models)
    labels = model.action_labels(windows.actions)[windows.clips] if model.actions else None
    batches = Batches(windows, model.skeleton, labels=labels, augmentation=recipe.augmentation)
    step = _fast_step(models, batches, recipe, options, processes)
    average = WeightAverage(weights, recipe.averaging) if recipe.averaging else None
    if average is not None:
        step = AveragedStep(step, average)
    recordable = device.type == "cuda" and processes.world_size == 1 and options.precision != "fp16"
    if recordable and options.acceleration != "none":
        step = RecordedStep(step, CudaRecorder(), recipe.sampling.batch_size)
    return Assembly(step, weights, average)


def _fast_step(
    models: Sequence[ForecastModel], batches: Batches, recipe: Recipe, options: Options, processes: Processes
) -> Step:
    device, settings = batches.windows.device, recipe.optimizer
    fused = options.acceleration != "none" and device.type in ("cpu", "cuda")
    compiled = options.acceleration == "compile"
    if len(models) > 1:
        return StackedStep(models, batches, settings, precision=options.precision, fused=fused, compiled=compiled)
    (model,) = models
    network = processes.wrap(model, device)
    return PlainStep(
        model,
        batches,
        make_optimizer(settings, [p for p in model.parameters() if p.requires_grad], device, fused=fused),
        network=torch.compile(network, dynamic=False) if compiled else network,
        precision=options.precision,
        clip_norm=settings.clip_norm,
    )
