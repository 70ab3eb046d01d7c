from __future__ import annotations

import pytest
import torch

from posegraph.errors import CheckpointError
from posegraph.models.authors.dmgnn import convert_key, convert_state


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("encoder_pos.s2_l1.tcn.0.bias", ["encoders.0.levels.0.layers.1.temporal.0.bias"]),
        ("encoder_vel.A_b", [f"encoders.1.levels.{level}.layers.2.graph.fixed" for level in range(4)]),
        ("decoder.emul", ["cell.graph.factor"]),
        ("decoder.out_fc2.weight", ["head.3.weight"]),
        ("linear.bias", ["join.bias"]),
    ],
)
def test_names_are_ours(theirs: str, ours: list[str]) -> None:
    assert convert_key(theirs) == ours


def test_gates_become_one_layer() -> None:
    state = {f"decoder.hidden_{gate}.weight": torch.full((1, 2), float(n)) for n, gate in enumerate("hir")}
    assert convert_state(state)["cell.state_gates.weight"].tolist() == [[2, 2], [1, 1], [0, 0]]


def test_other_states_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"parameter 'x.y': expected the authors' names, such as encoder_pos"):
        convert_key("x.y")
    with pytest.raises(CheckpointError, match=r"parameter 'decoder.hidden_r.weight' is missing beside those of the"):
        convert_state({"decoder.hidden_h.weight": torch.zeros(1, 2)})
