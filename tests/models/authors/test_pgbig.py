from __future__ import annotations

import pytest

from posegraph.errors import CheckpointError
from posegraph.models.authors.pgbig import UNUSED, convert_key


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("gcn_encoder2.gcbs.0.gc1.att", "stages.1.encoder.blocks.0.0.operator.adjacency"),
        ("gcn_decoder1.reshape_conv.bias", "stages.0.decoder.skip.bias"),
        ("gcn_encoder1.gc7.weight_c", "stages.0.encoder.head.weight"),
    ],
)
def test_names_are_ours(theirs: str, ours: str) -> None:
    assert convert_key(theirs) == ours


def test_foreign_names_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"parameter 'encoder.weight': expected the authors' names"):
        convert_key("encoder.weight")


def test_norms_that_the_class_never_uses_are_known() -> None:
    assert UNUSED.fullmatch("gcn_encoder1.bn2.weight")
    assert not UNUSED.fullmatch("gcn_encoder1.bn1.weight")
