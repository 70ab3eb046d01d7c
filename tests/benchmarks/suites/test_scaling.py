"""Models grow along an axis."""

from __future__ import annotations

import pytest
import torch

from benchmarks.suites import scaling
from benchmarks.suites.subjects import subject


@pytest.mark.parametrize(
    ("setting", "size"),
    [
        ("joints=10", lambda model: model.num_joints),
        ("future_frames=50", lambda model: model.future_frames),
        ("scales=2", lambda model: len(model(torch.zeros(2, 10, model.num_joints, 3)))),
    ],
)
@pytest.mark.parametrize("name", scaling.MODELS)
def test_models_grow_along_an_axis(name: str, setting: str, size) -> None:
    axis, _, value = setting.partition("=")
    assert size(subject(name, **scaling._changes(name, axis, int(value))).model) == int(value)
    assert any((case.subject, case.setting) == (name, setting) for case in scaling.cases("cpu"))
