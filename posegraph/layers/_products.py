"""Products of a batch with one matrix for all its samples."""

from __future__ import annotations

import torch

__all__ = ["product_from_left"]


def product_from_left(matrix: torch.Tensor, x: torch.Tensor, shift: torch.Tensor | None = None) -> torch.Tensor:
    r"""The product $M X_b + s$ for every sample.

    `torch.matmul` would turn a batch around to make one product of it, copy it for that, and return it turned around:
    three times slower on the CPU. A batched product with the expanded matrix copies nothing.

    Args:
        matrix: ``(out_nodes, in_nodes)``.
        x: ``(batch, in_nodes, channels)``.
        shift: What is added, broadcast to the result.

    Returns:
        ``(batch, out_nodes, channels)``.
    """
    expanded = matrix.expand(x.shape[0], -1, -1)
    return torch.bmm(expanded, x) if shift is None else torch.baddbmm(shift, expanded, x)
