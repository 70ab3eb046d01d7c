"""Seeds of everything that is random in training."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["mix", "seed_everything"]


def seed_everything(seed: int) -> None:
    """Seed PyTorch's random generators. Call it before building a model, to draw the same initial weights again."""
    torch.manual_seed(seed)


def mix(*numbers: int) -> int:
    """One seed from several numbers; neighbouring ones give unrelated seeds."""
    return int(np.random.SeedSequence([number % 2**32 for number in numbers]).generate_state(1, np.uint64)[0] >> 1)
