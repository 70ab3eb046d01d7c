"""What this machine can do at most, measured: matrix products in each precision, and copies within memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.harness.case import DTYPES, products_in
from benchmarks.harness.timing import statistics, take_turns, timed


@dataclass(frozen=True)
class Roof:
    """Ceilings of a device."""

    gflop_per_s: Mapping[str, float]
    """Multiplications and additions in products of large random matrices, in billions a second, by precision."""
    copy_gb_per_s: float
    """Bytes read plus bytes written by a large copy, in billions a second."""

    def or_higher(self, other: Roof | None) -> Roof:
        """The higher of both for each ceiling: load on the machine only lowers them."""
        if other is None:
            return self
        rates = {name: max(rate, other.gflop_per_s.get(name, 0.0)) for name, rate in self.gflop_per_s.items()}
        return Roof(rates, max(self.copy_gb_per_s, other.copy_gb_per_s))

    def slow(self, precision: str) -> str | None:
        """Why nothing is measured in a precision: products in it are slower here than in float32. None if they are not.

        PyTorch computes them all the same, without instructions for them; that is a fallback, not a way to be fast.
        """
        rate, plain = (self.gflop_per_s.get(name, float("inf")) for name in (precision, "fp32"))
        if rate >= plain:
            return None
        return f"no fast {precision} here: products of large matrices reach {rate:.0f} GFLOP/s, in fp32 {plain:.0f}"

    def to_json(self) -> dict[str, Any]:
        return {
            "gflop_per_s": {precision: round(rate, 1) for precision, rate in self.gflop_per_s.items()},
            "copy_gb_per_s": round(self.copy_gb_per_s, 2),
        }


def measure(device: str, *, seconds: float) -> Roof:
    """Measure the ceilings; the time is shared by all. On a GPU this is its warm-up as well."""
    size, copied = (1024, 2**26) if device == "cpu" else (8192, 2**31)
    precisions = [name for name in DTYPES if device == "cuda" or name != "tf32"]
    share = seconds / (len(precisions) + 1)
    rates = {name: 2 * size**3 / _least(_product(size, name, device), device, share) for name in precisions}
    source = torch.rand(copied // 4, device=device)
    target = torch.empty_like(source)
    copy_s = _least(lambda: target.copy_(source), device, share)
    return Roof({name: rate / 1e9 for name, rate in rates.items()}, 2 * copied / copy_s / 1e9)


def _product(size: int, precision: str, device: str) -> Callable[[], Any]:
    generator = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(size, size, generator=generator, device=device).to(DTYPES[precision]) for _ in range(2))

    def product() -> torch.Tensor:
        with products_in(precision):
            return a @ b

    return product


def _least(call: Callable[[], Any], device: str, seconds: float) -> float:
    """Least seconds of a call, warmed up."""
    token = [torch.empty(0)]
    sample = timed(lambda _: call(), token, device, from_host=False)
    end = time.perf_counter() + seconds / 3
    while time.perf_counter() < end:
        sample(0)
    series = take_turns({"": sample}, seconds=seconds * 2 / 3, min_calls=3)[""]
    return 1e-3 * statistics([s.host_s if s.device_s is None else s.device_s for s in series]).min_ms
