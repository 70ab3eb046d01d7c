from __future__ import annotations

import pytest

from posegraph import data
from posegraph.data import MotionDataset


@pytest.fixture(scope="session")
def cmu() -> MotionDataset:
    """The bundled test clips."""
    return data.load("cmu", "samples", split="test")
