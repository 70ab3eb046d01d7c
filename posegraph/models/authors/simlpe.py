"""Parameters of the authors' siMLPe."""

from __future__ import annotations

import re

from posegraph.errors import CheckpointError

__all__ = ["convert_key"]

# The published files and the published class name the blocks differently.
_BLOCK = re.compile(r"(?:motion_transformer\.transformer|motion_mlp\.mlps)\.(\d+)\.(.+)")
_BLOCK_PARTS = {
    "fc0.fc.weight": "weight",
    "fc0.fc.bias": "bias",
    "norm0.alpha": "norm.weight",
    "norm0.beta": "norm.bias",
}
_ENDS = {
    f"{theirs}.{leaf}": f"{ours}.{leaf}"
    for theirs, ours in (("motion_fc_in", "start"), ("motion_fc_out", "head"))
    for leaf in ("weight", "bias")
}


def convert_key(key: str) -> str:
    """Our name of a parameter: motion_mlp.mlps.3.norm0.alpha is blocks.3.norm.weight."""
    if key in _ENDS:
        return _ENDS[key]
    match = _BLOCK.fullmatch(key)
    if match is None or match[2] not in _BLOCK_PARTS:
        raise CheckpointError(
            f"parameter {key!r}: expected the authors' names motion_fc_in, motion_fc_out, motion_mlp.mlps.* or "
            "motion_transformer.transformer.*. Is this a siMLPe checkpoint?"
        )
    return f"blocks.{match[1]}.{_BLOCK_PARTS[match[2]]}"
