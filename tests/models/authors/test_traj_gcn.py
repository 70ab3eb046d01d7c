from __future__ import annotations

import pytest

from posegraph.errors import CheckpointError
from posegraph.models.authors.traj_gcn import convert_key


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("gcbs.3.gc1.att", "stage.blocks.3.layers.0.operator.adjacency"),
        ("gc1.bias", "start.operator.bias"),
        ("gc7.weight", "head.weight"),
        ("gcbs.0.bn2.running_var", "stage.blocks.0.layers.1.tail.0.norm.running_var"),
    ],
)
def test_names_are_ours(theirs: str, ours: str) -> None:
    assert convert_key(theirs) == ours


def test_foreign_names_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"parameter 'encoder.weight': expected the authors' names"):
        convert_key("encoder.weight")
