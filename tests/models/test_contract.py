"""Every registered model keeps the contract that `posegraph.testing` states."""

from __future__ import annotations

from typing import Any

import pytest

from posegraph import registry
from posegraph.testing.contract import CONTRACT_CHECKS, Check

# Settings that make a model small enough for a test; a model that is not listed is checked with its own.
NARROW: dict[str, dict[str, Any]] = {
    **{name: {"channels": 8, "num_blocks": 1} for name in ("msrgcn", "msrgcn-1l", "msrgcn-2l", "msrgcn-3l")},
    "msrgcn-released": {"channels": (8, 8, 8, 8), "num_blocks": 1, "finest_end_blocks": 1},
    "msrgcn-released-short": {
        "channels": (8, 8, 8, 8),
        "num_blocks": 1,
        "finest_end_blocks": 1,
        "num_coefficients": 11,
    },
    **{
        name: {"channels": (4, 6), "embedding_channels": 8, "decoder_channels": 8, "fusion_levels": 1}
        for name in ("dmgnn", "dmgnn-released")
    },
    "graph-mixer": {"channels": 16, "num_blocks": 2, "num_heads": 4},
    "pgbig": {"channels": 4, "num_stages": 2},
    **{name: {"channels": 16} for name in ("residual-sup", "residual-sup-untied")},
    "simlpe": {"num_blocks": 2},
    "traj-gcn": {"channels": 8, "num_blocks": 1},
}


@pytest.mark.parametrize("check", CONTRACT_CHECKS)
@pytest.mark.parametrize("name", registry.names())
def test_contract(name: str, check: Check) -> None:
    check(name, **NARROW.get(name, {}))


def test_narrow_settings_name_registered_models() -> None:
    assert set(NARROW) <= set(registry.names())
