from __future__ import annotations

import pytest

from posegraph.errors import ConfigError
from posegraph.models._dmgnn_config import DMGNNConfig


def test_lists_become_tuples() -> None:
    assert DMGNNConfig(channels=[4, 6]).channels == (4, 6)  # pyright: ignore[reportArgumentType]


def test_more_fusions_than_layers_are_refused() -> None:
    with pytest.raises(ConfigError, match="fusion_levels: expected 0 to 1, the number of layers, got 2"):
        DMGNNConfig(channels=(4,), fusion_levels=2)
