"""Recording of CUDA graphs: the calls that forecasting and training share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import torch

__all__ = ["capture", "run_aside"]

T = TypeVar("T")
_ONE_CAPTURE = threading.Lock()  # at a time in a process: PyTorch allows no more


def run_aside(function: Callable[[], T]) -> T:
    """Run a function on a stream of its own, as has to be done before it is recorded: it sets up what it needs there.

    Args:
        function: Works on the current device.

    Returns:
        Its result, which the current stream may use.
    """
    aside, current = torch.cuda.Stream(), torch.cuda.current_stream()
    aside.wait_stream(current)
    with torch.cuda.stream(aside):
        result = function()
    current.wait_stream(aside)
    return result


def capture(
    function: Callable[[], T], *, pool: Any = None, stream: torch.cuda.Stream | None = None
) -> tuple[Callable[[], None], T]:
    """Record a function as a CUDA graph, without running it.

    Args:
        function: Works on the current device and on memory that stays where it is.
        pool: Memory that several graphs share, from `torch.cuda.graph_pool_handle`; by default one for itself.
        stream: Where to record; by default PyTorch's stream for this.

    Returns:
        What plays the graph on the current stream, and the result, whose memory every play writes.
    """
    graph = torch.cuda.CUDAGraph()
    # Other threads may use CUDA in the meantime; only what this one does belongs to the graph.
    with _ONE_CAPTURE, torch.cuda.graph(graph, pool, stream, capture_error_mode="thread_local"):
        result = function()
    return graph.replay, result
