from __future__ import annotations

import pytest
import torch

from posegraph.errors import CheckpointError
from posegraph.models.authors.msrgcn import convert_key, convert_state


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("first_left.0.gc1.att", ("encoder.0.blocks.0.layers.0.operator", "adjacency", False)),
        ("second_enhance.gcn.weight", ("down.0.1.operator", "weight", False)),
        ("third_up.0.bn.weight", ("up.1.0.tail.0.norm", "weight", True)),
        ("first_out.gcn.bias", ("end.0.1", "bias", False)),
    ],
)
def test_names_are_ours(theirs: str, ours: tuple[str, str, bool]) -> None:
    assert convert_key(theirs) == ours


def test_norms_of_resamplings_are_reordered() -> None:
    """Theirs count features before nodes: two nodes of three features."""
    state = {"first_down.0.linear.bias": torch.zeros(2), "first_down.0.bn.weight": torch.arange(6.0)}
    converted = convert_state(state)
    assert converted["down.0.0.tail.0.norm.weight"].tolist() == [0, 2, 4, 1, 3, 5]


def test_other_states_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"parameter 'x.y': expected the authors' names, such as first_left"):
        convert_key("x.y")
    with pytest.raises(CheckpointError, match=r"parameter 'first_down.0.linear.bias' is missing beside"):
        convert_state({"first_down.0.bn.weight": torch.zeros(4)})
