"""Forecasts that are recorded once for a batch size and then played again, as CUDA graphs are.

A recording works on fixed memory. Here is what goes around it: which sizes are recorded, how a batch of another size is
filled up or cut, and how poses get in and out. What records is a `Recorder`, which has all the calls of CUDA.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from posegraph._support.cuda_graphs import capture, run_aside
from posegraph.inference.products import exact_products

__all__ = ["CudaRecorder", "RecordedForecast", "Recorder", "pieces", "sizes_to_record"]

_LARGEST = 1024  # windows that fill a large device; a larger batch in pieces of it costs next to nothing
_WARM_UP = 3  # calls before the recording, in which libraries and compilers set themselves up


def sizes_to_record(batch_size: int | None) -> tuple[int, ...]:
    """Sizes of batches that may be recorded: one, the powers of two, and the one asked for.

    Examples:
        >>> from posegraph.inference.recording import sizes_to_record
        >>> sizes_to_record(48)
        (1, 2, 4, 8, 16, 32, 48, 64, 128, 256, 512, 1024)
    """
    largest = max(_LARGEST, batch_size or 1)
    powers = {1 << exponent for exponent in range(largest.bit_length())}
    return tuple(sorted(powers | {batch_size or 1}))


def pieces(batch: int, sizes: tuple[int, ...]) -> Iterator[tuple[slice, int]]:
    """Cut a batch into pieces, each with the size of the recording that it is filled up to.

    Args:
        batch: Number of windows.
        sizes: Sizes of recordings, ascending.

    Examples:
        >>> from posegraph.inference.recording import pieces
        >>> list(pieces(21, (1, 2, 4, 8)))
        [(slice(0, 8, None), 8), (slice(8, 16, None), 8), (slice(16, 21, None), 8)]
    """
    for start in range(0, batch, sizes[-1]):
        length = min(sizes[-1], batch - start)
        yield slice(start, start + length), next(size for size in sizes if size >= length)


class Recorder(Protocol):
    """What records work on a device and plays it again."""

    device: torch.device
    """Where the work is done."""

    def memory(self, *shape: int) -> torch.Tensor:
        """Float32 zeros on the device."""
        ...

    def host_memory(self, *shape: int) -> torch.Tensor:
        """Float32 memory of the host that the device copies from and to on its own."""
        ...

    def record(
        self, function: Callable[[torch.Tensor], torch.Tensor], given: torch.Tensor
    ) -> tuple[Callable[[], object], torch.Tensor]:
        """Record a function of ``given``; how to play it, and the memory that each play writes its result to."""
        ...

    def begin(self) -> None:
        """Called before work that uses memory of earlier work."""
        ...

    def wait(self) -> None:
        """Wait for all work that was begun."""
        ...


class CudaRecorder:
    """Records CUDA graphs, all in one pool of memory.

    The pool may be shared because results are copied out of it before the next recording plays.

    Args:
        device: A CUDA device, with its index.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)
        self._last: torch.cuda.Stream | None = None

    def memory(self, *shape: int) -> torch.Tensor:
        """Float32 zeros on the device."""
        return torch.zeros(shape, device=self.device)

    def host_memory(self, *shape: int) -> torch.Tensor:
        """Page-locked float32 memory."""
        return torch.empty(shape, pin_memory=True)

    def record(
        self, function: Callable[[torch.Tensor], torch.Tensor], given: torch.Tensor
    ) -> tuple[Callable[[], object], torch.Tensor]:
        """Record a function of ``given``; how to play it, and the memory that each play writes its result to."""
        with torch.cuda.device(self.device):
            run_aside(lambda: [function(given) for _ in range(_WARM_UP)])
            return capture(lambda: function(given), pool=self._pool, stream=self._stream)

    def begin(self) -> None:
        """Make the current stream wait for the one of the last call, if that is another."""
        current = torch.cuda.current_stream(self.device)
        if self._last is not None and current != self._last:
            current.wait_stream(self._last)
        self._last = current

    def wait(self) -> None:
        """Wait for the current stream."""
        torch.cuda.current_stream(self.device).synchronize()


@dataclass(frozen=True)
class _Recording:
    forecast: Callable[[torch.Tensor], torch.Tensor]
    """Kept because the recording uses its memory."""
    given: torch.Tensor
    play: Callable[[], object]
    result: torch.Tensor


class RecordedForecast:
    """A forecast on a device, recorded for each size of batch when that first comes.

    Args:
        forecast_for: For a number of windows, the forecast of ``(windows, frames, joints, 3)`` on the device.
        recorder: What records.
        observed_shape: ``(frames, joints, 3)`` of the observed poses.
        future_shape: The same of the forecast.
        batch_size: Number of windows a call to be fast for; it is recorded at once.
    """

    def __init__(
        self,
        forecast_for: Callable[[int], Callable[[torch.Tensor], torch.Tensor]],
        recorder: Recorder,
        *,
        observed_shape: tuple[int, int, int],
        future_shape: tuple[int, int, int],
        batch_size: int | None,
    ) -> None:
        self._forecast_for, self._recorder = forecast_for, recorder
        self._observed_shape, self._future_shape = observed_shape, future_shape
        self._sizes = sizes_to_record(batch_size)
        self._recordings: dict[int, _Recording] = {}
        self._host: tuple[torch.Tensor, torch.Tensor] | None = None
        self._one_call = threading.Lock()  # at a time: calls share the memory of the recordings
        self._recording(batch_size or 1)

    @property
    def recorded(self) -> tuple[int, ...]:
        """Sizes that are recorded by now."""
        return tuple(sorted(self._recordings))

    def __call__(self, observed: torch.Tensor) -> torch.Tensor:
        """Forecast poses on the device or on the host; the result is on the same, in memory of its own."""
        with self._one_call:
            return self._forecast_here(observed)

    def _forecast_here(self, observed: torch.Tensor) -> torch.Tensor:
        self._recorder.begin()
        future = observed.new_empty(len(observed), *self._future_shape, dtype=torch.float32)
        if observed.device == self._recorder.device:
            self._forecast(observed, future)
            return future
        for start in range(0, len(observed), self._sizes[-1]):
            part = slice(start, start + self._sizes[-1])
            given, result = self._host_buffers(len(observed[part]))
            given.copy_(observed[part])
            self._forecast(given, result)
            self._recorder.wait()
            future[part] = result
        return future

    def _forecast(self, observed: torch.Tensor, future: torch.Tensor) -> None:
        for piece, size in pieces(len(observed), self._sizes):
            recording, count = self._recording(size), piece.stop - piece.start
            recording.given[:count].copy_(observed[piece], non_blocking=True)
            recording.play()
            future[piece].copy_(recording.result[:count], non_blocking=True)

    def _host_buffers(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Host memory for a batch: what there is if it suffices, because locking pages is slow."""
        if self._host is None or len(self._host[0]) < batch:
            with torch.inference_mode(False):
                shapes = (self._observed_shape, self._future_shape)
                given, result = (self._recorder.host_memory(batch, *shape) for shape in shapes)
            self._host = given, result
        return self._host[0][:batch], self._host[1][:batch]

    def _recording(self, size: int) -> _Recording:
        if size not in self._recordings:
            # Memory of inference mode could not be written outside of it. Settings would be recorded.
            with torch.inference_mode(False), torch.no_grad(), exact_products(self._recorder.device):
                forecast, given = self._forecast_for(size), self._recorder.memory(size, *self._observed_shape)
                play, result = self._recorder.record(forecast, given)
            self._recordings[size] = _Recording(forecast, given, play, result)
        return self._recordings[size]
