"""The harness: variants of the same work, checked first, then counted and timed in turns; one row of figures each."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks.harness import counts
from benchmarks.harness.case import Comparison, Key, Row, Variant
from benchmarks.harness.roof import Roof
from benchmarks.harness.timing import Run, Sample, statistics, take_turns, timed
from posegraph.errors import PosegraphError

FAILED = "failed"
"""What the reason begins with if a variant should have worked."""
_CHECKS = 4  # calls of each variant before it is timed: two for its error, a warm-up, one that is counted
_FEWEST_CALLS = 3
ROUNDED = 1e-5  # products of narrow numbers are never closer to the truth than this
_ABOVE_ROOF = 1.5  # how much longer a call takes, at a guess, than its arithmetic at the measured rate in float32


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
    roof: Roof | None = None,
) -> list[Outcome]:
    """Check, count and time all variants; a variant that is wrong, or does not work here, gets a reason for a time.

    Args:
        comparison: What is compared.
        device: "cpu" or "cuda".
        seconds: For everything together, as far as ``min_calls`` allow. Half of it is kept for timing.
        min_calls: Fewest timed calls of a variant.
        patience: Seconds that the fewest calls of a variant may take; the first variant is timed whatever they take.
        roof: Ceilings of the device; precisions that are slow on it are left out.
    """
    end = time.perf_counter() + seconds
    reference = comparison.variants[0].key
    rows: dict[Key, Row] = {}
    runs: dict[Key, Run] = {}
    for variant in comparison.variants:
        row: Row = {"variant": variant.name, "precision": variant.precision}
        rows[variant.key] = row
        try:
            if roof is not None and (why := roof.slow(variant.precision)) is not None:
                raise _SkippedError(why)
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
    if variant.flop and variant.precision != "fp32" and error < ROUNDED:
        raise _SkippedError(f"it computes in fp32 whatever it is told: the error in {variant.precision} is {error:.0e}")
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
