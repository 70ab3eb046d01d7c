"""Times of calls that take turns, and what is said of them: least, median, 99th percentile."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

Run = Callable[[torch.Tensor], Any]
"""What is timed: tensor in, tensor out."""
Name = TypeVar("Name", bound=Hashable)
TURN_S = 0.05
ENOUGH_CALLS = 1000
FEWEST_TURNS = 3


@dataclass(frozen=True)
class Sample:
    """Time of one call by the host's clock, and by the device's own where it has one."""

    host_s: float
    device_s: float | None = None


@dataclass(frozen=True)
class Statistics:
    """Times of all calls, in milliseconds."""

    calls: int
    min_ms: float
    p50_ms: float
    p99_ms: float


def statistics(seconds: Sequence[float]) -> Statistics:
    return Statistics(
        calls=len(seconds),
        min_ms=1e3 * min(seconds),
        p50_ms=1e3 * quantile(seconds, 0.5),
        p99_ms=1e3 * quantile(seconds, 0.99),
    )


def quantile(values: Sequence[float], q: float) -> float:
    """The least value that is not below a share ``q`` of all values."""
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]


def take_turns(
    calls: Mapping[Name, Callable[[int], Sample]], *, seconds: float, min_calls: int
) -> dict[Name, list[Sample]]:
    """Time all calls in turns, so that load on the machine hits all alike.

    A turn is one call, or as many as fit into `TURN_S`: calls in a row find their own weights in the caches, as in a
    program that makes no others, and short ones are measured more often. It goes on until every call was made
    ``min_calls`` times in `FEWEST_TURNS` turns at least and the time is over, or was made `ENOUGH_CALLS` times. Each
    call gets the running number, to choose its input by.
    """
    samples: dict[Name, list[Sample]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    number = 0
    fewest = turns = 0
    while calls and (
        turns < FEWEST_TURNS or fewest < min_calls or (fewest < ENOUGH_CALLS and time.perf_counter() < end)
    ):
        turns += 1
        for name, call in calls.items():
            turn_end = time.perf_counter() + TURN_S
            while True:
                samples[name].append(call(number))
                number += 1
                if time.perf_counter() >= turn_end:
                    break
        fewest = min(map(len, samples.values()))
    return samples


def timed(run: Run, inputs: Sequence[torch.Tensor], device: str, *, from_host: bool) -> Callable[[int], Sample]:
    """A call of ``run`` on one of the inputs, timed.

    Args:
        run: What is called.
        inputs: Tensors in host memory; they take turns.
        device: "cpu" or "cuda".
        from_host: On CUDA, whether the host's clock is read around a call with an input in host memory.
    """
    if device == "cpu":
        return lambda number: _on_host(run, inputs[number % len(inputs)])
    resident = [tensor.to(device) for tensor in inputs]
    given = [tensor.pin_memory() for tensor in inputs] if from_host else resident

    def call(number: int) -> Sample:
        index = number % len(resident)
        return Sample(host_s=_until_done(run, given[index]), device_s=_between_events(run, resident[index]))

    return call


def _on_host(run: Run, value: torch.Tensor) -> Sample:
    start = time.perf_counter()
    run(value)
    return Sample(time.perf_counter() - start)


def _until_done(run: Run, value: torch.Tensor) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    run(value)
    torch.cuda.synchronize()
    return time.perf_counter() - start


def _between_events(run: Run, value: torch.Tensor) -> float:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    run(value)
    end.record()
    end.synchronize()
    return 1e-3 * start.elapsed_time(end)
