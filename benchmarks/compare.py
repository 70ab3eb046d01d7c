"""The harness: variants of the same work, checked first, then counted and timed in turns; one row of figures each."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch

from benchmarks import counts
from benchmarks.roof import Roof
from benchmarks.timing import Run, Sample, statistics, take_turns, timed
from posegraph.errors import PosegraphError

FAILED = "failed"
"""What the reason begins with if a variant should have worked."""
Row = dict[str, Any]
"""Figures of one variant, or why there are none; `benchmarks.results` says which keys there are."""
Key = tuple[str, str]
"""Name and precision of a variant."""
_CHECKS = 4  # calls of each variant before it is timed: two for its error, a warm-up, one that is counted
_FEWEST_CALLS = 3
_ABOVE_ROOF = 1.5  # how much longer a call takes, at a guess, than its arithmetic at the measured rate in float32


@dataclass(frozen=True)
class Variant:
    """One way to do the work."""

    name: str
    precision: str
    prepare: Callable[[], Run]
    """Makes it ready; raises an error of posegraph if it does not work here."""
    tolerance: float
    """Largest error with which it still gets a time."""
    flop: int = 0
    """Multiplications and additions of a call."""
    setup_s: float = 0.0
    """About how long `prepare` takes, if that is long."""
    copies: int = 1
    """How many times the work of the others a call does."""
    own_memory: bool = False
    """Whether it allocates memory, and calls operations, that PyTorch does not see."""

    @property
    def key(self) -> Key:
        return self.name, self.precision


@dataclass(frozen=True)
class Comparison:
    """Variants of the same work; ratios are those to the first."""

    variants: Sequence[Variant]
    inputs: Sequence[torch.Tensor]
    """In host memory; calls take turns with them."""
    error: Callable[[Variant, Run], float]
    """Error of a variant, prepared, relative to the truth."""
    windows: int
    """Windows of a call, that is, of one copy."""
    least_bytes: int = 0
    """Bytes that a call has to move at the least: each weight and input read once, each output written once."""
    from_host: bool = False
    """Whether calls take inputs in host memory as well as on the device, and leave the output where the input was: the
    host's clock then counts the copies to a GPU and back."""
    around: Callable[[], AbstractContextManager[Any]] = field(default=torch.inference_mode)
    """What a call runs in."""


@dataclass(frozen=True)
class Outcome:
    """A row, and all times behind it."""

    row: Row
    samples: Sequence[Sample] = ()


def least_seconds(comparison: Comparison, roof: Roof) -> float:
    """About how long the fewest calls of all variants take."""
    arithmetic = sum(variant.flop for variant in comparison.variants) / (1e9 * roof.gflop_per_s["fp32"])
    setup = sum(variant.setup_s for variant in comparison.variants)
    return (_CHECKS + _FEWEST_CALLS) * _ABOVE_ROOF * arithmetic + setup


def compare(
    comparison: Comparison,
    device: str,
    *,
    seconds: float,
    min_calls: int = _FEWEST_CALLS,
    patience: float = float("inf"),
) -> list[Outcome]:
    """Check, count and time all variants; a variant that is wrong, or does not work here, gets a reason for a time.

    Args:
        comparison: What is compared.
        device: "cpu" or "cuda".
        seconds: For everything together, as far as ``min_calls`` allow. Half of it is kept for timing.
        min_calls: Fewest timed calls of a variant.
        patience: Seconds that the fewest calls of a variant may take; the first variant is timed whatever they take.
    """
    end = time.perf_counter() + seconds
    reference = comparison.variants[0].key
    rows: dict[Key, Row] = {}
    runs: dict[Key, Run] = {}
    for variant in comparison.variants:
        row: Row = {"variant": variant.name, "precision": variant.precision}
        rows[variant.key] = row
        try:
            with comparison.around():
                limit = float("inf") if variant.key == reference else patience
                runs[variant.key] = _checked(comparison, variant, device, row, limit)
        except _SkippedError as reason:
            row["skipped"] = str(reason)
    with comparison.around():
        calls = {
            key: timed(run, comparison.inputs, device, from_host=comparison.from_host) for key, run in runs.items()
        }
        samples = take_turns(calls, seconds=max(seconds / 2, end - time.perf_counter()), min_calls=min_calls)
    for variant in comparison.variants:
        if variant.key in samples:
            series = samples[variant.key]
            rows[variant.key] |= _times(series)
            rows[variant.key] |= _rates(rows[variant.key], comparison, variant)
    for row in rows.values():
        if "time_ms" in row and "time_ms" in rows[reference]:
            row["ratio"] = _round(row["windows_per_s"] / rows[reference]["windows_per_s"])
    return [Outcome(row, samples.get(key, ())) for key, row in rows.items()]


