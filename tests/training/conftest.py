from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from posegraph import registry
from posegraph.training.steps import PlainStep
from tests.training.runs import LinearForecast, run


@pytest.fixture
def linear() -> Iterator[str]:
    """Name under which `LinearForecast` is registered during a test."""
    registry.register("linear-forecast")(LinearForecast)
    yield "linear-forecast"
    registry.unregister("linear-forecast")


@pytest.fixture
def each_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int, Any, torch.Tensor], object]], None]:
    """Calls a function with the number of the step, the step, and its windows, after every step."""

    def install(call: Callable[[int, Any, torch.Tensor], object]) -> None:
        number = 0
        update = PlainStep._update

        def observed(self: PlainStep, window: torch.Tensor, *labels: torch.Tensor) -> torch.Tensor:
            nonlocal number
            loss = update(self, window, *labels)
            number += 1
            call(number, self, window)
            return loss

        monkeypatch.setattr(PlainStep, "_update", observed)

    return install


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run from beginning to end."""
    return run(tmp_path_factory.mktemp("run") / "whole").folder
