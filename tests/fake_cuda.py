"""CUDA streams and graphs for tests without a device."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import Any

import pytest
import torch

__all__ = ["FakeCuda"]


class FakeCuda:
    """PyTorch's names for streams and graphs, which run at once and are written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.streams = 0
        self.current = self.stream_type(self)
        self.graph_signature = inspect.signature(torch.cuda.graph.__init__)
        for name in ("graph_pool_handle", "Stream", "stream", "device", "current_stream", "CUDAGraph", "graph"):
            assert hasattr(torch.cuda, name)
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))

    class stream_type:  # noqa: N801
        def __init__(self, cuda: FakeCuda) -> None:
            self.cuda, self.name = cuda, f"s{cuda.streams}"
            cuda.streams += 1

        def wait_stream(self, other: FakeCuda.stream_type) -> None:
            self.cuda.log.append(f"{self.name} waits for {other.name}")

        def synchronize(self) -> None:
            self.cuda.log.append(f"synchronize {self.name}")

    def graph_pool_handle(self) -> tuple[int, int]:
        return (0, 7)

    def Stream(self, device: Any = None) -> stream_type:  # noqa: N802
        return self.stream_type(self)

    def current_stream(self, device: Any = None) -> stream_type:
        return self.current

    @contextmanager
    def device(self, device: Any) -> Any:
        assert device == torch.device("cuda", 0)
        yield

    @contextmanager
    def stream(self, stream: Any) -> Any:
        before, self.current = self.current, stream
        yield
        self.current = before

    def CUDAGraph(self) -> Any:  # noqa: N802
        return type("Graph", (), {"replay": lambda graph: self.log.append(f"replay on {self.current.name}")})()

    @contextmanager
    def graph(self, *arguments: Any, **settings: Any) -> Any:
        bound = self.graph_signature.bind(self, *arguments, **settings).arguments
        assert bound["pool"] == (0, 7)
        assert bound["capture_error_mode"] == "thread_local"
        self.log.append(f"capture on {bound['stream'].name}")
        with self.stream(bound["stream"]):
            yield
        self.log.append("end")
