"""Forecasts, training steps and layers as tests of pytest-benchmark, which measures by itself.

One test a variant, one group a case. A variant whose result is wrong fails; one that does not work here is skipped.
Each is timed alone, one after another: compare times of a quiet machine. For ratios on a busy one, where variants take
turns, there is ``python -m benchmarks.run``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from benchmarks.harness.case import DEVICES, Case, Comparison, Key
from benchmarks.harness.machine import without_device
from benchmarks.suites import all as suite
from benchmarks.suites.inference import HEADLINE
from posegraph.errors import PosegraphError

BATCHES = {"inference": (1, 16), "layers": (16,), "scaling": ()}


def cases() -> list[Case]:
    """Cases that are quickly ready, on the devices of this machine: forecasts of all models, steps of the main ones."""
    found = suite.cases([device for device in DEVICES if without_device(device) is None])
    return [
        case
        for case in found
        if (case.kind == "layers" or not case.setting)  # other settings are of what compiles for long
        and (case.subject in HEADLINE if case.kind == "training" else case.batch in BATCHES[case.kind])
    ]


PARAMETERS = [
    pytest.param(case, key, id=f"{case} {' '.join(key)}".replace(" ", "-")) for case in cases() for key in case.variants
]


@lru_cache(maxsize=1)  # tests of a case come one after another
def prepared(case: Case) -> Comparison:
    return case.prepare()


@pytest.mark.parametrize(("case", "key"), PARAMETERS)
def test_speed(benchmark: Any, case: Case, key: Key) -> None:
    comparison = prepared(case)
    variant = next(variant for variant in comparison.variants if variant.key == key)
    try:
        with comparison.around():
            run = variant.prepare()
            error = comparison.error(variant, run)
    except PosegraphError as reason:
        pytest.skip(str(reason))
    assert error <= variant.tolerance
    benchmark.group = str(case)
    benchmark.extra_info.update(case.labels, variant=variant.name, precision=variant.precision, error=error)
    with comparison.around():
        benchmark(_until_done(run, case.device), comparison.inputs[0].to(case.device))


def _until_done(run: Any, device: str) -> Any:
    """On a GPU, a call that waits until the result is there."""
    if device == "cpu":
        return run
    import torch

    def call(value: torch.Tensor) -> None:
        run(value)
        torch.cuda.synchronize()

    return call
