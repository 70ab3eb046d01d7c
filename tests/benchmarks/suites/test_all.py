"""All cases: every model and size, no two alike, the important ones first."""

from __future__ import annotations

from benchmarks.suites import all as suite
from benchmarks.suites import inference
from posegraph import registry


def test_every_model_is_measured_at_every_batch_size_on_both_devices() -> None:
    found = {(case.device, case.subject, case.batch) for case in suite.cases(kinds=["inference"])}
    assert found >= {(d, m, b) for d in ("cpu", "cuda") for m in registry.names() for b in inference.BATCHES[d]}


def test_every_model_with_parameters_is_trained() -> None:
    found = {case.subject for case in suite.cases(["cpu"], kinds=["training"])}
    assert found == {name for name in registry.names() if next(registry.build(name).parameters(), None) is not None}


def test_no_two_cases_are_the_same_and_important_ones_come_first() -> None:
    cases = suite.cases()
    assert len({str(case) for case in cases}) == len(cases)
    assert [case.rank for case in cases] == sorted(case.rank for case in cases)
    assert str(cases[0]) == "cpu inference msrgcn-released batch=1"
