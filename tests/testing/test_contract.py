"""The contract checks pass a sound model, and each finds the model that breaks its promise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from posegraph import registry
from posegraph.errors import UnknownNameError
from posegraph.models import ForecastModel, ZeroVelocity
from posegraph.testing import contract as testing


@dataclass(frozen=True)
class Settings:
    gain: float = 1.0


class Sound(ForecastModel):
    """A linear map along time."""

    default_config = Settings()

    def __init__(self, config: Settings | None = None, **task: Any) -> None:
        super().__init__(config, **task)
        self.mix = nn.Linear(self.observed_frames, self.total_frames)

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.check_observed(observed)
        return (self.config.gain * self.mix(observed.transpose(1, 3)).transpose(1, 3),)


@dataclass(frozen=True)
class UnstorableSettings:
    joints: frozenset[str] = frozenset({"head"})


class UnstorableConfig(Sound):
    default_config = UnstorableSettings()


@dataclass(frozen=True)
class ListSettings:
    widths: tuple[int, ...] = (1, 2)


class ConfigChangedByStorage(Sound):
    default_config = ListSettings()


@dataclass(frozen=True)
class LaxSettings:
    no_such_setting: int = 0
    gain: float = 1.0


class AnySetting(Sound):
    default_config = LaxSettings()


class FixedFrames(Sound):
    def __init__(self, config: Settings | None = None, **task: Any) -> None:
        super().__init__(config, **{**task, "future_frames": 25})


class BareTensor(Sound):
    def forward(self, observed):
        return super().forward(observed)[0]


class FutureOnly(Sound):
    def forward(self, observed):
        return (super().forward(observed)[0][:, self.observed_frames :],)


class CoarsestFirst(Sound):
    def forward(self, observed):
        (poses,) = super().forward(observed)
        return poses, poses[:, :, :1], poses


class NoCoarseTargets(Sound):
    def forward(self, observed):
        (poses,) = super().forward(observed)
        return poses, poses[:, :, :1]

    def loss(self, outputs, window):
        return super().loss(outputs[:1], window)


class LossPerFrame(Sound):
    def loss(self, outputs, window):
        return (outputs[0] - window).abs().mean((0, 2, 3))


class PredictsThePast(Sound):
    def predict(self, observed):
        return self(observed)[0][:, : self.future_frames]


class Counts(Sound):
    calls = 0

    def forward(self, observed):
        self.calls += 1
        return (super().forward(observed)[0] + self.calls,)


class StoresInEvaluation(Sound):
    def __init__(self, config: Settings | None = None, **task: Any) -> None:
        super().__init__(config, **task)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, observed):
        self.seen += len(observed)
        return super().forward(observed)


class CentresTheBatch(Sound):
    def forward(self, observed):
        self.check_observed(observed)
        return super().forward(observed - observed.mean(0))


class TakesAnything(Sound):
    def forward(self, observed):
        return (torch.zeros(len(observed), self.total_frames, self.num_joints, 3) + self.mix.weight.mean(),)


class UnusedParameter(Sound):
    def __init__(self, config: Settings | None = None, **task: Any) -> None:
        super().__init__(config, **task)
        self.unused = nn.Parameter(torch.zeros(3))


class InfiniteGradient(Sound):
    def loss(self, outputs, window):
        return super().loss(outputs, window) + (0 * self.mix.bias).sqrt().sum()


class ZeroGradient(Sound):
    def loss(self, outputs, window):
        return super().loss((outputs[0].detach(),), window) + 0 * sum(p.sum() for p in self.parameters())


class StateOutsideTheStateDict(Sound):
    def __init__(self, config: Settings | None = None, **task: Any) -> None:
        super().__init__(config, **task)
        self.offset = torch.randn(3)

    def forward(self, observed):
        return (super().forward(observed)[0] + self.offset,)


class CopyIsTheOriginal(Sound):
    def __deepcopy__(self, memo):
        return self


class AlwaysFloat(Sound):
    def forward(self, observed):
        return (super().forward(observed)[0].float(),)


class BakesTheBatchIn(Sound):
    def forward(self, observed):
        return (super().forward(observed)[0] + torch.zeros(len(observed), 1, 1, 1),)


class FoldsSomethingElse(Sound):
    def fold(self):
        other = ZeroVelocity(
            skeleton=self.skeleton, observed_frames=self.observed_frames, future_frames=self.future_frames
        )
        return other.folded()


class ReadsTheWindowsTwice(Sound):
    gain = 1.0

    def fit_statistics(self, windows):
        count = sum(len(window) for window in windows)
        self.gain = count / sum(float(window.abs().sum()) for window in windows) if list(windows) else float("nan")

    def forward(self, observed):
        return (self.gain * super().forward(observed)[0],)


@pytest.fixture
def register() -> Iterator[Callable[[type[ForecastModel]], str]]:
    """Registers a class for the length of a test."""
    registered: list[str] = []

    def decorate(cls: type[ForecastModel]) -> str:
        name = f"test-{cls.__name__.lower()}"
        registry.register(name)(cls)
        registered.append(name)
        return name

    yield decorate
    for name in registered:
        registry.unregister(name)


BROKEN = [
    (UnstorableConfig, testing.check_config, "expected values that JSON can hold"),
    (ConfigChangedByStorage, testing.check_config, "expected JSON to give back .* convert in __post_init__"),
    (AnySetting, testing.check_unknown_setting, "expected UnknownNameError for an unknown setting, got None"),
    (FixedFrames, testing.check_build, "expected skeleton, observed and future frames"),
    (BareTensor, testing.check_forward, "forward: expected a tuple, got Tensor"),
    (
        FutureOnly,
        testing.check_forward,
        r"forward, output 0, skeleton 'h36m': expected .* \(4, 35, 22, 3\), got \(4, 25",
    ),
    (CoarsestFirst, testing.check_forward, r"expected the finest scale first, got \[22, 1, 22\] joints"),
    (NoCoarseTargets, testing.check_targets, "targets: expected one an output"),
    (LossPerFrame, testing.check_targets, r"loss: expected a scalar, got shape \(35,\)"),
    (PredictsThePast, testing.check_predict, "expected the future frames of forward's first output"),
    (Counts, testing.check_evaluation_is_deterministic, "equal forecasts from equal inputs .* hidden state"),
    (StoresInEvaluation, testing.check_evaluation_is_deterministic, r"store nothing, but it changed \['seen'\]"),
    (CentresTheBatch, testing.check_samples_are_independent, "with other samples in its batch; poses differ by up to"),
    (TakesAnything, testing.check_wrong_shapes, r"all joints .* \(4, 8, 7, 3\): expected ShapeError, got None"),
    (UnusedParameter, testing.check_gradients, r"gradient for every parameter, got none for \['unused'\]"),
    (InfiniteGradient, testing.check_gradients, r"expected finite gradients, got others for \['mix.bias'\]"),
    (ZeroGradient, testing.check_gradients, "expected a gradient that is not zero"),
    (StateOutsideTheStateDict, testing.check_weights_round_trip, "equal forecasts from stored weights"),
    (CopyIsTheOriginal, testing.check_copies_are_independent, "share nothing with its original"),
    (AlwaysFloat, testing.check_dtype_and_device, r"expected float64 after model.double\(\), got torch.float32"),
    (ReadsTheWindowsTwice, testing.check_fit_statistics, "expected finite forecasts after fit_statistics"),
    (
        BakesTheBatchIn,
        testing.check_fast,
        "expected predict to be exported for every batch size, got UserError: Constraints violated",
    ),
    (FoldsSomethingElse, testing.check_fast, "batch of 4: expected the folded form to forecast as predict does"),
    (ZeroGradient, testing.check_training_reduces_the_loss, "expected 30 steps to reduce the loss on one batch"),
]


def test_a_sound_model_passes(register) -> None:
    testing.check_model(register(Sound))
    testing.check_model("test-sound", gain=0.5)


@pytest.mark.parametrize(
    ("model", "check", "message"), BROKEN, ids=[f"{model.__name__}-{check.__name__}" for model, check, _ in BROKEN]
)
def test_a_broken_model_is_found(register, model, check, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check(register(model))


def test_every_check_is_in_the_suite_and_finds_something() -> None:
    checks = {value for name, value in vars(testing).items() if name.startswith("check_")} - {testing.check_model}
    assert set(testing.CONTRACT_CHECKS) == checks == {check for _, check, _ in BROKEN}


def test_check_model_reports_all_failures_at_once(register) -> None:
    with pytest.raises(AssertionError) as caught:
        testing.check_model(register(ZeroGradient))
    assert str(caught.value).startswith("model 'test-zerogradient' fails 2 of 16 contract checks:\n- check_gradients: ")
    assert "\n- check_training_reduces_the_loss: AssertionError: expected 30 steps" in str(caught.value)


def test_errors_of_the_model_are_reported_with_their_type(register) -> None:
    class Crashes(Sound):
        def forward(self, observed):
            raise ZeroDivisionError("by nothing")

    with pytest.raises(AssertionError, match="- check_forward: ZeroDivisionError: by nothing"):
        testing.check_model(register(Crashes))


def test_an_unknown_model_is_not_a_broken_one() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown model 'traj-gnc'\. Did you mean 'traj-gcn'\?"):
        testing.check_model("traj-gnc")


def test_random_numbers_of_the_caller_are_left_alone(register) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    testing.check_model(register(Sound))
    assert torch.equal(torch.get_rng_state(), state)


def test_pytest_is_not_needed() -> None:
    code = "import sys; sys.modules['pytest'] = None; import posegraph.testing"
    subprocess.run([sys.executable, "-c", code], check=True)
