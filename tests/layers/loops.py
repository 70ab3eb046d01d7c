"""What tests need that compute a layer again by loops over NumPy arrays."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def randomised(module: M) -> M:
    """The module in float64, every parameter and statistic random."""
    generator = torch.Generator().manual_seed(0)
    module.double()
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            values = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            tensor.copy_(values.abs() + 0.5 if name.endswith("running_var") else values)
    return module


def numbers(tensor: torch.Tensor) -> np.ndarray:
    """The values of a tensor."""
    return tensor.detach().numpy()
