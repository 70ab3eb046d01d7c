"""A folded network as an ONNX model, which ONNX Runtime and OpenVINO read.

Written node by node: a folded network holds half a dozen kinds of operation, so this takes a fraction of a second where
a general exporter takes many.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn
from torch.fx import Graph, GraphModule, Node

from posegraph._support.checks import import_optional
from posegraph.errors import ConfigError
from posegraph.folding.network import FoldedNetwork
from posegraph.folding.tracing import operation_graph

__all__ = ["INPUT", "OUTPUT", "to_onnx"]

INPUT = "frames"
"""Name of the model's input."""
OUTPUT = "change"
"""Name of the model's output."""
_OPSET, _IR_VERSION = 17, 8  # of 2022: what every runtime of today reads


def to_onnx(network: FoldedNetwork, shape: tuple[int | None, ...], *, extra: str) -> bytes:
    """Write a network as an ONNX model in float32.

    Args:
        network: What to write.
        shape: Shape of the input, ``(batch, observed_frames, nodes)`` or without the batch; None leaves an axis open.
        extra: Extra of the library that installs the package onnx, for the message.

    Returns:
        The serialised model.

    Raises:
        MissingDependencyError: The package onnx is not installed.
        ConfigError: The network holds an operation that no rule covers.
    """
    onnx: Any = import_optional("onnx", extra=extra, purpose="Writing a network for another runtime")
    writer = _Writer(onnx, operation_graph(network), axes=len(shape))
    output = writer.write()
    value = onnx.helper.make_tensor_value_info
    float32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [*writer.nodes, onnx.helper.make_node("Identity", [output], [OUTPUT])],
        "forecast",
        [value(INPUT, float32, [axis if axis is not None else "batch" for axis in shape])],
        [value(OUTPUT, float32, [None] * len(shape))],
        list(writer.constants.values()),
    )
    opset = onnx.helper.make_opsetid("", _OPSET)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION).SerializeToString()


class _Writer:
    """Turns a traced graph into nodes and constants of ONNX."""

    def __init__(self, onnx: Any, traced: GraphModule, axes: int) -> None:
        self.onnx, self.traced, self.axes = onnx, traced, axes
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.names: dict[Node, str] = {}

    def write(self) -> str:
        """Write all nodes and return the name of the result."""
        graph: Graph = self.traced.graph
        result = ""
        for node in graph.nodes:
            match node.op:
                case "placeholder":
                    self.names[node] = INPUT
                case "get_attr":
                    self.names[node] = self._constant(node)
                case "output":
                    result = self.names[node.args[0]]
                case _:
                    self.names[node] = self._operation(node)
        return result

    def _constant(self, node: Node) -> str:
        name = str(node.target)
        if name not in self.constants:
            tensor = operator.attrgetter(name)(self.traced).detach().float().contiguous()
            self.constants[name] = self.onnx.numpy_helper.from_array(tensor.numpy(), name)
        return name

    def _operation(self, node: Node) -> str:
        inputs = [self.names[argument] for argument in node.all_input_nodes]
        kind: Any = self.traced.get_submodule(str(node.target)) if node.op == "call_module" else node.target
        match kind:
            case torch.matmul:
                return self._add("MatMul", self._in_order(node))
            case torch.addcmul:
                shift, scale, x = self._in_order(node)
                return self._add("Add", [self._add("Mul", [scale, x]), shift])
            case "add_":
                return self._add("Add", self._in_order(node))
            case "transpose":
                return self._add("Transpose", inputs, perm=[*range(self.axes - 2), self.axes - 1, self.axes - 2])
            case nn.LeakyReLU():
                return self._add("LeakyRelu", inputs, alpha=kind.negative_slope)
            case nn.ReLU():
                return self._add("Relu", inputs)
            case nn.Tanh():
                return self._add("Tanh", inputs)
            case _:
                raise ConfigError(
                    f"ONNX: expected products, sums and activations, got {kind!r} in the network. "
                    "Use the backend 'eager'."
                )

    def _in_order(self, node: Node) -> list[str]:
        """All operands; one that is used twice counts twice."""
        return [self.names[argument] for argument in node.args if isinstance(argument, Node)]

    def _add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name
