"""Several training processes, as ``torchrun`` starts them."""

from __future__ import annotations

import atexit
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed, nn

__all__ = ["Processes", "join_processes"]

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; a single one by default."""

    rank: int = 0
    """Number of this process."""
    world_size: int = 1
    """How many there are."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The module whose forward pass training calls: gradients are averaged if there are several processes."""
        if self.world_size == 1:
            return model
        devices = [device] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=devices)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.world_size > 1:
            distributed.barrier()

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set in any process."""
        if self.world_size == 1:
            return flag
        value = torch.tensor(float(flag), device=device)
        distributed.all_reduce(value, op=distributed.ReduceOp.MAX)
        return bool(value)

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        """The sum of a tensor over the processes."""
        if self.world_size > 1:
            value = value.clone()
            distributed.all_reduce(value)
        return value

    def from_first(self, value: T) -> T:
        """The first process's value, in all of them; also waits until all are here."""
        if self.world_size > 1:
            values = [value]
            distributed.broadcast_object_list(values)
            value = values[0]
        return value


@contextmanager
def join_processes(device: torch.device) -> Generator[Processes]:
    """Join the group of processes that ``torchrun`` started, until this process ends; alone if it did not."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)  # where the group's own messages go
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        # Not after each run: processes that meet a second time may still read one another's old addresses.
        atexit.register(_leave)
    yield Processes(distributed.get_rank(), distributed.get_world_size())


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()
