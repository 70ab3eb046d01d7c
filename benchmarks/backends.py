"""The backends of `posegraph.optimize`, as benchmarks see them: which there are on a device, which compile for long."""

from __future__ import annotations

from collections.abc import Callable

from posegraph.inference.backends import BACKENDS

SLOW_SETUP_S = 60.0
"""About what a backend takes that is not quick."""
OWN_MEMORY = frozenset({"onnx", "openvino"})
"""Backends whose runtimes allocate and compute outside PyTorch."""


def quick(backend: str) -> bool:
    return BACKENDS[backend].quick


def slow(backend: str) -> bool:
    return not quick(backend)


def missing(device: str) -> dict[str, str | None]:
    """Why each backend cannot be used on a device here; None for those that can."""
    return {name: backend.missing() for name, backend in BACKENDS.items()}


def optimised(device: str, kind: Callable[[str], bool], only: str | None = None) -> list[tuple[str, str]]:
    """Backends of a kind that can be used on a device here, with their precisions."""
    return [
        (name, precision)
        for name, why in missing(device).items()
        if why is None and kind(name) and only in (None, name)
        for precision in BACKENDS[name].precisions
    ]
