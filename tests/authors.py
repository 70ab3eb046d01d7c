"""Deterministic parameters and inputs of the parity fixtures (see fixtures/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

FIXTURES = Path(__file__).parent / "fixtures"


def noise(stream: int, count: int) -> np.ndarray:
    """Integer-hash noise in [-1, 1), the same on every machine."""
    h = (2654435761 * np.arange(count, dtype=np.uint64) + np.uint64(40503 * stream + 12345)) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(13)
    return 2 * (h / 2.0**32) - 1


def fixture_input(number: int, shape: tuple[int, ...], scale: float) -> torch.Tensor:
    """Input tensor ``number`` of a fixture."""
    values = scale * noise(1000 + number, int(np.prod(shape)))
    return torch.from_numpy(values.astype(np.float32)).view(shape)


def fixture_state(parameters: list[tuple[str, list[int]]]) -> dict[str, torch.Tensor]:
    """The authors' state dict, filled with noise in the order of its keys."""
    state = {}
    for stream, (key, shape) in enumerate(parameters):
        w = noise(stream, int(np.prod(shape, dtype=int)))
        leaf = key.rsplit(".", 1)[-1]
        if leaf == "num_batches_tracked":
            state[key] = torch.tensor(0)
            continue
        if leaf == "running_var":
            w = 1 + 0.5 * w
        elif len(shape) == 1:
            w = 1 + 0.1 * w if leaf == "weight" else 0.1 * w
        elif len(shape) == 2:
            w = w / np.sqrt(shape[1])
        else:
            w = w / np.sqrt(np.prod(shape[1:]))
        state[key] = torch.from_numpy(w.astype(np.float32)).view(*shape)
    return state


def fixture_json(name: str) -> dict[str, Any]:
    """A fixture's key list and training-mode numbers."""
    return json.loads((FIXTURES / f"{name}.json").read_text())


def relative_error(actual: torch.Tensor, expected: np.ndarray | torch.Tensor) -> float:
    """Largest absolute error over the largest absolute value."""
    actual, expected = actual.detach(), torch.as_tensor(expected).detach()
    return float((actual.double() - expected.double()).abs().max() / expected.double().abs().max())
