from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from posegraph.folding.forecast import ModelForecast
from posegraph.inference.backends import BACKENDS
from posegraph.inference.prepared import PreparedForecast
from tests.inference.models import expected_forecast, observed_poses, relative_error, trained


def eager(prepared: list[Any], *, any_batch: bool, quick: bool = True) -> Any:
    """The backend "eager", with other abilities; it writes down the shapes that it is prepared for."""

    def prepare(network: Any, shape: Any, precision: Any, device: torch.device) -> Any:
        assert not torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        prepared.append(shape)
        return network

    return dataclasses.replace(BACKENDS["eager"], prepare=prepare, any_batch=any_batch, quick=quick)


@pytest.mark.parametrize(
    ("abilities", "few_sizes", "shapes"),
    [
        ({"any_batch": True}, False, [(None, 10, 66), (10, 66)]),
        ({"any_batch": True}, True, [(None, 10, 66), (10, 66)]),
        ({"any_batch": False}, False, [(3, 10, 66), (10, 66)]),
        ({"any_batch": False}, True, [(3, 10, 66), (10, 66), (5, 10, 66)]),
        ({"any_batch": False, "quick": False}, True, [(3, 10, 66), (10, 66)]),
    ],
)
def test_a_backend_is_prepared_once_for_each_plan(abilities: Any, few_sizes: bool, shapes: list[Any]) -> None:
    prepared: list[Any] = []
    model = trained("msrgcn-1l")
    forecast = PreparedForecast(
        model.folded().float(),
        eager(prepared, **abilities),
        "fp32",
        batch_size=3,
        few_sizes=few_sizes,
    )
    assert prepared == (shapes[:1] if few_sizes else shapes), "all at once, or the chosen size"
    with torch.inference_mode():
        for batch in (3, 1, 5, 3, 1, 0):
            observed = observed_poses(model, batch)
            result = forecast(observed)
            assert result.shape == (batch, 25, 22, 3)
            if batch:
                assert relative_error(result, expected_forecast(model, observed)) < 1e-6
    assert prepared == shapes


@pytest.mark.parametrize(
    ("faster_fixed", "shapes"), [(True, [(1, 10, 22, 3), (None, 10, 22, 3)]), (False, [(None, 10, 22, 3)])]
)
def test_networks_of_models_take_poses_and_one_plan_may_serve_all(faster_fixed: bool, shapes: list[Any]) -> None:
    prepared: list[Any] = []
    model = trained("msrgcn-1l")
    backend = dataclasses.replace(eager(prepared, any_batch=True), faster_fixed=faster_fixed)
    form = ModelForecast(model, (10, 22, 3))
    forecast = PreparedForecast(form, backend, "fp32", batch_size=None)
    for batch in (1, 2, 0):
        observed = observed_poses(model, batch)
        with torch.no_grad():
            assert torch.equal(forecast(observed), model.predict(observed))
    assert prepared == shapes
