"""A step of training as one CUDA graph: hundreds of kernels for one launch.

At the batch sizes of the published recipes a GPU waits for Python most of the time. A recorded step is replayed
instead: the same kernels on the same memory, with new window numbers, random numbers and learning rate.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Protocol

import torch

from posegraph._support.cuda_graphs import capture, run_aside
from posegraph.training.steps import Step

__all__ = ["CudaRecorder", "RecordedStep", "Recorder"]

_WARM_UP = 3  # steps before recording: the optimiser makes its moments, libraries make their work spaces


class Recorder(Protocol):
    """How a function on fixed memory is recorded."""

    def warm_up(self, function: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Run the function as it has to run before it can be recorded."""
        ...

    def record(self, function: Callable[[], torch.Tensor]) -> tuple[Callable[[], object], torch.Tensor]:
        """Record the function without running it: what replays it, and where its result then lies."""
        ...


class CudaRecorder:
    """Records CUDA graphs."""

    def warm_up(self, function: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Run on a stream of its own, so that nothing of it ends up in the recording."""
        return run_aside(function)

    def record(self, function: Callable[[], torch.Tensor]) -> tuple[Callable[[], object], torch.Tensor]:
        """Record a graph, which keeps the memory that it works on."""
        return capture(function)


class RecordedStep:
    """A step that is recorded once and then replayed; see `Step`.

    The first few steps run as they are, then one is recorded. Batches of another size, such as the last of an epoch,
    always run as they are. So does everything if recording fails, with a warning.

    Args:
        step: Step to record; it must not wait for the device.
        recorder: What records it.
        batch_size: Windows of the batches that are replayed.
    """

    def __init__(self, step: Step, recorder: Recorder, batch_size: int) -> None:
        self.step, self.batch_size = step, batch_size
        self.optimizer, self.scaler = step.optimizer, step.scaler
        self._recorder = recorder
        self._numbers = torch.empty(0)
        self._replay: Callable[[], object] | None = None
        self._loss = torch.empty(0)
        self._left = _WARM_UP
        self._failed = False

    def __call__(self, numbers: torch.Tensor) -> torch.Tensor:
        """Take the step; see `Step`."""
        if self._failed or numbers.shape[-1] != self.batch_size:
            return self.step(numbers)
        if self._left:
            self._left -= 1
            return self._recorder.warm_up(lambda: self.step(numbers))
        if self._replay is None:
            self._numbers = numbers.clone()
            self._record()
        if self._replay is None:
            return self.step(numbers)
        self._numbers.copy_(numbers)
        self._replay()
        return self._loss

    def _record(self) -> None:
        try:
            self._replay, self._loss = self._recorder.record(lambda: self.step(self._numbers))
        except RuntimeError as error:
            self._failed = True
            self.optimizer.zero_grad(set_to_none=True)  # gradients may lie in memory of the recording
            warnings.warn(
                f"training goes on without a CUDA graph, because a step cannot be recorded: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
