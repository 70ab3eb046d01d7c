"""Statistics of times, and who is timed when."""

from __future__ import annotations

import itertools

import pytest
import torch

from benchmarks.harness import timing
from benchmarks.harness.timing import Sample, quantile, statistics, take_turns, timed


def test_statistics_of_known_times() -> None:
    seconds = [number / 1000 for number in range(200, 0, -1)]  # 1 to 200 ms
    found = statistics(seconds)
    assert found.calls == 200
    assert found.min_ms == pytest.approx(1.0)
    assert found.p50_ms == pytest.approx(100.0)
    assert found.p99_ms == pytest.approx(198.0)


@pytest.mark.parametrize(("q", "expected"), [(0.0, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.51, 3), (0.99, 4), (1.0, 4)])
def test_quantiles_are_values_that_occurred(q: float, expected: int) -> None:
    assert quantile([4, 2, 1, 3], q) == expected


def test_one_time_is_all_its_statistics() -> None:
    found = statistics([0.002])
    assert (found.min_ms, found.p50_ms, found.p99_ms) == (2.0, 2.0, 2.0)


class Clock:
    """Advances by what each call is said to take."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def perf_counter(self) -> float:
        return self.now

    def call(self, name: str, seconds: float):
        def run(number: int) -> Sample:
            self.calls.append(name)
            self.now += seconds
            return Sample(seconds)

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_variants_take_turns_and_short_calls_come_in_rows(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "TURN_S", 0.005)
    calls = {"slow": clock.call("slow", 0.5), "quick": clock.call("quick", 0.002)}
    samples = take_turns(calls, seconds=1.0, min_calls=1)
    assert [(name, len(list(group))) for name, group in itertools.groupby(clock.calls)] == [
        ("slow", 1),
        ("quick", 3),
    ] * 3
    assert [len(series) for series in samples.values()] == [3, 9]


def test_each_variant_gets_its_fewest_calls(clock: Clock) -> None:
    samples = take_turns({"a": clock.call("a", 10.0), "b": clock.call("b", 20.0)}, seconds=0.0, min_calls=3)
    assert [len(series) for series in samples.values()] == [3, 3]


def test_enough_calls_end_it_before_the_time_is_over(clock: Clock) -> None:
    samples = take_turns({"a": clock.call("a", 0.01)}, seconds=1e6, min_calls=3)
    assert len(samples["a"]) == timing.ENOUGH_CALLS


def test_nothing_to_time() -> None:
    assert take_turns({}, seconds=1e6, min_calls=3) == {}


def test_calls_take_turns_with_the_inputs() -> None:
    seen: list[float] = []
    call = timed(lambda x: seen.append(float(x)), [torch.tensor(1.0), torch.tensor(2.0)], "cpu", from_host=True)
    samples = [call(number) for number in range(3)]
    assert seen == [1.0, 2.0, 1.0]
    assert all(sample.host_s > 0 and sample.device_s is None for sample in samples)
