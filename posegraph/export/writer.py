"""A program of `torch.export`, written as an ONNX model operation by operation; the rules are in `aten`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node
from torch.fx.node import map_arg

__all__ = ["INPUT", "LARGEST", "OUTPUT", "UnknownOperationError", "Writer"]

INPUT = "poses"
"""Name of the model's input."""
OUTPUT = "future"
"""Name of the model's output."""
_OPSET, _IR_VERSION = 20, 9  # of 2023: the first with GELU
LARGEST = torch.iinfo(torch.int64).max
"""The end of an axis, whatever its length."""

_NO_RESULT = ("sym_size", "_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size")


class UnknownOperationError(Exception):
    """The program holds something that has no rule here."""


class Writer:
    """Goes through the program; ``values`` are tensors where nothing depends on the input, else names."""

    def __init__(self, program: ExportedProgram, onnx: Any) -> None:
        self.program, self.onnx = program, onnx
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.values: dict[Node, Any] = {}
        self.names: dict[Node, str] = {}
        self.transposed: dict[Node, str] = {}
        self.reshaped: dict[str, str] = {}
        self.batch = ""

    def write(self) -> bytes:
        """The serialised model."""
        graph: Any = self.program.graph_module.graph
        self._read_inputs()
        with torch.no_grad():
            for node in graph.nodes:
                if node.op == "call_function" and node not in self.values:
                    self.values[node] = self._value(node)
        (result,) = next(node for node in graph.nodes if node.op == "output").args[0]
        self.add("Identity", self.name(result), name=OUTPUT)
        helper, float32 = self.onnx.helper, self.onnx.TensorProto.FLOAT
        given = next(node for node in graph.nodes if self.values.get(node) == INPUT)
        model = helper.make_graph(
            self._used(),
            "forecast",
            [helper.make_tensor_value_info(INPUT, float32, self._named(given))],
            [helper.make_tensor_value_info(OUTPUT, float32, self._named(result))],
            list(self.constants.values()),
        )
        opset = helper.make_opsetid("", _OPSET)
        return helper.make_model(model, opset_imports=[opset], ir_version=_IR_VERSION).SerializeToString()

    def _used(self) -> list[Any]:
        """The nodes whose outputs count, in order."""
        wanted, used = {OUTPUT}, list[Any]()
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                used.append(node)
        self.constants = {name: value for name, value in self.constants.items() if name in wanted}
        return used[::-1]

    def _named(self, node: Node) -> list[int | str]:
        return [size if isinstance(size, int) else "batch" for size in node.meta["val"].shape]

    def _read_inputs(self) -> None:
        stored: dict[str, Any] = {**self.program.state_dict, **self.program.constants}
        placeholders: Any = [node for node in self.program.graph_module.graph.nodes if node.op == "placeholder"]
        for node, spec in zip(placeholders, self.program.graph_signature.input_specs, strict=True):
            if spec.kind == InputKind.USER_INPUT:
                self.values[node] = INPUT
                self.batch = str(node.meta["val"].shape[0])
            else:
                self.values[node] = stored[str(spec.target)].detach()

    def _value(self, node: Any) -> Any:
        arguments = [self.values.get(argument) for argument in node.all_input_nodes]
        target: Any = node.target
        if not any(isinstance(value, (str, tuple)) for value in arguments) and not self.is_open(node):
            known = [map_arg(part, self.values.__getitem__) for part in (node.args, node.kwargs)]
            return target(*known[0], **known[1])
        if target is operator.getitem:
            return self.values[node.args[0]][node.args[1]]
        kind = str(target).removeprefix("aten.").partition(".")[0]
        if kind in _NO_RESULT or not isinstance(node.meta["val"], (torch.Tensor, list, tuple)):
            return ()  # sizes are read off the results
        rule: Callable[[Node], Any] | None = self.rule(kind)
        if rule is None:
            raise UnknownOperationError(f"the operation {target}")
        return rule(node)

    def is_open(self, node: Node) -> bool:
        """Whether the result has the open batch as a size."""
        sizes: Any = getattr(node.meta.get("val"), "shape", ())
        return not all(isinstance(size, int) for size in sizes)

    def rule(self, kind: str) -> Callable[[Node], Any] | None:
        """How to write an operation of PyTorch, None if that is not known."""
        raise NotImplementedError

    def add(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node of one output, and return the output's name."""
        name = name or f"v{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: torch.Tensor | list[int]) -> str:
        """The name of a constant; a list stands for 64-bit integers."""
        tensor = torch.tensor(value) if isinstance(value, list) else value.detach().cpu()
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        name = f"c{len(self.constants)}"
        self.constants[name] = self.onnx.numpy_helper.from_array(tensor.contiguous().numpy(), name)
        return name

    def name(self, argument: Any) -> str:
        """The name of an operand: of a node, or a number."""
        value = self.values[argument] if isinstance(argument, Node) else torch.tensor(float(argument))
        if isinstance(value, str):
            return value
        if not isinstance(value, torch.Tensor):
            raise UnknownOperationError(f"{argument} as an operand")
        if not isinstance(argument, Node):
            return self.constant(value)
        if argument not in self.names:  # once, however often it is used
            self.names[argument] = self.constant(value)
        return self.names[argument]

    def known(self, argument: Any) -> torch.Tensor:
        """An operand that has to be a constant."""
        value = self.values[argument]
        if not isinstance(value, torch.Tensor):
            raise UnknownOperationError(f"{argument}, which depends on the input, as a weight")
        return value

    def shape(self, node: Node) -> list[int]:
        """The shape of a result, with -1 for the one size that depends on the batch."""
        sizes = [size if isinstance(size, int) else -1 for size in node.meta["val"].shape]
        if sizes.count(-1) > 1 or (-1 in sizes and 0 in sizes):
            raise UnknownOperationError(f"the shape {tuple(node.meta['val'].shape)}")
        return sizes

    def axis(self, node: Any, axis: int) -> int:
        """An axis counted from the front."""
        return axis % node.meta["val"].ndim

    def cut(self, whole: Any, axis: int, start: int, end: int, step: int = 1) -> str:
        """A part of one axis."""
        bounds = ([start], [end], [axis], [step])
        return self.add("Slice", self.name(whole), *(self.constant(bound) for bound in bounds))

    def spread(self, name: str, node: Node) -> str:
        """Expand to a shape whose open size is the batch itself."""
        sizes = node.meta["val"].shape
        if any(not isinstance(size, int) and str(size) != self.batch for size in sizes):
            raise UnknownOperationError(f"the shape {tuple(sizes)}")
        if all(isinstance(size, int) for size in sizes):
            return self.add("Expand", name, self.constant(list(sizes)))
        shape = self.add("Shape", INPUT)
        batch = self.add("Gather", shape, self.constant([0]), axis=0)
        parts = [self.constant([size]) if isinstance(size, int) else batch for size in sizes]
        return self.add("Expand", name, self.add("Concat", *parts, axis=0))
