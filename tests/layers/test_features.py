from __future__ import annotations

import pytest
import torch

from posegraph.errors import ShapeError
from posegraph.layers._features import check_features, check_node_features


@pytest.mark.parametrize("shape", [(2, 4, 9), (2, 3, 9, 5), (2, 4, 8, 5), (2, 4, 9, 6)])
def test_other_features_are_refused(shape):
    with pytest.raises(
        ShapeError, match=r"^input: expected \(batch, 4 channels, 9 frames, 5 nodes\), got .*Rearrange poses"
    ):
        check_features("input", torch.zeros(shape), channels=4, frames=9, num_nodes=5)


def test_the_number_of_frames_may_be_free():
    check_features("input", torch.zeros(2, 4, 8, 5), channels=4, num_nodes=5)
    with pytest.raises(ShapeError, match=r"expected \(batch, 4 channels, frames, 5 nodes\)"):
        check_features("input", torch.zeros(2, 4, 8, 6), channels=4, num_nodes=5)


@pytest.mark.parametrize("shape", [(5, 4), (2, 6, 4), (2, 5, 3)])
def test_other_node_features_are_refused(shape):
    with pytest.raises(
        ShapeError, match=r"^state: expected \(batch, 5 nodes, 4 channels\), got .*Give each joint of the graph"
    ):
        check_node_features("state", torch.zeros(shape), num_nodes=5, channels=4)
