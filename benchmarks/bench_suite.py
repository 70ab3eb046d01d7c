"""All cases as tests of pytest-benchmark: one test a variant, one group a case.

The variants of a case are measured together, taking turns, when the first of them is asked for. Their times are then
replayed to pytest-benchmark, whose tables, files and comparisons work as always.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from benchmarks.harness.case import ALL, Case
from benchmarks.harness.compare import FAILED, Outcome
from benchmarks.harness.machine import without_device
from benchmarks.harness.session import Session
from benchmarks.harness.timing import Sample
from benchmarks.suites import all as suite


class Replay:
    """A clock that stands still but for the times that are played."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def play(self, samples: Sequence[Sample]) -> Callable[[], None]:
        """A function whose calls take, by this clock, as long as the samples did."""
        seconds = iter([s.host_s if s.device_s is None else s.device_s for s in samples])

        def call() -> None:
            self.now += next(seconds)

        return call


CLOCK = Replay()
PARAMETERS = [
    pytest.param(case, variant, id=f"{case} {' '.join(variant)}".replace(" ", "-"))
    for case in suite.cases()
    for variant in (case.variants if without_device(case.device) is None else [ALL])
]


@pytest.fixture(scope="session")
def outcomes(session: Session) -> Callable[[Case], dict[tuple[str, str], Outcome]]:
    """The outcomes of a case, by variant and precision; measured once."""
    known: dict[str, dict[tuple[str, str], Outcome]] = {}

    def of(case: Case) -> dict[tuple[str, str], Outcome]:
        if str(case) not in known:
            measured = session.measure(case)
            known[str(case)] = {(outcome.row["variant"], outcome.row["precision"]): outcome for outcome in measured}
        return known[str(case)]

    return of


@pytest.mark.benchmark(timer=CLOCK)
@pytest.mark.parametrize(("case", "variant"), PARAMETERS)
def test_case(benchmark: Any, outcomes: Any, case: Case, variant: tuple[str, str]) -> None:
    found = outcomes(case)
    outcome = found.get(variant) or found[ALL]
    reason = outcome.row.get("skipped")
    if reason is not None:
        (pytest.fail if reason.startswith(FAILED) else pytest.skip)(reason)
    benchmark.group = str(case)
    benchmark.extra_info.update(outcome.row)
    benchmark.pedantic(CLOCK.play(outcome.samples), rounds=len(outcome.samples))
