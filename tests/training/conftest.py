from __future__ import annotations

from collections.abc import Iterator

import pytest

from posegraph import registry
from tests.training.runs import LinearForecast


@pytest.fixture
def linear() -> Iterator[str]:
    """Name under which `LinearForecast` is registered during a test."""
    registry.register("linear-forecast")(LinearForecast)
    yield "linear-forecast"
    registry.unregister("linear-forecast")
