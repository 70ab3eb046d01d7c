"""What gets a time, and what gets a reason for having none."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from benchmarks.harness import compare
from benchmarks.harness.case import TOLERANCE, Variant, products_in, relative_error
from benchmarks.harness.compare import least_seconds
from benchmarks.harness.roof import Roof
from posegraph.errors import ConfigError
from tests.benchmarks import toys


def rows(comparison: compare.Comparison, **options) -> dict[str, dict[str, object]]:
    outcomes = compare.compare(comparison, "cpu", **{"seconds": 0.01, **options})
    return {outcome.row["variant"]: outcome.row for outcome in outcomes}


def test_right_variants_get_times() -> None:
    found = rows(toys.doubling(plain=lambda x: x + x, other=lambda x: 2 * x))
    for row in found.values():
        assert row["time_ms"] == row["host_min_ms"] <= row["host_p50_ms"] <= row["host_p99_ms"]
        assert row["calls"] >= 3
        assert row["error"] == 0
        assert row["operations"] == 1
        assert row["windows_per_s"] == pytest.approx(3000 / row["time_ms"], rel=1e-3)
        assert row["mflop_per_window"] == pytest.approx(2e-6)
    assert found["plain"]["ratio"] == 1.0
    assert found["other"]["ratio"] == pytest.approx(found["plain"]["time_ms"] / found["other"]["time_ms"], rel=1e-2)


def test_a_ratio_is_that_of_the_work_done() -> None:
    found = rows(toys.doubling(plain=lambda x: x + x, twice=lambda x: 2 * x))
    assert found["twice"]["windows_per_s"] == pytest.approx(6000 / found["twice"]["time_ms"], rel=1e-3)
    assert found["twice"]["ratio"] == pytest.approx(2 * found["plain"]["time_ms"] / found["twice"]["time_ms"], rel=1e-2)


@pytest.mark.parametrize(
    "wrong",
    [lambda x: 2.001 * x, lambda x: x * float("nan"), lambda x: 2 * x[:2], lambda x: 2 * torch.tensor([1.0, 2.0, 3.0])],
    ids=["off", "not-a-number", "another-shape", "first-result-again"],
)
def test_wrong_variants_get_none(wrong) -> None:
    found = rows(toys.doubling(plain=lambda x: x + x, wrong=wrong))
    assert "is above the tolerance 2e-06" in found["wrong"]["skipped"]
    assert "time_ms" not in found["wrong"]
    assert "ratio" not in found["wrong"]
    assert "time_ms" in found["plain"]


def test_a_fallback_to_float32_is_no_result() -> None:
    comparison = toys.doubling(plain=lambda x: x + x, narrow=lambda x: 2 * x, rounded=lambda x: 2.001 * x)
    plain, *others = comparison.variants
    others = [dataclasses.replace(variant, precision="bf16", tolerance=TOLERANCE["bf16"]) for variant in others]
    found = rows(dataclasses.replace(comparison, variants=[plain, *others]))
    assert found["narrow"]["skipped"] == "it computes in fp32 whatever it is told: the error in bf16 is 0e+00"
    assert "time_ms" in found["rounded"]


def test_a_precision_that_is_slow_here_is_left_out() -> None:
    comparison = toys.doubling(plain=lambda x: x + x, narrow=lambda x: 2.001 * x)
    plain, narrow = comparison.variants
    narrow = dataclasses.replace(narrow, precision="bf16", tolerance=TOLERANCE["bf16"])
    found = rows(dataclasses.replace(comparison, variants=[plain, narrow]), roof=Roof({"fp32": 96.0, "bf16": 1.0}, 9.0))
    assert found["narrow"] == {
        "variant": "narrow",
        "precision": "bf16",
        "skipped": "no fast bf16 here: products of large matrices reach 1 GFLOP/s, in fp32 96",
    }
    assert "time_ms" in found["plain"]


def test_what_does_not_work_here_says_why() -> None:
    def fail(x: torch.Tensor) -> torch.Tensor:
        raise ConfigError("no such device. Use another.")

    assert rows(toys.doubling(plain=lambda x: x + x, other=fail))["other"]["skipped"] == "no such device. Use another."


def test_what_breaks_is_a_failure_and_others_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("compiler: no\nlong explanation")

    found = rows(toys.doubling(broken=fail, other=lambda x: 2 * x))
    assert found["broken"]["skipped"] == "failed: RuntimeError: compiler: no"
    assert "time_ms" in found["other"]
    assert "ratio" not in found["other"]
    assert "long explanation" in capsys.readouterr().err


def test_variants_that_are_too_slow_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "_seconds", lambda run, value, device: 5.0)
    found = rows(toys.doubling(plain=lambda x: x + x, slow=lambda x: 2 * x), patience=0.1)
    assert found["slow"]["skipped"] == "a call takes 5 s, too long for the 0.1 s that this case has"
    assert "time_ms" in found["plain"]  # or nothing would have a ratio


def test_runtimes_of_their_own_are_not_counted() -> None:
    comparison = toys.doubling(plain=lambda x: x + x, other=lambda x: 2 * x)
    plain, other = comparison.variants
    changed = dataclasses.replace(comparison, variants=[plain, dataclasses.replace(other, own_memory=True)])
    found = rows(changed)
    assert "operations" not in found["other"]
    assert "call_memory_mib" not in found["other"]


def test_the_least_time_of_a_case_follows_from_its_arithmetic() -> None:
    comparison = toys.doubling(plain=lambda x: x + x)
    slow = Variant("slow", "fp32", lambda: lambda x: x, 0.0, flop=10**12, setup_s=60.0)
    alone = least_seconds(dataclasses.replace(comparison, variants=[slow]), toys.ROOF)
    assert 60 + 10 * 7 <= alone <= 60 + 10 * 7 * 2  # a call is 10 s of arithmetic


@pytest.mark.parametrize("precision", list(TOLERANCE))
def test_precision_of_products_is_left_as_it_was(precision: str) -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    with products_in(precision):
        assert torch.backends.cuda.matmul.allow_tf32 == (before or precision == "tf32")
    assert torch.backends.cuda.matmul.allow_tf32 == before


def test_errors_are_relative_to_the_largest_value() -> None:
    assert relative_error(torch.tensor([1.0, 9.0]), torch.tensor([1.5, 10.0])) == pytest.approx(0.1)
