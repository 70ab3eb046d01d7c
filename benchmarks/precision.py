"""Number types of matrix products, and how far a result may be off in each."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import torch

from posegraph.inference.products import tf32_products

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
"""Type of the factors."""
TOLERANCE = {"fp32": 2e-6, "tf32": 5e-3, "bf16": 5e-2}
"""Largest error of a forecast, relative to its largest coordinate: beyond it something is wrong, not rounded. In fp32
that is twice what `posegraph.optimize` promises, since the plain model itself comes near to it in some runs."""


def products_in(precision: str) -> AbstractContextManager[object]:
    """What makes products of float32 matrices on a GPU as precise as that, and no more."""
    return tf32_products(True) if precision == "tf32" else nullcontext()


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference over the largest expected value; infinite for other shapes and for what is no number."""
    if actual.shape != expected.shape:
        return float("inf")
    error = float((actual.double() - expected.double()).abs().max() / expected.double().abs().max())
    return float("inf") if math.isnan(error) else error
