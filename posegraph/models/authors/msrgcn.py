"""Parameters of the authors' MSR-GCN."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from posegraph.errors import CheckpointError

__all__ = ["convert_key", "convert_state"]

_SCALES = {"first": 0, "second": 1, "third": 2, "fourth": 3}
_LEAVES = {"att": "adjacency"}
_NORM = "tail.0.norm"


def convert_state(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename and reorder the authors' parameters.

    Raises:
        CheckpointError: A key is not theirs, or a parameter is missing.
    """
    converted: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        module, leaf, is_resample_norm = convert_key(key)
        if is_resample_norm and value.ndim == 1:
            linear = key.rsplit(".", 2)[0] + ".linear.bias"
            if linear not in state:
                raise CheckpointError(f"parameter {linear!r} is missing beside {key!r}. Is the file complete?")
            # theirs is feature-major, ours node-major
            value = value.view(-1, len(state[linear])).T.flatten()
        converted[f"{module}.{leaf}"] = value
    return converted


def convert_key(key: str) -> tuple[str, str, bool]:
    """Split an authors' key into our module, the parameter's name, and whether a node resampling's norm owns it."""
    ordinal, _, rest = key.partition("_")
    parts = rest.split(".")
    if ordinal in _SCALES and len(parts) > 1:
        kind, *path, leaf = parts
        leaf = _LEAVES.get(leaf, leaf)
        scale = _SCALES[ordinal]
        match kind, path:
            case "enhance", [part]:
                block = "start" if scale == 0 else f"down.{scale - 1}.1"
                return f"{block}.{'operator' if part == 'gcn' else _NORM}", leaf, False
            case (("left" | "right" | "extra"), [block, ("gc1" | "bn1" | "gc2" | "bn2") as part]):
                stage = {"left": "encoder.{}", "right": "decoder.{}", "extra": "end.{}.0"}[kind].format(scale)
                layer = f"{stage}.blocks.{block}.layers.{int(part[-1]) - 1}"
                return f"{layer}.{'operator' if part.startswith('gc') else _NORM}", leaf, False
            case "out", ["gcn"]:
                return f"end.{scale}.1", leaf, False
            case (("down" | "up" | "right_crop"), ["0", part]):
                block = {"down": f"down.{scale}.0", "up": f"up.{scale - 1}.0", "right_crop": f"crop.{scale}"}[kind]
                return f"{block}.{'resample' if part == 'linear' else _NORM}", leaf, part == "bn"
            case "up", ["1", part]:
                block = f"up.{scale - 1}.1"
                return f"{block}.{'operator.linear' if part == 'linear' else _NORM}", leaf, False
            case _:
                pass
    raise CheckpointError(
        f"parameter {key!r}: expected the authors' names, such as first_left.0.gc1.att. Is this an MSR-GCN checkpoint?"
    )
