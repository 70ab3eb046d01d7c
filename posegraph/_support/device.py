"""Devices and number types, by the names that all of the library uses."""

from __future__ import annotations

from typing import Literal

import torch

__all__ = ["DTYPES", "Precision", "default_device"]

Precision = Literal["fp32", "tf32", "bf16", "fp16"]
"""Number type of the products: float32, TensorFloat-32 (float32 with factors rounded to ten bits, on CUDA devices),
bfloat16 or float16."""

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
"""Number type of the tensors that are multiplied."""


def default_device() -> str:
    """A GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"
