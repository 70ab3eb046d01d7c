"""Number types by their short names, the same wherever a precision is chosen."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["fp32", "tf32", "bf16", "fp16"]
"""What products are computed in, or weights stored in."""

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""PyTorch's type of each precision that is one; tf32 rounds the factors of products only."""
