"""What a call does, counted rather than timed: multiplications and additions, operations, kernels, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd import DeviceType, profiler
from torch.utils.flop_counter import FlopCounterMode

MIB = 2**20


@dataclass(frozen=True)
class Counts:
    """What one call does, as PyTorch sees it."""

    operations: int
    """PyTorch operators called, those that they call in turn not counted."""
    call_memory_mib: float
    """Most memory at a time beyond what was allocated before the call."""
    kernels: int | None = None
    """Kernels that the GPU ran; None on the CPU."""
    busy_ms: float | None = None
    """Sum of their times."""


def flop(call: Callable[[], Any]) -> int:
    """Multiplications and additions in the matrix products of a call, one each; the rest of a network has few."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def count(call: Callable[[], Any], device: str) -> Counts:
    """Profile one call, which was made before."""
    on_gpu = device == "cuda"
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_allocated() - before
    with profiler.profile(use_device="cuda" if on_gpu else None, profile_memory=not on_gpu) as profile:
        call()
        if on_gpu:
            torch.cuda.synchronize()
    assert profile.kineto_results is not None
    # The events of the C++ profiler: making Python's of them takes longer than all else here together.
    events = sorted(profile.kineto_results.events(), key=lambda event: (event.start_ns(), -event.duration_ns()))
    operations, cpu_peak = _operations(events), _peak(events)
    if not on_gpu:
        return Counts(operations, cpu_peak / MIB)
    kernels = [event for event in events if _is_kernel(event)]
    busy = sum(event.duration_ns() for event in kernels)
    return Counts(operations, peak / MIB, len(kernels), busy / 1e6)


def _operations(events: list[Any]) -> int:
    number, end = 0, 0
    for event in events:
        if event.name().startswith("aten::") and event.start_ns() >= end:
            number, end = number + 1, event.start_ns() + event.duration_ns()
    return number


def _peak(events: list[Any]) -> int:
    live = peak = 0
    for event in events:
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    return peak


def _is_kernel(event: Any) -> bool:
    on_gpu = event.device_type() == DeviceType.CUDA
    return on_gpu and not event.name().startswith(("Memcpy", "Memset"))
