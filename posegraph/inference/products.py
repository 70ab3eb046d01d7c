"""Settings of the process that change what PyTorch computes: what a forecast needs, and afterwards as they were.

A CUDA device can round the factors of float32 products to ten bits (TensorFloat-32), which is several times as fast.
PyTorch decides it by settings of the whole process: an old one, and since 2.9 a new one beside it, which must agree
where both are read.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

__all__ = ["exact_products", "tf32_products"]

_BACKENDS: Any = torch.backends
_CUDA = _BACKENDS.cuda.matmul
_NEW = (_CUDA, _BACKENDS.mkldnn.matmul) if hasattr(_CUDA, "fp32_precision") else ()
"""What has the new setting; the old one sets both."""


@contextmanager
def exact_products(device: torch.device) -> Generator[None]:
    """Float32 products are of float32 numbers on a device, without autocast and TensorFloat-32.

    Examples:
        >>> import torch
        >>> from posegraph.inference.products import exact_products
        >>> x = torch.ones(2, 2)
        >>> with torch.autocast("cpu", torch.bfloat16), exact_products(x.device):
        ...     (x @ x).dtype
        torch.float32
    """
    # Asking takes a microsecond, entering the context of autocast ten.
    autocast = torch.is_autocast_enabled(device.type)
    with (
        torch.autocast(device.type, enabled=False) if autocast else nullcontext(),
        tf32_products(False) if device.type == "cuda" else nullcontext(),
    ):
        yield


@contextmanager
def tf32_products(allowed: bool) -> Generator[None]:
    """Allow or forbid TensorFloat-32 in float32 products on CUDA devices; afterwards all settings are as before.

    Products in other threads see the same in the meantime.

    Examples:
        >>> import torch
        >>> from posegraph.inference.products import tf32_products
        >>> with tf32_products(True):
        ...     inside = torch.backends.cuda.matmul.allow_tf32
        >>> inside, torch.backends.cuda.matmul.allow_tf32
        (True, False)
    """
    if allowed == _allowed():
        yield
        return
    with _quiet():
        old, new = _old_setting(), [module.fp32_precision for module in _NEW]
        _CUDA.allow_tf32 = allowed  # sets the new setting as well, so that they agree
    try:
        yield
    finally:
        with _quiet():
            torch.set_float32_matmul_precision(old)
        for module, precision in zip(_NEW, new, strict=True):
            _set_new(module, precision)


def _allowed() -> bool:
    return _CUDA.fp32_precision == "tf32" if _NEW else _CUDA.allow_tf32


@contextmanager
def _quiet() -> Generator[None]:
    """Some versions of PyTorch warn of the old setting, although they read it themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _old_setting() -> str:
    """The setting of `torch.set_float32_matmul_precision`, also where PyTorch refuses to tell it."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        with_new = _allowed()
    try:
        allows = bool(_CUDA.allow_tf32)
    except RuntimeError:  # the two do not agree
        allows = not with_new
    return "high" if allows else "highest"


def _set_new(module: Any, precision: str) -> None:
    module.fp32_precision = "none"  # which means: as set for all products, or for all devices
    if module.fp32_precision != precision:
        module.fp32_precision = precision
