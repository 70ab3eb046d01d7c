"""The complete state of a training run in one file, so that an interrupted run continues as if it had not been."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from posegraph._support.files import replace_file
from posegraph.errors import CheckpointError
from posegraph.training.averaging import WeightAverage

__all__ = ["Best", "Progress", "TrainingResult", "read_progress", "restore", "store"]


@dataclass(frozen=True)
class TrainingResult:
    """What training did to a model.

    Args:
        folder: Folder of the model's log; its checkpoint is in ``folder / "best"``.
        epochs: Epochs that are complete.
        best_epoch: Epoch of the checkpoint.
        best_error: Its validation error in the unit of the data set's metric, or None without validation.
        finished: False if the run was interrupted and can be resumed.
        seconds: Time spent, earlier parts of the run included.
    """

    folder: Path
    epochs: int
    best_epoch: int
    best_error: float | None
    finished: bool
    seconds: float


@dataclass(frozen=True)
class Best:
    """The best epoch of a model so far."""

    epoch: int = 0
    """Its number; 0 if there is none."""
    error: float | None = None
    """Its validation error; None without validation."""


@dataclass
class Progress:
    """How far a run has come. Lists have an entry for each model that it trains."""

    epoch: int = 1
    """Epoch under way, from one."""
    step: int = 0
    """Steps of it that are done."""
    loss_sums: list[float] = field(default_factory=lambda: [0.0])
    """Sum of the losses over these steps, weighted by windows."""
    windows: int = 0
    """Windows in that sum."""
    best: list[Best] = field(default_factory=lambda: [Best()])
    """Epochs of the best checkpoints."""
    seconds: float = 0.0
    """Time spent so far."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What must be the same when the run continues."""


def store(
    file: Path,
    progress: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    average: WeightAverage | None = None,
) -> None:
    """Write the state of a run, replacing the file as a whole.

    Weights and optimiser moments are tensors of one safetensors file; the rest is JSON in its header. Random numbers
    need no state: every step seeds its own.
    """
    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in moments.items()}
    if average is not None:
        tensors |= {f"average.{key}": value for key, value in average.state_dict().items()}
    header = {"progress": json.dumps(asdict(progress)), "scaler": json.dumps(scaler.state_dict())}
    data = save({key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}, metadata=header)
    replace_file(file, lambda target: target.write(data))


def read_progress(file: Path) -> Progress:
    """Read how far a stored run has come, and nothing else.

    Raises:
        CheckpointError: The file is damaged.
    """
    with _reading(file), safe_open(file, framework="pt") as content:
        return _progress(content.metadata())


def restore(
    file: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    average: WeightAverage | None = None,
) -> Progress:
    """Read what `store` wrote into model, optimiser, scaler and average.

    Raises:
        CheckpointError: The file is damaged or of another model.
    """
    with _reading(file):
        with safe_open(file, framework="pt") as content:
            header = content.metadata()
            tensors = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118 - no iterator
        progress = _progress(header)
        model.load_state_dict(_below("model.", tensors))
        if average is not None:
            average.load_state_dict(_below("average.", tensors))
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                moments.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        scaler.load_state_dict(json.loads(header["scaler"]))
    return progress


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _progress(header: dict[str, str]) -> Progress:
    progress = Progress(**json.loads(header["progress"]))
    progress.best = [Best(**best) for best in json.loads(header["progress"])["best"]]
    return progress


@contextmanager
def _reading(file: Path) -> Generator[None]:
    """Turn whatever a damaged file causes into one error."""
    try:
        yield
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{file}: expected the state of a training run of this model, but it cannot be read: {error}. "
            "Start anew in another folder."
        ) from error
