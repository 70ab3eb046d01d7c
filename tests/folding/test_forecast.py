from __future__ import annotations

import pytest
import torch
from torch import nn

from posegraph import registry
from posegraph.folding.forecast import Folded, ModelForecast
from posegraph.folding.network import FoldedForecast
from tests.inference.models import observed_poses, trained


def test_a_model_forecasts_as_it_is() -> None:
    model = registry.build("pgbig", channels=4, num_stages=1).eval()
    form = model.folded()
    assert isinstance(form, ModelForecast)
    assert form.is_plain
    assert form.input_shape(1) == (1, 10, 22, 3)
    assert form.input_shape(None) == (None, 10, 22, 3)
    observed = observed_poses(model, 2)
    with torch.no_grad():
        assert torch.equal(form(observed), model.predict(observed))


def test_other_networks_are_taken_as_well_and_results_have_memory_of_their_own() -> None:
    form = ModelForecast(nn.Identity(), (10, 22, 3))
    assert not form.is_plain
    kept = torch.zeros(1, 25, 22, 3)
    first = form.complete(torch.zeros(1, 10, 22, 3), lambda observed: kept.add_(1))
    form.complete(torch.zeros(1, 10, 22, 3), lambda observed: kept.add_(1))
    assert bool((first == 1).all())


def test_a_subclass_must_say_how_it_goes_on() -> None:
    with pytest.raises(NotImplementedError, match="Folded must implement complete"):
        Folded().complete(torch.zeros(1), torch.nn.Identity())
    with pytest.raises(NotImplementedError, match="Folded must implement input_shape"):
        Folded().input_shape(1)


def test_layered_networks_take_a_single_window_without_a_batch() -> None:
    form = trained("traj-gcn").folded()
    assert isinstance(form, FoldedForecast)
    assert (form.input_shape(1), form.input_shape(3), form.input_shape(None)) == ((10, 66), (3, 10, 66), (None, 10, 66))
