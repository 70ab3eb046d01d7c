from __future__ import annotations

import pytest
import torch

from posegraph._support.cuda_graphs import capture, run_aside
from tests.fake_cuda import FakeCuda


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_graph_is_recorded_without_running_and_plays_on_new_values():
    given = torch.ones(3, device="cuda")
    total = torch.zeros(3, device="cuda")

    def add() -> torch.Tensor:
        total.add_(given)
        return 2 * total

    assert torch.equal(run_aside(add), torch.full((3,), 2.0, device="cuda"))
    play, result = capture(add)
    assert torch.equal(total, torch.ones(3, device="cuda"))
    for value in (10.0, 100.0):
        given.fill_(value)
        play()
    assert torch.equal(result, torch.full((3,), 222.0, device="cuda"))


def test_streams_wait_for_one_another(monkeypatch):
    cuda = FakeCuda(monkeypatch)
    assert run_aside(lambda: cuda.log.append(f"function on {cuda.current.name}") or 3) == 3
    assert cuda.log == ["s1 waits for s0", "function on s1", "s0 waits for s1"]


def test_a_function_is_called_once_inside_of_the_recording(monkeypatch):
    cuda = FakeCuda(monkeypatch)
    pool, stream = torch.cuda.graph_pool_handle(), torch.cuda.Stream()
    play, result = capture(lambda: cuda.log.append(f"function on {cuda.current.name}") or 3, pool=pool, stream=stream)
    assert result == 3
    assert cuda.log == ["capture on s1", "function on s1", "end"]
    play()
    assert cuda.log[-1] == "replay on s0"
