"""A folded network as a list of steps, for backends that launch one kernel after another.

A step is one folded layer, with the sums that residual connections do to its output. Steps read and write values;
values share memory once nobody reads them any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.fx import Graph, Node

from posegraph.errors import ConfigError
from posegraph.folding.layers import FoldedLayer
from posegraph.folding.network import FoldedNetwork
from posegraph.folding.tracing import layer_graph

__all__ = ["Matrices", "NodeShape", "Step", "Steps", "matrices", "share_memory", "to_steps"]

NodeShape = tuple[int, int]
"""Nodes and channels."""


@dataclass(frozen=True)
class Step:
    """One layer: what it reads, what is added to its output, and what it writes; values by number."""

    layer: FoldedLayer
    inputs: tuple[int, ...]
    skips: tuple[int, ...]
    output: int


@dataclass(frozen=True)
class Steps:
    """All layers in order. Value 0 is the input of the network, the last one its output."""

    steps: tuple[Step, ...]
    shapes: tuple[NodeShape, ...]
    """Of each value."""

    @property
    def flop(self) -> int:
        """Floating-point operations of a window: two for each multiplication of a product, in the written order."""
        return sum(_flop(step, self.shapes) for step in self.steps)


@dataclass(frozen=True)
class Matrices:
    r"""The numbers of a layer: $Y = \sigma(S \odot \sum_i L_i X_i R_i + T)$."""

    lefts: tuple[torch.Tensor | None, ...]
    rights: tuple[torch.Tensor | None, ...]
    scale: torch.Tensor
    """``(nodes, channels)``, in full."""
    shift: torch.Tensor
    """``(nodes, channels)``, in full."""
    slope: float
    """Factor of negative values: 1 for no activation, 0 for ReLU."""
    tanh: bool
    """Whether the activation is tanh; it then takes the place of the slope."""


def matrices(layer: FoldedLayer, shape: NodeShape, inputs: int) -> Matrices:
    """Read a layer.

    Args:
        layer: A folded layer.
        shape: Of its output.
        inputs: Number of its inputs.

    Raises:
        ConfigError: There is no rule for its activation.
    """
    scale = torch.ones(1, 1) if layer.scale is None else layer.scale
    shift = torch.zeros(1, 1) if layer.shift is None else layer.shift
    slope, tanh = _activation(layer.activation)
    return Matrices(
        lefts=tuple(getattr(layer, f"left_{index}") for index in range(inputs)),
        rights=tuple(getattr(layer, f"right_{index}") for index in range(inputs)),
        scale=scale.expand(shape),
        shift=shift.expand(shape),
        slope=slope,
        tanh=tanh,
    )


def _activation(activation: nn.Module | None) -> tuple[float, bool]:
    match activation:
        case None:
            return 1.0, False
        case nn.LeakyReLU():
            return activation.negative_slope, False
        case nn.ReLU():
            return 0.0, False
        case nn.Tanh():
            return 1.0, True
        case _:
            raise ConfigError(
                f"steps: expected ReLU, LeakyReLU or Tanh, got {type(activation).__name__}. Use the backend 'eager'."
            )


def to_steps(network: FoldedNetwork, shape: NodeShape) -> Steps:
    """List the layers of a network in the order in which they run.

    Args:
        network: Any folded network.
        shape: Nodes and channels of its input: coordinates and observed frames.

    Raises:
        ConfigError: The network holds something else than folded layers and sums around them.

    Examples:
        >>> from posegraph import registry
        >>> from posegraph.folding.steps import to_steps
        >>> model = registry.build("traj-gcn", channels=8, num_blocks=2)
        >>> steps = to_steps(model.folded().network, (66, 10))
        >>> len(steps.steps), steps.shapes[0], steps.shapes[-1]
        (6, (66, 10), (66, 25))
    """
    listing = _Listing(network, shape)
    listing.walk(layer_graph(network))
    return Steps(tuple(listing.steps), tuple(listing.shapes))


@dataclass
class _Listing:
    """The steps so far, while a graph of layer calls is walked."""

    network: FoldedNetwork
    shape: NodeShape
    steps: list[Step] = field(default_factory=list[Step])
    shapes: list[NodeShape] = field(default_factory=list[NodeShape])
    values: dict[Node, int] = field(default_factory=dict[Node, int])

    def walk(self, graph: Graph) -> None:
        for node in graph.nodes:
            match node.op, node.target:
                case "placeholder", _:
                    self.shapes.append(self.shape)
                    self.values[node] = 0
                case "call_module", _:
                    self._layer(node)
                case ("call_method", "add_"):
                    self._sum(node)
                case ("call_method", "transpose"):  # into the layout of the layers, and back
                    self.values[node] = self.values[node.args[0]]
                case ("output", _):
                    pass
                case _:
                    raise ConfigError(
                        f"steps: expected folded layers and sums, got {node.target!r} in the network. "
                        "Use the backend 'eager'."
                    )

    def _layer(self, node: Node) -> None:
        layer: Any = self.network.get_submodule(str(node.target))
        inputs = tuple(self.values[argument] for argument in node.all_input_nodes)
        self.values[node] = len(self.shapes)
        self.steps.append(Step(layer, inputs, (), len(self.shapes)))
        self.shapes.append(_output_shape(layer, self.shapes[inputs[0]]))

    def _sum(self, node: Node) -> None:
        """A residual connection: it follows the layer whose output it adds to."""
        last = self.steps[-1]
        output, skip = (self.values[argument] for argument in node.all_input_nodes)
        if output != last.output or skip == output or len(last.skips) == MAX_SKIPS:
            raise ConfigError(
                f"steps: expected at most {MAX_SKIPS} sums right after a layer, got another one. "
                "Use the backend 'eager'."
            )
        self.steps[-1] = Step(last.layer, last.inputs, (*last.skips, skip), last.output)
        self.values[node] = output


MAX_SKIPS = 2
"""Sums after a layer: the end of a block may also be the end of a stage."""


def _output_shape(layer: FoldedLayer, shape: NodeShape) -> NodeShape:
    nodes, channels = shape
    left, right = layer.left_0, layer.right_0
    nodes = left.shape[0] if isinstance(left, torch.Tensor) else nodes
    return nodes, right.shape[1] if isinstance(right, torch.Tensor) else channels


def _flop(step: Step, shapes: Sequence[NodeShape]) -> int:
    total = 0
    for index, value in enumerate(step.inputs):
        nodes, _ = shapes[value]
        left, right = getattr(step.layer, f"left_{index}"), getattr(step.layer, f"right_{index}")
        total += 0 if right is None else 2 * nodes * right.numel()
        total += 0 if left is None else 2 * left.numel() * shapes[step.output][1]
    return total


def share_memory(steps: Steps, size: Callable[[NodeShape], int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give values that are never needed at the same time the same memory.

    Args:
        steps: Whose values; the first and the last get none.
        size: Memory that a value of a shape needs.

    Returns:
        The slot of each value, -1 for the first and the last; and the size of each slot.
    """
    last_use = {value: index for index, step in enumerate(steps.steps) for value in (*step.inputs, *step.skips)}
    slots = [-1] * len(steps.shapes)
    sizes: list[int] = []
    free: list[int] = []
    for index, step in enumerate(steps.steps):
        if step.output != len(steps.shapes) - 1:
            needed = size(steps.shapes[step.output])
            if free:  # the smallest that is large enough, or the largest, which then grows
                slot = min(free, key=lambda slot: (sizes[slot] < needed, abs(sizes[slot] - needed)))
                free.remove(slot)
                sizes[slot] = max(sizes[slot], needed)
            else:
                slot = len(sizes)
                sizes.append(needed)
            slots[step.output] = slot
        done = {value for value in (*step.inputs, *step.skips) if last_use[value] == index and slots[value] >= 0}
        free += [slots[value] for value in done]
    return tuple(slots), tuple(sizes)
