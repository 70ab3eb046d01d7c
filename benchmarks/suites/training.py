"""Training steps: the plain one against the trainer's fast ones, at the batch size of each model's recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from benchmarks.harness.case import Case, Comparison, Key, Variant, products_in, relative_error
from benchmarks.harness.timing import Run
from benchmarks.suites.inference import HEADLINE, SLOW_SETUP_S
from benchmarks.suites.subjects import Subject, random_poses, subject
from posegraph import registry
from posegraph.data import Windows
from posegraph.layers import Dropout
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.training.batches import Batches
from posegraph.training.graphs import CudaRecorder, RecordedStep
from posegraph.training.steps import PlainStep, StackedStep, make_optimizer

SEEDS = 8
TOLERANCE = {"fp32": 1e-3, "tf32": 5e-3, "bf16": 5e-2}
"""Largest difference of losses from those of the plain step, relative to the largest of them."""
_CHECKED_STEPS = {"cpu": 2, "cuda": 6}  # on a GPU enough for a step to be recorded and replayed
_WINDOWS = 1024


@dataclass(frozen=True)
class Way:
    """A way to make a step."""

    make: Callable[[ForecastModel, Batches, Recipe, str], Run]
    """Gets a model in training mode, and a precision; what it returns gets window numbers."""
    devices: tuple[str, ...] = ("cpu", "cuda")
    seeds: int = 1
    """Models that a step trains at once."""
    compiles: bool = False
    """Whether it takes minutes until the first step is done."""


def plain(model: ForecastModel, batches: Batches, recipe: Recipe, precision: str) -> Run:
    """The trainer's step with nothing that makes it fast: PyTorch's dropout, and several kernels of Adam."""
    _with_own_dropout(model)
    return _step(model, batches, recipe, precision, fused=False)


def fused(model: ForecastModel, batches: Batches, recipe: Recipe, precision: str) -> Run:
    return _step(model, batches, recipe, precision)


def recorded(model: ForecastModel, batches: Batches, recipe: Recipe, precision: str) -> Run:
    return RecordedStep(_step(model, batches, recipe, precision), CudaRecorder(), recipe.sampling.batch_size)


def compiled(model: ForecastModel, batches: Batches, recipe: Recipe, precision: str) -> Run:
    step = _step(model, batches, recipe, precision, compiled=True)
    on_gpu = batches.windows.device.type == "cuda"
    return RecordedStep(step, CudaRecorder(), recipe.sampling.batch_size) if on_gpu else step


def several(model: ForecastModel, batches: Batches, recipe: Recipe, precision: str) -> Run:
    """Several seeds at once, here all on the same windows."""
    models = [copy.deepcopy(model) for _ in range(SEEDS)]
    step = StackedStep(models, batches, recipe.optimizer, precision=_autocast(precision), fused=True)
    on_gpu = batches.windows.device.type == "cuda"
    run = RecordedStep(step, CudaRecorder(), recipe.sampling.batch_size) if on_gpu else step
    return lambda numbers: run(numbers.expand(SEEDS, -1))


_GPU = ("cuda",)
WAYS: dict[Key, Way] = {
    ("plain", "fp32"): Way(plain),
    ("fused", "fp32"): Way(fused),
    ("fused", "bf16"): Way(fused),
    ("recorded", "fp32"): Way(recorded, _GPU),
    ("recorded", "tf32"): Way(recorded, _GPU),
    ("recorded", "bf16"): Way(recorded, _GPU),
    ("compiled", "fp32"): Way(compiled, compiles=True),
    ("compiled", "bf16"): Way(compiled, _GPU, compiles=True),
    (f"{SEEDS} seeds", "fp32"): Way(several, seeds=SEEDS),
    (f"{SEEDS} seeds", "bf16"): Way(several, _GPU, seeds=SEEDS),
}
"""All ways, the reference first."""


def _step(
    model: ForecastModel,
    batches: Batches,
    recipe: Recipe,
    precision: str,
    *,
    fused: bool = True,
    compiled: bool = False,
) -> PlainStep:
    device = batches.windows.device
    return PlainStep(
        model,
        batches,
        make_optimizer(recipe.optimizer, model.parameters(), device, fused=fused),
        network=torch.compile(model, dynamic=False) if compiled else model,
        precision=_autocast(precision),
        clip_norm=recipe.optimizer.clip_norm,
    )


def _autocast(precision: str) -> Literal["fp32", "bf16"]:
    return "bf16" if precision == "bf16" else "fp32"


def _with_own_dropout(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, Dropout):
            setattr(module, name, nn.Dropout(child.p))
        else:
            _with_own_dropout(child)


def cases(device: str, models: Sequence[str] | None = None) -> Iterator[Case]:
    """Every model that has something to train; what takes long to check or to compile only for the first of all."""
    usable = {key: way for key, way in WAYS.items() if device in way.devices}
    reference, *_ = usable
    quick = [key for key, way in usable.items() if way.seeds == 1 and not way.compiles]
    for name in registry.names() if models is None else models:
        if name == "zero-velocity":  # nothing to train
            continue
        settings = {"": quick}
        if name == HEADLINE[0]:
            others = dict.fromkeys(way for way, precision in usable if (way, precision) not in quick)
            settings |= {other: [reference, *(key for key in usable if key[0] == other)] for other in others}
        batch = registry.info(name).recipe.sampling.batch_size
        for setting, keys in settings.items():
            slow = any(usable[key].compiles for key in keys)
            yield Case(
                kind="training",
                device=device,
                subject=name,
                setting=setting,
                batch=batch,
                variants=keys,
                prepare=lambda name=name, keys=keys: comparison(subject(name, device), keys),
                rank=(13 if device == "cuda" else 101) if slow else 4 if name in HEADLINE else 15,
                weight=6.0 if slow else 2.0 if name in HEADLINE else 1.0,
                patience=30.0 if slow else 3.0,
            )


def comparison(about: Subject, keys: Sequence[Key], recipe: Recipe | None = None) -> Comparison:
    """Ways to make a step, each on weights of its own that start out the same."""
    model = about.model
    if recipe is None:
        recipe = registry.recipe_of(model)
    batches = _batches(about)
    generator = torch.Generator().manual_seed(2)
    inputs = [torch.randperm(_WINDOWS, generator=generator)[: recipe.sampling.batch_size] for _ in range(4)]
    expected: list[torch.Tensor] = []

    def prepare(key: Key, model: ForecastModel) -> Run:
        with products_in(key[1]):
            step = WAYS[key].make(model.train(), batches, recipe, key[1])

        def run(numbers: torch.Tensor) -> torch.Tensor:
            with products_in(key[1]):
                return step(numbers)

        return run

    def error(variant: Variant, _: Run) -> float:
        """Of the losses of a few steps without dropout, whose random numbers differ from way to way."""
        still = copy.deepcopy(model)
        for module in still.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        step = prepare(variant.key, still)
        numbers = [inputs[i % len(inputs)].to(about.device) for i in range(_CHECKED_STEPS[about.device])]
        losses = [step(chosen).cpu().clone() for chosen in numbers]
        if not expected:
            expected.extend(losses)
        return max(relative_error(loss, true.expand_as(loss)) for loss, true in zip(losses, expected, strict=True))

    return Comparison(
        variants=[
            Variant(
                *key,
                lambda key=key: prepare(key, copy.deepcopy(model)),
                TOLERANCE[key[1]],
                flop=WAYS[key].seeds * recipe.sampling.batch_size * about.flop_step,
                setup_s=2 * SLOW_SETUP_S if WAYS[key].compiles else 0.0,
                copies=WAYS[key].seeds,
            )
            for key in keys
        ],
        inputs=inputs,
        error=error,
        windows=recipe.sampling.batch_size,
        around=nullcontext,
    )


def _batches(about: Subject) -> Batches:
    """Windows of one long random clip on the device."""
    model = about.model
    (frames,) = random_poses(1, _WINDOWS + model.total_frames, model.num_joints, count=1)
    windows = Windows(frames[0], torch.arange(_WINDOWS), model.observed_frames, model.future_frames)
    labels = torch.zeros(_WINDOWS, dtype=torch.long, device=about.device) if model.actions else None
    return Batches(windows.to(about.device), model.skeleton.reduced, labels=labels)