class _SkippedError(Exception):
    """Why a variant is not timed."""


def _checked(comparison: Comparison, variant: Variant, device: str, row: Row, limit: float) -> Run:
    """Prepare a variant, check what it computes, and count what it does; its timed calls may take ``limit`` seconds."""
    held = torch.cuda.memory_allocated() if device == "cuda" else 0
    start = time.perf_counter()
    try:
        run = variant.prepare()
        row["setup_s"] = _round(time.perf_counter() - start)
        error = comparison.error(variant, run)
    except PosegraphError as reason:
        raise _SkippedError(str(reason)) from reason
    except torch.OutOfMemoryError as reason:
        raise _SkippedError("out of memory") from reason
    except Exception as error:  # of a compiler, a driver, a runtime: what else there is shall still be measured
        traceback.print_exc()
        raise _SkippedError(f"{FAILED}: {type(error).__name__}: {str(error).partition(chr(10))[0]}") from error
    row["error"] = _round(error, 2) if math.isfinite(error) else None
    if not error <= variant.tolerance:
        raise _SkippedError(f"error {error:.1e} is above the tolerance {variant.tolerance:.0e}")
    if device == "cuda":
        row["held_memory_mib"] = _round((torch.cuda.memory_allocated() - held) / counts.MIB)
    value = comparison.inputs[0].to(device)
    call_s = _seconds(run, value, device)
    if _FEWEST_CALLS * call_s > limit:
        raise _SkippedError(f"a call takes {call_s:.1g} s, too long for the {limit:.2g} s that this case has")
    if not variant.own_memory:
        counted = counts.count(lambda: run(value), device)
        row["operations"] = counted.operations
        row["call_memory_mib"] = _round(counted.call_memory_mib)
        if counted.kernels is not None and counted.busy_ms is not None:
            row |= {"kernels": counted.kernels, "busy_ms": _round(counted.busy_ms)}
    return run


def _seconds(run: Run, value: torch.Tensor, device: str) -> float:
    """Of one call, which warms up as well."""
    start = time.perf_counter()
    run(value)
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _times(series: Sequence[Sample]) -> Row:
    host = statistics([sample.host_s for sample in series])
    device = [sample.device_s for sample in series if sample.device_s is not None]
    row: Row = {"calls": host.calls}
    for clock, figures in (("host", host), ("device", statistics(device) if device else None)):
        if figures is not None:
            row |= {f"{clock}_{name}_ms": _round(getattr(figures, f"{name}_ms"), 4) for name in ("min", "p50", "p99")}
    # A shared processor adds time and never takes any away, so its least time says most. A GPU's clocks vary too.
    return row | {"time_ms": row["device_p50_ms"] if device else row["host_min_ms"]}


def _rates(row: Row, comparison: Comparison, variant: Variant) -> Row:
    windows = variant.copies * comparison.windows
    rates: Row = {"windows_per_s": _round(1e3 * windows / row["time_ms"], 4)}
    if variant.flop:
        rates["mflop_per_window"] = _round(variant.flop / windows / 1e6, 5)
    if comparison.least_bytes:
        rates["least_mib"] = _round(comparison.least_bytes / counts.MIB, 4)
    return rates


def _round(value: float, digits: int = 3) -> float:
    """To so many significant digits: no figure here is better than that."""
    return float(f"{value:.{digits}g}")
