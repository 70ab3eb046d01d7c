"""Training steps: ways are compared, wrong ones get no time."""

from __future__ import annotations

import pytest

from benchmarks.harness.compare import compare
from benchmarks.suites import training
from benchmarks.suites.subjects import subject
from posegraph.recipe import Recipe
from tests.benchmarks import toys


def test_ways_to_train_are_compared() -> None:
    about = subject("msrgcn-1l", settings=toys.NARROW)
    comparison = training.comparison(about, [*list(training.WAYS)[:3], ("8 seeds", "fp32")], Recipe.of(batch_size=4))
    plain, fused, narrow, several = (outcome.row for outcome in compare(comparison, "cpu", seconds=0.02))
    assert plain["ratio"] == 1.0
    assert fused["operations"] < plain["operations"]
    assert several["windows_per_s"] == pytest.approx(8 * 4000 / several["time_ms"], rel=1e-2)
    assert [row["precision"] for row in (plain, fused, narrow, several)] == ["fp32", "fp32", "bf16", "fp32"]
    assert 0 < narrow["error"] < training.TOLERANCE["bf16"]


def test_a_wrong_step_gets_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(*arguments):
        step = training.plain(*arguments)
        return lambda numbers: 1.01 * step(numbers)

    monkeypatch.setitem(training.WAYS, ("fused", "fp32"), training.Way(shifted))
    about = subject("msrgcn-1l", settings=toys.NARROW)
    comparison = training.comparison(about, [("plain", "fp32"), ("fused", "fp32")], Recipe.of(batch_size=4))
    _, wrong = (outcome.row for outcome in compare(comparison, "cpu", seconds=0.02))
    assert "is above the tolerance 1e-03" in wrong["skipped"]
