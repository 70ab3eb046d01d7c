"""Small motions, models and runs that the training tests share."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from posegraph import checkpoint, registry
from posegraph.data import Clip, MotionDataset
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import ActionResult, Result
from posegraph.layers.poses import pad_last_pose
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.training import Options, TrainingResult, member, train
from tests.data.motion import ARM

OBSERVED, FUTURE = 4, 3
# `motion()` holds out wave_3, the shortest clip, which leaves 12 + 9 windows: five batches of four, and one window.
RECIPE = Recipe.of(learning_rate=1e-2, batch_size=4, epochs=3)
STEPS = 5


def waving_clip(frames: int, name: str, action: str = "wave") -> Clip:
    """A clip of ARM whose joints swing; every name swings in its own way."""
    generator = torch.Generator().manual_seed(sum(name.encode()))
    phase, height = 6 * torch.rand(2, 3, 3, generator=generator)
    time = torch.arange(float(frames))[:, None, None] / 4
    poses = 100 * torch.sin(time + phase) + 50 * height
    poses[:, ARM.index("shoulder")] = 0.0
    return Clip(poses, ARM, 25.0, action, name)


def motion(lengths: Sequence[int] = (18, 15, 11), test: Sequence[Clip] = (), **splits: Sequence[Clip]) -> MotionDataset:
    """A data set of clips wave_1, wave_2, ... of these numbers of frames; a window has seven frames."""
    train = [waving_clip(frames, f"wave_{k}") for k, frames in enumerate(lengths, start=1)]
    clips: dict[str, Sequence[Clip]] = {"train": train, **splits}
    return MotionDataset("arms", ARM, {**clips, "test": test} if test else clips)


def small_model(name: str = "traj-gcn", *, seed: int = 0, **settings: Any) -> ForecastModel:
    """A model for `motion`; Traj-GCN with its dropout, so that random numbers count, unless told otherwise."""
    torch.manual_seed(seed)
    if name in ("traj-gcn", "msrgcn-1l"):
        settings = {"channels": 8, "num_blocks": 1, **settings}
    return registry.build(name, skeleton=ARM, observed_frames=OBSERVED, future_frames=FUTURE, **settings)


@dataclass(frozen=True)
class LinearConfig:
    bias: bool = True


class LinearForecast(ForecastModel):
    """Every coordinate's trajectory by one linear map: no statistics of a batch, no dropout."""

    default_config: ClassVar[LinearConfig] = LinearConfig()

    def __init__(self, config: LinearConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self.linear = nn.Linear(self.observed_frames, self.total_frames, bias=self.config.bias)

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        change = self.linear(observed.movedim(1, -1)).movedim(-1, 1)
        return (pad_last_pose(observed, self.future_frames) + change,)


def read_log(folder: Path) -> list[dict[str, str]]:
    """The rows of ``log.csv`` without the time that they took."""
    with (folder / "log.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The best checkpoint's parameters and buffers."""
    return load_file(folder / "best" / "model.safetensors")


def state(folder: Path) -> dict[str, torch.Tensor]:
    """Parameters, buffers, moments and random generators that a run left."""
    return load_file(folder / "training.safetensors")


def identical(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of tensors agree bit for bit."""
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def assert_same_run(left: Path, right: Path) -> None:
    """Two runs gave the same rows, the same best checkpoint, and the same state at the end."""
    assert read_log(left) == read_log(right)
    assert identical(weights(left), weights(right))
    assert identical(state(left), state(right))


def run(
    folder: Path, *, model: ForecastModel | None = None, data: MotionDataset | None = None, **options: Any
) -> TrainingResult:
    """Train a small model on the CPU, without a word."""
    recipe = options.pop("recipe", RECIPE)
    return train(model or small_model(), data or motion(), folder, recipe=recipe, options=quiet(**options))


def quiet(**options: Any) -> Options:
    """Options of a run on the CPU, without a word unless told otherwise."""
    return Options(**{"report": lambda line: None, "device": "cpu", **options})


def clip_names(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the clips that a run trained and validated on."""
    settings = checkpoint.read_config(folder)["record"]["training"]
    return settings["train"], settings["val"]


def fake_errors(monkeypatch: pytest.MonkeyPatch, *errors: float) -> None:
    """Make validation measure these errors, epoch after epoch."""
    sequence = iter(errors)

    def measured(model: ForecastModel, dataset: MotionDataset, protocol: Protocol) -> Result:
        return Result(protocol, {"wave": ActionResult(1, (next(sequence),) * len(protocol.frames))})

    monkeypatch.setattr(member, "evaluate", measured)
