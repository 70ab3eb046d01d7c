"""PyTorch, operation by operation; on CUDA devices also recorded as a graph."""

from __future__ import annotations

import copy
from weakref import WeakKeyDictionary

import torch
from torch import nn

from posegraph._support.device import Precision
from posegraph.folding.forecast import Shape
from posegraph.inference.backends.base import Backend, Run, is_layered, register
from posegraph.inference.products import tf32_products

__all__ = ["in_type", "with_tf32"]


class _Narrowed(nn.Module):
    """A layered network in bfloat16 between inputs and outputs in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).bfloat16()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.network(frames.bfloat16()).float()


class _Autocast(nn.Module):
    """A network whose products are in bfloat16, and the rest in float32: its input may be millimetres."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, poses: torch.Tensor) -> torch.Tensor:
        with torch.autocast(poses.device.type, torch.bfloat16):
            return self.network(poses).float()


_NARROWED: WeakKeyDictionary[nn.Module, _Narrowed] = WeakKeyDictionary()


def in_type(network: nn.Module, precision: Precision) -> nn.Module:
    """A network that computes in a precision, from and to float32."""
    if precision != "bf16":
        return network
    if not is_layered(network):
        return _Autocast(network)
    if network not in _NARROWED:  # one copy for all sizes of batch
        _NARROWED[network] = _Narrowed(network)
    return _NARROWED[network]


def with_tf32(run: Run, precision: Precision) -> Run:
    """Allow TensorFloat-32 inside, if that is the precision."""
    if precision != "tf32":
        return run

    def allowed(frames: torch.Tensor) -> torch.Tensor:
        with tf32_products(True):
            return run(frames)

    return allowed


def _eager(network: nn.Module, shape: Shape, precision: Precision, device: torch.device) -> Run:
    return with_tf32(in_type(network, precision), precision)


_ALL: tuple[Precision, ...] = ("fp32", "tf32", "bf16")
register(Backend("eager", "PyTorch, operation by operation", _eager, _ALL, _ALL, devices=("cpu", "cuda")))
register(Backend("graph", "PyTorch, recorded as a CUDA graph", _eager, _ALL, _ALL, devices=("cuda",), recorded=True))
