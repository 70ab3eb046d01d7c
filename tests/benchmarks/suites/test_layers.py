"""Layers have the numbers of their equivalents."""

from __future__ import annotations

import pytest

from benchmarks.harness.compare import compare
from benchmarks.suites import layers


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "forward+backward"])
@pytest.mark.parametrize("name", layers.LAYERS)
def test_layers_have_the_numbers_of_others(name: str, backward: bool) -> None:
    layer = layers.LAYERS[name]()
    if backward and not layer.backward:
        assert not any(case.subject == name and "backward" in case.setting for case in layers.cases("cpu"))
        return
    comparison = layers.comparison(layer, 2, "cpu", backward=backward)
    rows = [outcome.row for outcome in compare(comparison, "cpu", seconds=0.02)]
    assert len(rows) == len(layer.makers) + 1
    assert all("time_ms" in row for row in rows), [row.get("skipped") for row in rows]
