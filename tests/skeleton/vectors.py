"""Random rotations."""

from __future__ import annotations

import torch


def random_vectors(*shape: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(*shape, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
