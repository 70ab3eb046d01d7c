from __future__ import annotations

import pytest
import torch

from posegraph._cuda_graphs import capture, run_aside


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


class Stub:
    """Records the calls that would go to CUDA."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        for name in ("Stream", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, lambda name=name: self.stream(name))
        monkeypatch.setattr(torch.cuda, "stream", lambda stream: self.inside("stream"))
        monkeypatch.setattr(torch.cuda, "graph", self.graph)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: type("Graph", (), {"replay": lambda: None}))

    def stream(self, name: str) -> object:
        stub = self

        class Stream:
            def wait_stream(self, other: object) -> None:
                stub.calls.append(f"{name} waits")

        return Stream()

    def graph(self, graph: object, pool: object, stream: object, *, capture_error_mode: str) -> object:
        self.calls.append(f"graph {pool} {stream} {capture_error_mode}")
        return self.inside("graph")

    def inside(self, what: str) -> object:
        stub = self

        class Inside:
            def __enter__(self) -> None:
                stub.calls.append(f"in {what}")

            def __exit__(self, *error: object) -> None:
                stub.calls.append(f"out of {what}")

        return Inside()


def test_streams_wait_for_one_another(monkeypatch):
    stub = Stub(monkeypatch)
    assert run_aside(lambda: stub.calls.append("function") or 3) == 3
    assert stub.calls == ["Stream waits", "in stream", "function", "out of stream", "current_stream waits"]


def test_a_function_is_called_once_inside_of_the_recording(monkeypatch):
    stub = Stub(monkeypatch)
    _, result = capture(lambda: stub.calls.append("function") or 3, pool="pool", stream="stream")
    assert result == 3
    assert stub.calls == ["graph pool stream thread_local", "in graph", "function", "out of graph"]
