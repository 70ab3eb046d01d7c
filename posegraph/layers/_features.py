"""Checks of what the layers on joints over time exchange."""

from __future__ import annotations

import torch

from posegraph.errors import ShapeError

__all__ = ["check_features", "check_node_features"]


def check_features(what: str, x: torch.Tensor, *, channels: int, num_nodes: int, frames: int | None = None) -> None:
    """Require ``(batch, channels, frames, num_nodes)``, with any number of frames if ``frames`` is None."""
    fits = x.ndim == 4 and x.shape[1] == channels and x.shape[3] == num_nodes
    if not fits or (frames is not None and x.shape[2] != frames):
        time = "frames" if frames is None else f"{frames} frames"
        raise ShapeError(
            what,
            f"(batch, {channels} channels, {time}, {num_nodes} nodes)",
            tuple(x.shape),
            "Rearrange poses with 'b t j c -> b c t j'.",
        )


def check_node_features(what: str, x: torch.Tensor, *, num_nodes: int, channels: int) -> None:
    """Require ``(batch, num_nodes, channels)`` where a node is a joint or a group of joints."""
    if x.ndim != 3 or x.shape[1] != num_nodes or x.shape[2] != channels:
        expected = f"(batch, {num_nodes} nodes, {channels} channels)"
        raise ShapeError(what, expected, tuple(x.shape), "Give each joint of the graph one vector.")
