from __future__ import annotations

import pytest
import torch

from posegraph.inference.optimized import OptimizedForecaster, folded_form
from tests.inference.models import observed_poses, trained


@pytest.mark.parametrize(
    ("backend", "explanation", "nothing"),
    [
        ("plain", "backend 'plain', as asked for: the model as it is, no faster", True),
        ("eager", "backend 'eager', as asked for: PyTorch, operation by operation", False),
    ],
)
def test_it_says_which_backend_runs_and_why(backend: str, explanation: str, nothing: bool) -> None:
    fast = OptimizedForecaster(trained("traj-gcn"), backend=backend, precision="fp32", batch_size=None)
    assert fast.explanation == explanation
    assert fast.changes_nothing is nothing
    assert dict(fast.milliseconds) == {}


def test_forms_are_in_float32_where_the_model_is() -> None:
    model = trained("msrgcn-1l").double()
    form = folded_form(model)
    assert {tensor.dtype for tensor in form.buffers()} == {torch.float32}
    assert form(observed_poses(model, 2)).shape == (2, 25, 22, 3)
