"""Recordings without a CUDA device: what was recorded is run again, on the same memory."""

from __future__ import annotations

from collections.abc import Callable

import torch


class CpuRecorder:
    """Keeps the function, runs it at each play, and counts.

    With the device "cpu" poses are on the device; with another one they are on the host, and take the other path.
    """

    def __init__(self, device: str | torch.device) -> None:
        self.device = torch.device(device)
        self.plays: list[int] = []
        self.host_memory_taken: list[int] = []
        self.begins = self.waits = 0

    def memory(self, *shape: int) -> torch.Tensor:
        return torch.zeros(shape)

    def host_memory(self, *shape: int) -> torch.Tensor:
        self.host_memory_taken.append(shape[0])
        return torch.full(shape, float("nan"))

    def record(
        self, function: Callable[[torch.Tensor], torch.Tensor], given: torch.Tensor
    ) -> tuple[Callable[[], object], torch.Tensor]:
        result = function(given).clone()

        def play() -> None:
            self.plays.append(len(given))
            result.copy_(function(given))

        return play, result

    def begin(self) -> None:
        self.begins += 1

    def wait(self) -> None:
        self.waits += 1
