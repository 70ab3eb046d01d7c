"""Training steps: the trainer's plain step against faster ones, at the batch size of each model's recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import torch
from torch import nn

from benchmarks.case import Case
from benchmarks.compare import Comparison, Variant
from benchmarks.inference import HEADLINE
from benchmarks.precision import relative_error
from benchmarks.subjects import Subject, random_poses, subject
from benchmarks.timing import Run
from posegraph import registry
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe

TOLERANCE = 1e-3
"""Largest difference of losses from those of the plain step, relative to the largest of them."""
_CHECKED_STEPS = 3


def plain_step(model: ForecastModel, recipe: Recipe, *, fused: bool = False) -> Run:
    """One step as the trainer's loop makes it, from windows on the device to changed weights."""
    make = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[recipe.optimizer]
    optimizer = make(model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=fused or None)

    def step(window: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        labels = (torch.zeros(len(window), dtype=torch.long, device=window.device),) if model.actions else ()
        loss = model.loss(model(window[:, : model.observed_frames], *labels), window)
        loss.backward()
        if recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimizer.step()
        return loss.detach()

    return step


def fused_step(model: ForecastModel, recipe: Recipe) -> Run:
    return plain_step(model, recipe, fused=True)


STEPS: dict[str, Callable[[ForecastModel, Recipe], Run]] = {"plain": plain_step, "fused": fused_step}
"""Ways to make a step: each gets a model in training mode and its recipe, and returns what makes a step on windows."""


def cases(device: str, models: Sequence[str] | None = None) -> Iterator[Case]:
    """Every model that has something to train."""
    for name in registry.names() if models is None else models:
        if name == "zero-velocity":
            continue
        batch = registry.info(name).recipe.batch_size
        yield Case(
            kind="training",
            device=device,
            subject=name,
            batch=batch,
            variants=[(step, "fp32") for step in STEPS],
            prepare=lambda name=name, batch=batch: comparison(subject(name, device), batch),
            rank=4 if name in HEADLINE else 15,
            weight=2.0 if name in HEADLINE else 1.0,
        )


def comparison(about: Subject, batch: int) -> Comparison:
    """All steps, each on weights of its own that start out the same."""
    model = about.model
    recipe = Recipe() if model.registry_name is None else registry.info(model.registry_name).recipe
    inputs = random_poses(batch, model.total_frames, model.num_joints)
    expected: list[torch.Tensor] = []

    def error(variant: Variant, run: Run) -> float:
        """Of the losses of a few steps on weights without dropout, which is not the same in every kind of step."""
        still = copy.deepcopy(model)
        for module in still.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        step = STEPS[variant.name](still.train(), recipe)
        losses = torch.stack([step(inputs[i].to(about.device)).cpu() for i in range(_CHECKED_STEPS)])
        if not expected:
            expected.append(losses)
        return relative_error(losses, expected[0])

    return Comparison(
        variants=[
            Variant(
                name,
                "fp32",
                lambda make=make: make(copy.deepcopy(model).train(), recipe),
                TOLERANCE,
                flop=batch * about.flop_step,
            )
            for name, make in STEPS.items()
        ],
        inputs=inputs,
        error=error,
        windows=batch,
        around=nullcontext,
    )
