"""Forecasts: plain and optimised ones are compared, and models are not blind to errors."""

from __future__ import annotations

import torch

from benchmarks.harness.compare import compare
from benchmarks.suites import inference
from benchmarks.suites.subjects import subject
from tests.benchmarks import toys


def test_a_network_that_begins_by_repeating_the_last_pose_has_errors_to_be_seen() -> None:
    """Its matrices of zeros are filled, so that a forecast in bf16 differs from one in float64."""
    comparison = inference.comparison(subject("graph-mixer"), 1, [("plain", "fp32"), ("plain", "bf16")])
    exact, narrow = comparison.variants
    with torch.inference_mode():
        assert comparison.error(exact, exact.prepare()) < 2e-6
        assert 1e-4 < comparison.error(narrow, narrow.prepare()) < 5e-2


def test_plain_and_optimised_forecasts_are_compared() -> None:
    about = subject("msrgcn-1l", settings=toys.NARROW)
    keys = [("plain", "fp32"), ("plain", "bf16"), ("eager", "fp32"), ("eager", "bf16")]
    comparison = inference.comparison(about, 3, keys)
    rows = {(o.row["variant"], o.row["precision"]): o.row for o in compare(comparison, "cpu", seconds=0.02)}
    assert list(rows) == keys
    assert all("time_ms" in row for row in rows.values())
    assert rows["eager", "fp32"]["mflop_per_window"] < rows["plain", "fp32"]["mflop_per_window"]
    assert rows["eager", "fp32"]["operations"] < rows["plain", "fp32"]["operations"]


def test_backends_that_need_layers_say_so() -> None:
    comparison = inference.comparison(subject("zero-velocity"), 2, [("plain", "fp32"), ("static", "fp32")])
    plain, static = (outcome.row for outcome in compare(comparison, "cpu", seconds=0.02))
    assert "time_ms" in plain
    assert "expected a layered network" in static["skipped"]
