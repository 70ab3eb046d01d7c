"""The backends of `posegraph.optimize`, as benchmarks see them: which there are on a device, which compile for long."""

from __future__ import annotations

import torch

from benchmarks.compare import Key
from posegraph.inference.backends import BACKENDS

SLOW_SETUP_S = 30.0
"""About what a backend takes that is not quick."""
OWN_MEMORY = frozenset({"onnx", "openvino"})
"""Backends whose runtimes allocate and compute outside PyTorch."""


def setup_seconds(backend: str) -> float:
    """About how long a backend takes to be ready, if that is long."""
    return 0.0 if BACKENDS[backend].quick else SLOW_SETUP_S


def missing(device: str) -> dict[str, str | None]:
    """Why each backend cannot be used on a device here; None for those that can."""
    return {name: backend.missing(torch.device(device)) for name, backend in BACKENDS.items()}


def keys(device: str, *, quick: bool) -> list[Key]:
    """Backends that can be used on a device here and are quickly ready, or are not, with their precisions."""
    return [
        (name, precision)
        for name, why in missing(device).items()
        if why is None and BACKENDS[name].quick == quick
        for precision in BACKENDS[name].precisions_on(torch.device(device))
    ]
