"""Ceilings."""

from __future__ import annotations

import pytest

from benchmarks.harness import results, roof
from benchmarks.harness.roof import Roof
from tests.benchmarks import toys


def test_the_higher_of_two_counts() -> None:
    low, high = Roof({"fp32": 50.0, "bf16": 300.0}, 5.0), Roof({"fp32": 100.0, "bf16": 200.0}, 10.0)
    assert low.or_higher(high) == Roof({"fp32": 100.0, "bf16": 300.0}, 10.0)
    assert low.or_higher(None) is low


def test_ceilings_are_measured() -> None:
    found = roof.measure("cpu", seconds=0.01)
    assert set(found.gflop_per_s) == {"fp32", "bf16"}
    assert all(rate > 0 for rate in (*found.gflop_per_s.values(), found.copy_gb_per_s))


def test_percentages_are_those_of_the_ceilings() -> None:
    row = toys.row(milliseconds=10.0, windows_per_s=100.0, mflop_per_window=200.0, least_mib=10 * 1e6 / 2**20)
    found = results.with_percents(row, {"cpu": toys.ROOF.to_json()})
    assert found["arithmetic_percent"] == pytest.approx(20.0)  # 20 of 100 GFLOP/s
    assert found["memory_percent"] == pytest.approx(10.0)  # 10 MB in 10 ms are 1 of 10 GB/s
    over = results.with_percents(row | {"windows_per_s": 1000.0}, {"cpu": toys.ROOF.to_json()})
    assert "arithmetic_percent" not in over  # 200 of 100 GFLOP/s: the ceiling was not reached
    skipped = {"device": "cpu", "skipped": "why"}
    assert results.with_percents(skipped, {"cpu": toys.ROOF.to_json()}) == skipped
