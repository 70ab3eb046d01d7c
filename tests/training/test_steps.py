from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from posegraph import registry
from posegraph.errors import ConfigError
from posegraph.models.base import ForecastModel
from posegraph.recipe import Optimizer
from posegraph.training.batches import Batches
from posegraph.training.steps import PlainStep, StackedStep, make_optimizer, set_learning_rate, stack
from tests.data.motion import ARM
from tests.training.runs import FUTURE, OBSERVED, motion, small_model

CPU = torch.device("cpu")
WINDOWS = motion().train_windows(OBSERVED, FUTURE)
BATCHES = Batches(WINDOWS, ARM.reduced)
EXACT = Batches(dataclasses.replace(WINDOWS, frames=WINDOWS.frames.double()), ARM.reduced)
NAMES = [name for name in registry.names() if name != "zero-velocity"]


def plain_step(
    model: ForecastModel, settings: Optimizer, *, fused: bool = False, batches: Batches = BATCHES
) -> PlainStep:
    optimizer = make_optimizer(settings, model.parameters(), CPU, fused=fused)
    return PlainStep(model.train(), batches, optimizer, clip_norm=settings.clip_norm)


def batches(count: int, shape: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(len(WINDOWS), shape, generator=generator) for _ in range(count)]


class Waits(TorchDispatchMode):
    """Counts operations that make the host wait for the device: reading a number, or a shape that depends on data."""

    NAMES = ("_local_scalar_dense", "nonzero", "unique", "masked_select", "bincount")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if any(name in str(func) for name in self.NAMES):
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["traj-gcn", "msrgcn-1l", "pgbig", "residual-sup"])
def test_a_step_never_waits_for_the_device(name):
    step = plain_step(small_model(name), Optimizer(clip_norm=1.0), fused=True)
    for numbers in batches(2, (4,)):
        with Waits() as waits:
            step(numbers)
    assert waits.found == []
    with Waits() as waits:
        float(step(numbers))
    assert len(waits.found) == 1


# Several models at once


def trio(name: str = "traj-gcn", **settings: float) -> list[ForecastModel]:
    models = [small_model(name, seed=seed, **settings) for seed in range(3)]
    for model in models:
        model.fit_statistics(WINDOWS.batches(8))
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    return models


@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize("name", ["traj-gcn", "msrgcn-1l", "pgbig", "residual-sup"])
def test_stacked_models_get_the_gradients_of_their_own_steps(name, clip_norm):
    settings = Optimizer(kind="sgd", learning_rate=1e-9, clip_norm=clip_norm)
    models = [model.double() for model in trio(name)]  # norms of a few windows make much of the last bits of float32
    alone = copy.deepcopy(models)
    together = StackedStep(models, EXACT, settings)
    (numbers,) = batches(1, (3, 6))
    losses = together(numbers)
    for index, model in enumerate(alone):
        step = plain_step(model, settings, batches=EXACT)
        torch.testing.assert_close(losses[index], step(numbers[index]), rtol=1e-5, atol=0)
        size = max(float(p.grad.abs().max()) for p in model.parameters() if p.grad is not None)
        for key, parameter in model.named_parameters():
            gradient = together.parameters[f"model.{key}"].grad
            if parameter.grad is None:
                assert gradient is None or not gradient.any()
                continue
            assert gradient is not None
            torch.testing.assert_close(gradient[index], parameter.grad, rtol=1e-3, atol=1e-4 * size)
        for key, buffer in model.named_buffers():
            torch.testing.assert_close(models[index].get_buffer(key), buffer)


def test_the_models_hold_what_is_trained():
    models = trio()
    before = [{key: value.clone() for key, value in model.state_dict().items()} for model in models]
    step = StackedStep(models, BATCHES, Optimizer(learning_rate=1e-2))
    step(batches(1, (3, 4))[0])
    for model, old in zip(models, before, strict=True):
        assert all(not torch.equal(value, old[key]) for key, value in model.state_dict().items() if "weight" in key)
        assert int(next(value for key, value in model.state_dict().items() if "num_batches" in key)) == 1


def test_stacking_shares_memory_and_leaves_constants_alone():
    models = trio("msrgcn-1l")
    parameters, buffers = stack(models)
    for key, value in {**parameters, **buffers}.items():
        own = [model.state_dict()[key.removeprefix("model.")] for model in models]
        assert torch.equal(value.detach(), torch.stack(own))
        assert all(tensor.untyped_storage().data_ptr() == value.untyped_storage().data_ptr() for tensor in own)
    assert {key.removeprefix("model.") for key in (*parameters, *buffers)} == set(models[0].state_dict())


def test_dropout_differs_between_stacked_models():
    models = [small_model(seed=0, dropout=0.5) for _ in range(2)]
    step = StackedStep(models, BATCHES, Optimizer())
    losses = step(batches(1, (1, 6))[0].expand(2, -1))
    assert float(losses[0]) != float(losses[1])


def test_frozen_parameters_are_refused():
    models = trio()
    next(models[1].parameters()).requires_grad_(False)
    with pytest.raises(
        ConfigError, match=r"expected all parameters to be trained, got frozen ones\. Train such models"
    ):
        StackedStep(models, BATCHES, Optimizer())


class Reading(ForecastModel):
    """Decides by a number that it reads."""

    def __init__(self) -> None:
        super().__init__(None, skeleton=small_model().skeleton, observed_frames=OBSERVED, future_frames=FUTURE)
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        sign = 1 if float(observed.sum()) > 0 else -1
        return (sign * self.factor * observed[:, -1:].expand(-1, self.total_frames, -1, -1),)


def test_models_that_read_numbers_cannot_be_stacked():
    step = StackedStep([Reading(), Reading()], BATCHES, Optimizer())
    with pytest.raises(ConfigError, match=r"seeds: expected a model whose operations .* Reading has one .* one by one"):
        step(batches(1, (2, 4))[0])


# Optimisers


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_fused_optimisers_follow_the_plain_ones(optimizer):
    settings = Optimizer(kind=optimizer, learning_rate=1e-3, weight_decay=1e-3)
    plain, fused = (plain_step(small_model("msrgcn-1l", dropout=0.0), settings, fused=kind) for kind in (False, True))
    for number, numbers in enumerate(batches(20, (8,)), start=1):
        for step in (plain, fused):
            set_learning_rate(step.optimizer, 1e-3 / number)
        assert float(fused(numbers)) == pytest.approx(float(plain(numbers)), rel=1e-4)


def test_a_learning_rate_on_the_device_is_set_in_place():
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(2))], lr=torch.tensor(1.0))
    rate = optimizer.param_groups[0]["lr"]
    set_learning_rate(optimizer, 0.25)
    assert optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == 0.25
