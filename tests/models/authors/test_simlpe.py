from __future__ import annotations

import pytest

from posegraph.errors import CheckpointError
from posegraph.models.authors.simlpe import convert_key


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("motion_mlp.mlps.3.norm0.alpha", "blocks.3.norm.weight"),
        ("motion_transformer.transformer.0.fc0.fc.bias", "blocks.0.bias"),
        ("motion_fc_out.weight", "head.weight"),
    ],
)
def test_names_are_ours(theirs: str, ours: str) -> None:
    assert convert_key(theirs) == ours


def test_foreign_names_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"parameter 'encoder.weight': expected the authors' names"):
        convert_key("encoder.weight")
