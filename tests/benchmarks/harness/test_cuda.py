"""What is measured on a GPU, on one that is only pretended: its tensors are on the CPU, its clock is a counter."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.autograd import DeviceType

from benchmarks.harness import compare as harness_compare
from benchmarks.harness import counts, results
from benchmarks.harness.compare import compare
from benchmarks.harness.timing import statistics, timed
from benchmarks.suites import inference, training
from benchmarks.suites.subjects import subject
from posegraph.recipe import Recipe
from tests.benchmarks import toys

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU is pretended")


class Event:
    """Each event is recorded 3 ms after the one before."""

    now = 0.0

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        Event.now += 3.0
        self.time = Event.now

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, end: Event) -> float:
        return end.time - self.time


@pytest.fixture
def _gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    to = torch.Tensor.to

    def pretend(tensor: torch.Tensor, *arguments: object, **options: object) -> torch.Tensor:
        return to(tensor, *("cpu" if str(argument) == "cuda" else argument for argument in arguments), **options)

    zeros = torch.zeros
    monkeypatch.setattr(torch.Tensor, "to", pretend)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(torch, "zeros", lambda *sizes, device=None, **options: zeros(*sizes, **options))
    monkeypatch.setattr(torch.cuda, "Event", Event)
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    memory = iter(range(0, 2**40, 2**20))
    for name in ("memory_allocated", "max_memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, lambda: next(memory))


@needs_no_gpu
@pytest.mark.usefixtures("_gpu")
def test_both_clocks_are_read() -> None:
    seen: list[float] = []

    def double(x: torch.Tensor) -> torch.Tensor:
        seen.append(float(x))
        return 2 * x

    call = timed(double, [torch.tensor(1.0), torch.tensor(2.0)], "cuda", from_host=True)
    samples = [call(0), call(1)]
    assert seen == [1.0, 1.0, 2.0, 2.0]  # from the host and on the device
    assert all(sample.host_s > 0 for sample in samples)
    assert [sample.device_s for sample in samples] == pytest.approx([0.003, 0.003])


@needs_no_gpu
@pytest.mark.usefixtures("_gpu")
@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_rows_have_the_figures_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    subject.cache_clear()
    about = subject("msrgcn-1l", "cuda", settings=toys.NARROW)
    comparison = inference.comparison(about, 2, [("plain", "fp32"), ("plain", "tf32")])
    monkeypatch.setattr(harness_compare, "ROUNDED", 0.0)  # here tf32 is pretended too
    rows = [outcome.row for outcome in compare(comparison, "cuda", seconds=0.0, min_calls=3)]
    assert [(row["variant"], row["precision"]) for row in rows] == [("plain", "fp32"), ("plain", "tf32")]
    labels = {"kind": "inference", "device": "cuda", "subject": "msrgcn-1l", "setting": "", "batch": 2}
    results.check(toys.facts([{**labels, **row} for row in rows]))
    for row in rows:
        assert row["time_ms"] == row["device_p50_ms"] == 3.0
        assert row["ratio"] == 1.0
        assert row["windows_per_s"] == pytest.approx(667, rel=1e-3)
        assert row["kernels"] == 0
        assert row["call_memory_mib"] > 0
    subject.cache_clear()


@needs_no_gpu
@pytest.mark.usefixtures("_gpu")
@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_training_steps_are_timed_by_both_clocks() -> None:
    subject.cache_clear()
    about = subject("msrgcn-1l", "cuda", settings=toys.NARROW)
    comparison = training.comparison(about, [("plain", "fp32")], Recipe.of(batch_size=4))
    (row,) = (outcome.row for outcome in compare(comparison, "cuda", seconds=0.0))
    assert row["time_ms"] == 3.0
    assert row["host_p50_ms"] > 0
    subject.cache_clear()


def test_kernels_are_what_the_gpu_computes() -> None:
    def event(name: str, device: DeviceType) -> SimpleNamespace:
        return SimpleNamespace(name=lambda: name, device_type=lambda: device)

    assert counts._is_kernel(event("gemm", DeviceType.CUDA))
    assert not counts._is_kernel(event("Memcpy HtoD (Pinned -> Device)", DeviceType.CUDA))
    assert not counts._is_kernel(event("Memset (Device)", DeviceType.CUDA))
    assert not counts._is_kernel(event("aten::mm", DeviceType.CPU))


def test_medians_count_on_a_gpu() -> None:
    assert statistics([0.001, 0.002, 0.009]).p50_ms == pytest.approx(2.0)
