from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from posegraph import registry
from posegraph.export.program import LARGEST_BATCH, to_program
from tests.inference.models import observed_poses, relative_error

NARROW: dict[str, dict[str, Any]] = {
    "msrgcn-2l": {"channels": 8, "num_blocks": 1},
    "msrgcn-released": {"channels": (8, 8), "num_blocks": 1, "finest_end_blocks": 1},
    "traj-gcn": {"channels": 8, "num_blocks": 1},
    "graph-mixer": {"channels": 12, "num_blocks": 1},
    "pgbig": {"channels": 4, "num_stages": 1},
    "residual-sup": {"channels": 8},
    "simlpe": {"num_blocks": 1},
}


@pytest.mark.parametrize("name", NARROW)
def test_one_program_serves_every_batch_size(name: str) -> None:
    """The model's own code, not its folded form; the contract tests do the same with every registered model."""
    model = registry.build(name, **NARROW[name]).eval()
    program = to_program(_Predict(model), (None, model.observed_frames, 22, 3)).module()
    with torch.no_grad():
        for batch in (1, 2, 7, 128):
            observed = observed_poses(model, batch)
            assert relative_error(program(observed), model.predict(observed)) < 1e-5


class _Predict(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, observed: torch.Tensor) -> torch.Tensor:
        return self.model.predict(observed)


def test_more_windows_than_that_are_refused_by_the_program() -> None:
    program = to_program(nn.Linear(2, 2), (None, 2)).module()
    assert program(torch.zeros(LARGEST_BATCH, 2)).shape == (LARGEST_BATCH, 2)
    with pytest.raises(AssertionError, match="4096"):
        program(torch.zeros(LARGEST_BATCH + 1, 2))


def test_a_network_is_exported_once_for_open_batches_and_its_type() -> None:
    network = nn.Linear(2, 2)
    first = to_program(network, (None, 2))
    assert to_program(network, (None, 2)) is first
    assert to_program(network, (3, 2)) is not first
    network.double()
    assert to_program(network, (None, 2)).module()(torch.zeros(1, 2).double()).dtype == torch.float64


def test_it_works_in_inference_mode() -> None:
    network = nn.Linear(2, 2)
    with torch.inference_mode():
        program = to_program(network, (None, 2)).module()
    assert not any(value.is_inference() for value in program.state_dict().values())
