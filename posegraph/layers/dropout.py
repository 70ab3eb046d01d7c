"""Dropout that spends less on random numbers on the CPU."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["Dropout"]

_LEVELS = 2**16
_LOWEST = torch.iinfo(torch.int64).min


class Dropout(nn.Dropout):
    r"""Zero elements at random and scale up the others, as `torch.nn.Dropout` does.

    On the CPU, PyTorch draws a random float for each element, which is a quarter of a training step of MSR-GCN. Here
    one random 64-bit integer decides on four elements, by 16 bits each. The probability is rounded to a multiple of
    $2^{-16}$ and the scale fits it, so the mean stays exact. On other devices, and compiled, this is
    `torch.nn.Dropout`.

    Its arguments are those of `torch.nn.Dropout`; ``inplace=True`` takes PyTorch's own random numbers.

    Shape:
        - Input: any
        - Output: the same

    Examples:
        >>> import torch
        >>> from posegraph.layers import Dropout
        >>> y = Dropout(0.25)(torch.ones(1000, 64))
        >>> sorted({round(value, 4) for value in y.flatten().tolist()}), round(float(y.mean()), 1)
        ([0.0, 1.3333], 1.0)
    """

    shared_draws: bool = True
    """Whether one random integer may serve several elements; off where `torch.func.vmap` has to see each draw."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Apply dropout in training mode; return the input in evaluation mode."""
        dropped = round(self.p * _LEVELS)
        own = input.device.type == "cpu" and self.shared_draws and not self.inplace
        if not (self.training and own) or dropped in (0, _LEVELS) or torch.compiler.is_compiling():
            return super().forward(input)  # compilers fuse it with what stands around
        draws = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(_LOWEST, None)
        levels = draws.view(torch.int16)[: input.numel()].view(input.shape)
        mask = (levels >= dropped - _LEVELS // 2).to(input.dtype)
        return input * mask.mul_(_LEVELS / (_LEVELS - dropped))
