from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from posegraph.recipe import Optimizer
from posegraph.training.batches import Batches
from posegraph.training.graphs import CudaRecorder, RecordedStep
from posegraph.training.steps import PlainStep, make_optimizer, set_learning_rate
from tests.training.runs import FUTURE, OBSERVED, motion, small_model

CPU = torch.device("cpu")


class Rerun:
    """Records by keeping the function: replaying runs it again, on whatever its memory holds by then."""

    def __init__(self) -> None:
        self.warmed = self.recorded = self.replayed = 0

    def warm_up(self, function: Callable[[], torch.Tensor]) -> torch.Tensor:
        self.warmed += 1
        return function()

    def record(self, function: Callable[[], torch.Tensor]) -> tuple[Callable[[], object], torch.Tensor]:
        self.recorded += 1
        result = torch.zeros(())

        def replay() -> None:
            self.replayed += 1
            result.copy_(function())

        return replay, result


def plain_step(device: torch.device = CPU, fused: bool = False) -> PlainStep:
    model = small_model(dropout=0.0).to(device).train()
    windows = motion().train_windows(OBSERVED, FUTURE).to(device)
    optimizer = make_optimizer(Optimizer(learning_rate=1e-3), model.parameters(), device, fused=fused)
    return PlainStep(model, Batches(windows, model.skeleton), optimizer, clip_norm=1.0)


def batches(count: int, size: int = 4) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(26, (size,), generator=generator) for _ in range(count)]


def test_a_recorded_step_follows_the_plain_one():
    plain, recorder = plain_step(), Rerun()
    recorded = RecordedStep(plain_step(), recorder, batch_size=4)
    sequence = batches(8)
    sequence[5] = sequence[5][:3]  # the last batch of an epoch
    for number, numbers in enumerate(sequence):
        for step in (plain, recorded):
            set_learning_rate(step.optimizer, 1e-3 / (number + 1))
        assert float(recorded(numbers)) == float(plain(numbers))
    assert (recorder.warmed, recorder.recorded, recorder.replayed) == (3, 1, 4)


def test_a_step_that_cannot_be_recorded_runs_as_it_is():
    class Refusing(Rerun):
        def record(self, function: Callable[[], torch.Tensor]) -> tuple[Callable[[], object], torch.Tensor]:
            self.recorded += 1
            raise RuntimeError("operation not permitted when stream is capturing")

    plain, recorder = plain_step(), Refusing()
    recorded = RecordedStep(plain_step(), recorder, batch_size=4)
    sequence = batches(6)
    for numbers in sequence[:3]:
        assert float(recorded(numbers)) == float(plain(numbers))
    with pytest.warns(RuntimeWarning, match="goes on without a CUDA graph, because .* not permitted when stream"):
        assert float(recorded(sequence[3])) == float(plain(sequence[3]))
    for numbers in sequence[4:]:
        assert float(recorded(numbers)) == float(plain(numbers))
    assert recorder.recorded == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cuda_graph_follows_the_plain_step():
    device = torch.device("cuda")
    plain, recorded = plain_step(device), RecordedStep(plain_step(device, fused=True), CudaRecorder(), batch_size=4)
    for number, numbers in enumerate(batches(50)):
        for step in (plain, recorded):
            set_learning_rate(step.optimizer, 1e-3 / (number + 1))
        own = numbers.to(device)
        assert float(recorded(own)) == pytest.approx(float(plain(own)), rel=1e-3)
