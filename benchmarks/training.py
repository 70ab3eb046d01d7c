"""Training steps: the plain one against the trainer's fast ones, at the batch size of each model's recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from benchmarks.backends import SLOW_SETUP_S
from benchmarks.case import Case
from benchmarks.compare import Comparison, Variant
from benchmarks.inference import HEADLINE
from benchmarks.precision import relative_error
from benchmarks.subjects import Subject, random_poses, subject
from benchmarks.timing import Run
from posegraph import registry
from posegraph.data import Windows
from posegraph.layers import Dropout
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.training.batches import Batches
from posegraph.training.graphs import CudaRecorder, RecordedStep
from posegraph.training.steps import PlainStep, StackedStep, make_optimizer

SEEDS = 8
TOLERANCE = 1e-3
"""Largest difference of losses from those of the plain step, relative to the largest of them."""
_CHECKED_STEPS = {"cpu": 2, "cuda": 6}  # on a GPU enough for a step to be recorded and replayed
_WINDOWS = 1024


@dataclass(frozen=True)
class Way:
    """A way to make a step."""

    make: Callable[[ForecastModel, Batches, Recipe], Run]
    """Gets a model in training mode; what it returns gets window numbers."""
    devices: tuple[str, ...] = ("cpu", "cuda")
    seeds: int = 1
    """Models that a step trains at once."""
    compiles: bool = False
    """Whether it takes minutes until the first step is done."""


def plain(model: ForecastModel, batches: Batches, recipe: Recipe) -> Run:
    """The trainer's loop with nothing that makes it fast: PyTorch's dropout, and kernel after kernel for Adam."""
    _with_own_dropout(model)
    return _step(model, batches, recipe, fused=False)


def fused(model: ForecastModel, batches: Batches, recipe: Recipe) -> Run:
    return _step(model, batches, recipe, fused=True)


def recorded(model: ForecastModel, batches: Batches, recipe: Recipe) -> Run:
    return RecordedStep(_step(model, batches, recipe, fused=True), CudaRecorder(), recipe.batch_size)


def compiled(model: ForecastModel, batches: Batches, recipe: Recipe) -> Run:
    step = _step(model, batches, recipe, fused=True, compiled=True)
    on_gpu = batches.windows.device.type == "cuda"
    return RecordedStep(step, CudaRecorder(), recipe.batch_size) if on_gpu else step


def several(model: ForecastModel, batches: Batches, recipe: Recipe) -> Run:
    """Several seeds at once, here all on the same windows."""
    step = StackedStep([copy.deepcopy(model) for _ in range(SEEDS)], batches, recipe, fused=True)
    on_gpu = batches.windows.device.type == "cuda"
    run = RecordedStep(step, CudaRecorder(), recipe.batch_size) if on_gpu else step
    return lambda numbers: run(numbers.expand(SEEDS, -1))


WAYS = {
    "plain": Way(plain),
    "fused": Way(fused),
    "recorded": Way(recorded, ("cuda",)),
    "compiled": Way(compiled, compiles=True),
    f"{SEEDS} seeds": Way(several, seeds=SEEDS),
}
"""All ways, the reference first."""


def _step(model: ForecastModel, batches: Batches, recipe: Recipe, *, fused: bool, compiled: bool = False) -> PlainStep:
    device = batches.windows.device
    optimizer = make_optimizer(recipe, model.parameters(), device, fused=fused)
    network = torch.compile(model, dynamic=False) if compiled else model
    return PlainStep(model, batches, optimizer, network=network, clip_norm=recipe.clip_norm)


def _with_own_dropout(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, Dropout):
            setattr(module, name, nn.Dropout(child.p))
        else:
            _with_own_dropout(child)


def cases(device: str, models: Sequence[str] | None = None) -> Iterator[Case]:
    """Every model that has something to train; what takes long to check or to compile only for the first of all."""
    usable = {name: way for name, way in WAYS.items() if device in way.devices}
    reference, *_ = usable
    quick = [name for name, way in usable.items() if way.seeds == 1 and not way.compiles]
    for name in registry.names() if models is None else models:
        if name == "zero-velocity":
            continue
        batch = registry.info(name).recipe.batch_size
        settings = {"": quick}
        if name == HEADLINE[0]:
            settings |= {way: [reference, way] for way in usable if way not in quick}
        for setting, ways in settings.items():
            slow = bool(setting) and usable[setting].compiles
            yield Case(
                kind="training",
                device=device,
                subject=name,
                setting=setting,
                batch=batch,
                variants=[(way, "fp32") for way in ways],
                prepare=lambda name=name, ways=ways: comparison(subject(name, device), ways),
                rank=(7 if device == "cuda" else 101) if slow else 4 if name in HEADLINE else 15,
                weight=6.0 if slow else 2.0 if name in HEADLINE else 1.0,
            )


def comparison(about: Subject, ways: Sequence[str], recipe: Recipe | None = None) -> Comparison:
    """Ways to make a step, each on weights of its own that start out the same."""
    model = about.model
    if recipe is None:
        recipe = Recipe() if model.registry_name is None else registry.info(model.registry_name).recipe
    batches = _batches(about)
    generator = torch.Generator().manual_seed(2)
    inputs = [torch.randperm(_WINDOWS, generator=generator)[: recipe.batch_size] for _ in range(4)]
    expected: list[torch.Tensor] = []

    def error(variant: Variant, _: Run) -> float:
        """Of the losses of a few steps without dropout, whose random numbers differ from way to way."""
        still = copy.deepcopy(model)
        for module in still.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        step = WAYS[variant.name].make(still.train(), batches, recipe)
        losses = [
            step(inputs[i % len(inputs)].to(about.device)).cpu().clone() for i in range(_CHECKED_STEPS[about.device])
        ]
        if not expected:
            expected.extend(losses)
        return max(relative_error(loss, true.expand_as(loss)) for loss, true in zip(losses, expected, strict=True))

    return Comparison(
        variants=[
            Variant(
                name,
                "fp32",
                lambda way=WAYS[name]: way.make(copy.deepcopy(model).train(), batches, recipe),
                TOLERANCE,
                flop=WAYS[name].seeds * recipe.batch_size * about.flop_step,
                setup_s=2 * SLOW_SETUP_S if WAYS[name].compiles else 0.0,
                copies=WAYS[name].seeds,
            )
            for name in ways
        ],
        inputs=inputs,
        error=error,
        windows=recipe.batch_size,
        around=nullcontext,
    )


def _batches(about: Subject) -> Batches:
    """Windows of one long random clip on the device."""
    model = about.model
    (frames,) = random_poses(1, _WINDOWS + model.total_frames, model.num_joints, count=1)
    windows = Windows(frames[0], torch.arange(_WINDOWS), model.observed_frames, model.future_frames)
    labels = torch.zeros(_WINDOWS, dtype=torch.long, device=about.device) if model.actions else None
    return Batches(windows.to(about.device), labels=labels)
