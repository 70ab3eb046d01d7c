"""Parameters of the authors' PGBIG."""

from __future__ import annotations

import re

from posegraph.errors import CheckpointError

__all__ = ["UNUSED", "convert_key"]

_CODER = r"gcn_(encoder|decoder)(\d+)\."
UNUSED = re.compile(_CODER + r"bn2\.\w+")
"""Parameters that the authors' class holds and never uses."""
_PARAMETER = re.compile(_CODER + r"(gc1|bn1|gc7|reshape_conv|gcbs\.\d+\.(?:gc|bn)[12])\.(\w+)")
_LEAVES = {"att": "adjacency", "weight_seq": "time", "weight_c": "weight"}


def convert_key(key: str) -> str:
    """Our name of a parameter: gcn_encoder2.gcbs.0.gc1.att is stages.1.encoder.blocks.0.0.operator.adjacency."""
    match = _PARAMETER.fullmatch(key)
    if match is None:
        raise CheckpointError(
            f"parameter {key!r}: expected the authors' names, such as gcn_encoder1.gc1.att. Is this a PGBIG checkpoint?"
        )
    coder, stage, module, leaf = match.groups()
    leaf = _LEAVES.get(leaf, leaf)
    *block, part = module.split(".")
    if part == "gc7":
        layer = "head"
    elif part == "reshape_conv":
        layer = "skip"
    else:
        place = f"blocks.{block[1]}.{int(part[-1]) - 1}" if block else "start"
        layer = f"{place}.{'operator' if part.startswith('gc') else 'norm.norm'}"
    return f"stages.{int(stage) - 1}.{coder}.{layer}.{leaf}"
