"""Parameters of the authors' Traj-GCN."""

from __future__ import annotations

from posegraph.errors import CheckpointError

__all__ = ["convert_key"]

_LEAVES = {"att": "adjacency"}


def convert_key(key: str) -> str:
    """Our name of a parameter: gcbs.3.gc1.att is stage.blocks.3.layers.0.operator.adjacency."""
    *path, leaf = key.split(".")
    if path[:1] == ["gcbs"] and path[2:] in (["gc1"], ["bn1"], ["gc2"], ["bn2"]):
        module = f"stage.blocks.{path[1]}.layers.{int(path[2][-1]) - 1}"
    elif path in (["gc1"], ["bn1"]):
        module = "start"
    elif path == ["gc7"]:
        return f"head.{_LEAVES.get(leaf, leaf)}"
    else:
        raise CheckpointError(
            f"parameter {key!r}: expected the authors' names gc1, bn1, gcbs.*, gc7. Is this a Traj-GCN checkpoint?"
        )
    part = "operator" if path[-1].startswith("gc") else "tail.0.norm"
    return f"{module}.{part}.{_LEAVES.get(leaf, leaf)}"
