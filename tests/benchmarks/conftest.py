"""Short turns: what tests check does not depend on times."""

from __future__ import annotations

import pytest

from benchmarks.harness import timing


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "TURN_S", 0.001)
