"""The step of a run is what recipe and options ask for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from posegraph.recipe import Recipe
from posegraph.training.assembly import Assembly, assemble
from posegraph.training.averaging import AveragedStep
from posegraph.training.distributed import Processes
from posegraph.training.steps import PlainStep, StackedStep
from tests.training.runs import FUTURE, OBSERVED, motion, quiet, small_model


def made(count: int = 1, recipe: Recipe | None = None, **options: Any) -> Assembly:
    models = [small_model(seed=seed) for seed in range(count)]
    windows = motion().train_windows(OBSERVED, FUTURE)
    return assemble(models, windows, recipe or Recipe(), quiet(**options), Processes())


def test_one_model_has_a_plain_step_on_its_own_weights():
    assembly = made(recipe=Recipe.of(optimizer="sgd", learning_rate=0.25, clip_norm=2.0), precision="bf16")
    step = assembly.step
    assert isinstance(step, PlainStep)
    assert assembly.weights is step.model
    assert assembly.average is None
    assert (step.precision, step.clip_norm) == ("bf16", 2.0)
    assert isinstance(step.optimizer, torch.optim.SGD)
    assert step.optimizer.param_groups[0]["lr"] == 0.25


def test_frozen_parameters_are_left_out():
    model = small_model()
    frozen = next(model.parameters()).requires_grad_(False)
    windows = motion().train_windows(OBSERVED, FUTURE)
    step = assemble([model], windows, Recipe(), quiet(), Processes()).step
    trained = [parameter for group in step.optimizer.param_groups for parameter in group["params"]]
    assert len(trained) == len(list(model.parameters())) - 1
    assert all(parameter is not frozen for parameter in trained)


def test_several_models_share_a_step():
    assembly = made(2)
    assert isinstance(assembly.step, StackedStep)
    assert isinstance(assembly.weights, nn.ModuleList)
    assert len(assembly.weights) == 2


def test_averaging_wraps_the_step():
    assembly = made(recipe=Recipe(averaging=0.9))
    assert isinstance(assembly.step, AveragedStep)
    assert assembly.average is assembly.step.average
    assert assembly.average.decay == 0.9


def test_only_acceleration_fuses_the_optimiser():
    assert made().step.optimizer.param_groups[0]["fused"]
    assert not made(acceleration="none").step.optimizer.param_groups[0]["fused"]


def test_augmentation_reaches_the_batches():
    step = made(recipe=Recipe.of(reverse=0.5)).step
    assert isinstance(step, PlainStep)
    assert step.batches.augmentation.reverse == 0.5
