"""A folded network in PyTorch with all its memory planned beforehand, for batches of one size on the CPU.

For few windows, much of the time of eager PyTorch goes into finding memory for results and into what it does around an
operation. Here the operations are a list, each with its operands and the memory of its result; values share memory once
nobody reads them any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from math import prod

import torch
from torch import nn
from torch.nn import functional

from posegraph._support.device import Precision
from posegraph.errors import ConfigError
from posegraph.folding.forecast import Shape
from posegraph.folding.layers import FoldedLayer, nodes_first
from posegraph.folding.network import FoldedNetwork
from posegraph.folding.steps import NodeShape, Step, share_memory, to_steps
from posegraph.inference.backends.base import Backend, Run, fixed, register
from posegraph.inference.backends.eager import in_type

__all__ = ["StaticNetwork"]


class StaticNetwork:
    """A network with planned memory; it returns the same memory at every call.

    Args:
        network: Any folded network.
        shape: Of the input: ``(batch, observed_frames, nodes)``, or without the batch.

    Raises:
        ConfigError: The network holds an operation that no rule covers.

    Examples:
        >>> import torch
        >>> from posegraph import registry
        >>> from posegraph.inference.backends.static import StaticNetwork
        >>> network = registry.build("traj-gcn", channels=8, num_blocks=1).folded().network.float()
        >>> run, frames = StaticNetwork(network, (3, 10, 66)), torch.randn(3, 10, 66)
        >>> torch.allclose(run(frames), network(frames), atol=1e-6)
        True
    """

    @torch.inference_mode()
    def __init__(self, network: FoldedNetwork, shape: tuple[int, ...]) -> None:
        *batch, frames, nodes = shape
        self._batch = tuple(batch)
        self._dtype = next(network.buffers()).dtype
        self._operations: list[Callable[[], object]] = []
        steps = to_steps(network, (nodes, frames))
        most = tuple(max(sizes) for sizes in zip(*steps.shapes, strict=True))
        self._scratch = [self._empty(most) for _ in range(2)]
        slots, sizes = share_memory(steps, prod)
        memory = [self._empty((size,)) for size in sizes]
        self._values = [
            self._empty(value) if slot < 0 else self._view(memory[slot], value)
            for value, slot in zip(steps.shapes, slots, strict=True)
        ]
        for step in steps.steps:
            self._add_layer(step)

    @torch.inference_mode()
    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """Run the network; shapes as in `FoldedNetwork`."""
        self._values[0].copy_(frames.transpose(-1, -2))
        for operation in self._operations:
            operation()
        return self._values[-1].transpose(-1, -2)

    def _empty(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Memory for a value of every window."""
        return torch.empty(*self._batch, *shape, dtype=self._dtype)

    def _view(self, memory: torch.Tensor, shape: NodeShape) -> torch.Tensor:
        """The start of some memory, as a value of every window."""
        full = (*self._batch, *shape)
        return memory.view(-1)[: prod(full)].view(full)

    def _add_layer(self, step: Step) -> None:
        layer, y = step.layer, self._values[step.output]
        shape: NodeShape = (y.shape[-2], y.shape[-1])
        for index, value in enumerate(step.inputs):
            product = self._view(self._scratch[1], shape) if index else y
            self._add_products(layer, index, self._values[value], product)
            if index:
                self._operations.append(partial(y.add_, product))
        if layer.scale is not None and layer.shift is not None:
            self._operations.append(partial(torch.addcmul, layer.shift, layer.scale, y, out=y))
        elif layer.shift is not None:
            self._operations.append(partial(y.add_, layer.shift))
        if layer.activation is not None:
            self._operations.append(_in_place(layer.activation, y))
        self._operations += [partial(y.add_, self._values[skip]) for skip in step.skips]

    def _add_products(self, layer: FoldedLayer, index: int, x: torch.Tensor, y: torch.Tensor) -> None:
        left, right = getattr(layer, f"left_{index}"), getattr(layer, f"right_{index}")
        if left is not None and right is not None:
            if nodes_first(left, right):
                between = self._view(self._scratch[0], (left.shape[0], x.shape[-1]))
                self._add_product(left, x, between)
                self._add_product(between, right, y)
            else:
                between = self._view(self._scratch[0], (x.shape[-2], right.shape[1]))
                self._add_product(x, right, between)
                self._add_product(left, between, y)
        elif left is not None:
            self._add_product(left, x, y)
        elif right is not None:
            self._add_product(x, right, y)
        else:
            self._operations.append(partial(y.copy_, x))

    def _add_product(self, first: torch.Tensor, second: torch.Tensor, out: torch.Tensor) -> None:
        """One of both is a matrix, the other has the batch, if there is one."""
        if first.ndim < second.ndim:
            product = partial(torch.bmm, first.expand(*self._batch, *first.shape), second, out=out)
        else:  # on the right, all windows are one matrix
            product = partial(torch.mm, first.flatten(0, -2), second, out=out.flatten(0, -2))
        self._operations.append(product)


def _in_place(activation: nn.Module, y: torch.Tensor) -> Callable[[], object]:
    match activation:
        case nn.LeakyReLU():
            return partial(functional.leaky_relu, y, activation.negative_slope, inplace=True)
        case nn.ReLU():
            return y.relu_
        case nn.Tanh():
            return y.tanh_
        case _:
            raise ConfigError(
                f"planned memory: expected a known activation, got {type(activation).__name__}. "
                "Use the backend 'eager'."
            )


def _static(network: nn.Module, shape: Shape, precision: Precision, device: torch.device) -> Run:
    assert isinstance(network, FoldedNetwork)
    typed = in_type(network, precision).get_submodule("network") if precision == "bf16" else network
    assert isinstance(typed, FoldedNetwork)
    own = threading.local()  # each thread has memory of its own

    def run(frames: torch.Tensor) -> torch.Tensor:
        if not hasattr(own, "network"):
            own.network = StaticNetwork(typed, fixed(shape))
        return own.network(frames).float()

    run(torch.zeros(fixed(shape)))  # what cannot be planned is refused now
    return run


register(
    Backend(
        "static",
        "PyTorch, with memory planned beforehand",
        _static,
        precisions=("fp32", "bf16"),
        model_precisions=(),
        any_batch=False,
    )
)
