"""Where and in which number type things are computed: one vocabulary for forecasting, training and checkpoints."""

from __future__ import annotations

from typing import Literal

import torch

__all__ = ["DTYPES", "Precision", "default_device"]

Precision = Literal["fp32", "tf32", "bf16", "fp16"]
"""Number type of the products: float32, TensorFloat-32 (CUDA devices only), bfloat16 or float16. Each part of the
library says which of them it takes."""

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
"""The type of PyTorch in which the numbers of a precision are stored."""


def default_device() -> str:
    """A GPU if there is one.

    Examples:
        >>> from posegraph._support.device import default_device
        >>> default_device() in ("cpu", "cuda")
        True
    """
    return "cuda" if torch.cuda.is_available() else "cpu"
