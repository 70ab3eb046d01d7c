"""Operations of PyTorch, as `torch.export` lists them, as operations of ONNX."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node

__all__ = ["INPUT", "OUTPUT", "UnknownOperation", "write"]

INPUT, OUTPUT = "poses", "future"
"""Names of the model's input and output."""
_OPSET, _IR_VERSION = 20, 9  # of 2023: the first with GELU
_LARGEST = torch.iinfo(torch.int64).max

_UNARY = {"relu": "Relu", "relu_": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "exp": "Exp", "sqrt": "Sqrt"}
_BINARY = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "matmul": "MatMul", "bmm": "MatMul", "add_": "Add"}
_PRODUCTS = ("bmm.", "baddbmm.", "matmul.")
_RESHAPING = ("flatten", "unflatten", "view", "reshape", "view_as", "unsqueeze", "squeeze", "_unsafe_view")
_SAME = ("dropout", "contiguous", "clone", "alias", "detach", "detach_", "to")
_PIECES = ("unbind", "chunk", "split", "split_with_sizes")
_ZEROS = ("zeros_like", "new_zeros", "zeros", "empty")
_NO_RESULT = ("sym_size", "_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size")


class UnknownOperation(Exception):
    """The program holds something that has no rule here."""


def write(program: ExportedProgram, onnx: Any) -> bytes:
    """Write a program of one input and one output.

    Args:
        program: As `posegraph.export.program.to_program` makes it, in float32 and with an open batch.
        onnx: The package onnx.

    Returns:
        The serialised model.

    Raises:
        UnknownOperation: There is no rule for an operation, or for what it is used with.
    """
    return _Writer(program, onnx).write()


class _Writer:
    """Goes through the program; ``values`` are tensors where nothing depends on the input, else names."""

    def __init__(self, program: ExportedProgram, onnx: Any) -> None:
        self.program, self.onnx = program, onnx
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.values: dict[Node, Any] = {}
        self.names: dict[Node, str] = {}
        self.transposed: dict[Node, str] = {}
        self.batch = ""

    def write(self) -> bytes:
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
            self.nodes,
            "forecast",
            [helper.make_tensor_value_info(INPUT, float32, self._named(given))],
            [helper.make_tensor_value_info(OUTPUT, float32, self._named(result))],
            list(self.constants.values()),
        )
        opset = helper.make_opsetid("", _OPSET)
        return helper.make_model(model, opset_imports=[opset], ir_version=_IR_VERSION).SerializeToString()

    def _named(self, node: Node) -> list[int | str]:
        return [size if isinstance(size, int) else "batch" for size in node.meta["val"].shape]

    def _read_inputs(self) -> None:
        stored = {**self.program.state_dict, **self.program.constants}
        placeholders: Any = [node for node in self.program.graph_module.graph.nodes if node.op == "placeholder"]
        for node, spec in zip(placeholders, self.program.graph_signature.input_specs, strict=True):
            if spec.kind == InputKind.USER_INPUT:
                self.values[node] = INPUT
                self.batch = str(node.meta["val"].shape[0])
            else:
                self.values[node] = stored[str(spec.target)].detach()

    def _value(self, node: Node) -> Any:
        arguments = [self.values.get(argument) for argument in node.all_input_nodes]
        target: Any = node.target
        if not any(isinstance(value, (str, tuple)) for value in arguments) and not self._is_open(node):
            known = [torch.fx.node.map_arg(part, self.values.__getitem__) for part in (node.args, node.kwargs)]
            return target(*known[0], **known[1])
        if target is operator.getitem:
            return self.values[node.args[0]][node.args[1]]  # pyright: ignore[reportArgumentType, reportIndexIssue]
        kind = target._schema.name.removeprefix("aten::") if isinstance(target, torch._ops.OpOverload) else str(target)
        if kind in _NO_RESULT or not isinstance(node.meta["val"], (torch.Tensor, list, tuple)):
            return ()  # sizes are read off the results
        rule: Callable[[Node], Any] | None = self._rule(kind)
        if rule is None:
            raise UnknownOperation(f"the operation {target}")
        return rule(node)

    def _is_open(self, node: Node) -> bool:
        """Whether the result has the open batch as a size."""
        value = node.meta.get("val")
        return isinstance(value, torch.Tensor) and not all(isinstance(size, int) for size in value.shape)

    def _rule(self, kind: str) -> Callable[[Node], Any] | None:
        if kind in _UNARY:
            return lambda node: self.add(_UNARY[kind], self.name(node.args[0]))
        if kind in _BINARY:
            return lambda node: self._binary(_BINARY[kind], node)
        for kinds, rule in (
            (_RESHAPING, self._reshape),
            (_SAME, self._same),
            (_PIECES, self._pieces),
            (_ZEROS, self._zeros),
        ):
            if kind in kinds:
                return rule
        return getattr(self, f"_{kind}_", None)

    # What a rule is made of.

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
            raise UnknownOperation(f"{argument} as an operand")
        if not isinstance(argument, Node):
            return self.constant(value)
        if argument not in self.names:  # once, however often it is used
            self.names[argument] = self.constant(value)
        return self.names[argument]

    def known(self, argument: Any) -> torch.Tensor:
        """An operand that has to be a constant."""
        value = self.values[argument]
        if not isinstance(value, torch.Tensor):
            raise UnknownOperation(f"{argument}, which depends on the input, as a weight")
        return value

    def shape(self, node: Node) -> list[int]:
        """The shape of a result, with -1 for the one size that depends on the batch."""
        sizes = [size if isinstance(size, int) else -1 for size in node.meta["val"].shape]
        if sizes.count(-1) > 1 or (-1 in sizes and 0 in sizes):
            raise UnknownOperation(f"the shape {tuple(node.meta['val'].shape)}")
        return sizes

    def axis(self, node: Any, axis: int) -> int:
        """An axis counted from the front."""
        return axis % node.meta["val"].ndim

    # The rules. Those of a single operation have its name with an underscore on both sides.

    def _binary(self, kind: str, node: Node) -> str:
        if node.kwargs.get("alpha", 1) != 1 or node.kwargs.get("rounding_mode"):
            raise UnknownOperation(f"{node.target} with {dict(node.kwargs)}")
        return self.add(kind, *(self.name(self._unexpanded(argument, kind)) for argument in node.args[:2]))

    def _unexpanded(self, argument: Any, kind: str = "MatMul") -> Any:
        """What was expanded along the batch for a product, which needs no copies of it."""
        if (
            kind == "MatMul"
            and isinstance(argument, Node)
            and "expand" in str(argument.target)
            and self._is_open(argument)
        ):
            return argument.args[0]
        return argument

    def _reshape(self, node: Node) -> str:
        return self.add("Reshape", self.name(node.args[0]), self.constant(self.shape(node)))

    def _same(self, node: Node) -> Any:
        if str(node.target).startswith("aten.dropout") and node.args[2]:
            raise UnknownOperation("dropout in training")
        if node.meta["val"].dtype != node.args[0].meta["val"].dtype:  # pyright: ignore
            raise UnknownOperation(f"a conversion to {node.meta['val'].dtype}")
        return self.name(node.args[0])

    def _pieces(self, node: Node) -> tuple[str, ...]:
        whole: Any = node.args[0]
        unbound = str(node.target).startswith("aten.unbind")
        position = 1 if unbound else 2
        axis = self.axis(whole, node.args[position] if len(node.args) > position else 0)  # pyright: ignore
        names: list[str] = []
        start = 0
        for piece in node.meta["val"]:
            size = 1 if unbound else piece.shape[axis]
            if not isinstance(size, int):
                raise UnknownOperation("pieces of the batch")
            if unbound:
                names.append(self.add("Gather", self.name(whole), self.constant(torch.tensor(start)), axis=axis))
            else:
                names.append(self._cut(whole, axis, start, start + size))
            start += size
        return tuple(names)

    def _cut(self, whole: Any, axis: int, start: int, end: int, step: int = 1) -> str:
        bounds = ([start], [end], [axis], [step])
        return self.add("Slice", self.name(whole), *(self.constant(bound) for bound in bounds))

    def _zeros(self, node: Node) -> str:
        zero = torch.zeros([1] * node.meta["val"].ndim)
        return self._spread(self.constant(zero), node)

    def _spread(self, name: str, node: Node) -> str:
        """Expand to a shape whose open size is the batch itself."""
        sizes = node.meta["val"].shape
        if any(not isinstance(size, int) and str(size) != self.batch for size in sizes):
            raise UnknownOperation(f"the shape {tuple(sizes)}")
        if all(isinstance(size, int) for size in sizes):
            return self.add("Expand", name, self.constant(list(sizes)))
        shape = self.add("Shape", INPUT)
        batch = self.add("Gather", shape, self.constant([0]), axis=0)
        parts = [self.constant([size]) if isinstance(size, int) else batch for size in sizes]
        return self.add("Expand", name, self.add("Concat", *parts, axis=0))

    def _expand_(self, node: Node) -> Any:
        if all(getattr(user.target, "__name__", "").startswith(_PRODUCTS) for user in node.users):
            return ()  # products take what was expanded
        return self._spread(self.name(node.args[0]), node)

    def _rsub_(self, node: Node) -> str:
        return self.add("Sub", self.name(node.args[1]), self.name(node.args[0]))

    def _square_(self, node: Node) -> str:
        return self.add("Mul", self.name(node.args[0]), self.name(node.args[0]))

    def _clamp_(self, node: Node) -> str:
        least, most = (*node.args[1:], None, None)[:2]
        least, most = node.kwargs.get("min", least), node.kwargs.get("max", most)
        y = self.name(node.args[0])
        y = y if least is None else self.add("Max", y, self.name(least))
        return y if most is None else self.add("Min", y, self.name(most))

    def _leaky_relu_(self, node: Node) -> str:
        slope: Any = node.args[1] if len(node.args) > 1 else 0.01
        return self.add("LeakyRelu", self.name(node.args[0]), alpha=float(slope))

    def _gelu_(self, node: Node) -> str:
        return self.add("Gelu", self.name(node.args[0]), approximate=str(node.kwargs.get("approximate", "none")))

    def _softmax_(self, node: Node) -> str:
        return self.add("Softmax", self.name(node.args[0]), axis=node.args[1])

    def _linear_(self, node: Node) -> str:
        weight: Any = node.args[1]
        if weight not in self.transposed:  # recurrent networks use it many times
            self.transposed[weight] = self.constant(self.known(weight).T)
        y = self.add("MatMul", self.name(node.args[0]), self.transposed[weight])
        if len(node.args) < 3 or node.args[2] is None:
            return y
        shift = self.known(node.args[2])  # of two axes, which OpenVINO's fusion of recurrent cells relies on
        return self.add("Add", y, self.constant(shift[None] if node.meta["val"].ndim == 2 else shift))

    def _addmm_(self, node: Node) -> str:
        shift, x, weight = node.args[:3]
        if node.kwargs:
            raise UnknownOperation(f"addmm with {dict(node.kwargs)}")
        return self.add("Gemm", self.name(x), self.name(weight), self.name(shift))

    def _baddbmm_(self, node: Node) -> str:
        shift, x, y = node.args[:3]
        if node.kwargs:
            raise UnknownOperation(f"baddbmm with {dict(node.kwargs)}")
        product = self.add("MatMul", self.name(self._unexpanded(x)), self.name(self._unexpanded(y)))
        return self.add("Add", product, self.name(shift))

    def _einsum_(self, node: Node) -> str:
        equation, operands = node.args[:2]
        return self.add("Einsum", *(self.name(operand) for operand in operands), equation=equation)  # pyright: ignore

    def _permute_(self, node: Node) -> str:
        axes: Any = node.args[1]
        return self.add("Transpose", self.name(node.args[0]), perm=[self.axis(node, axis) for axis in axes])

    def _transpose_(self, node: Node) -> str:
        first, second = (self.axis(node, axis) for axis in node.args[1:3])  # pyright: ignore
        order = list(range(node.meta["val"].ndim))
        order[first], order[second] = second, first
        return self.add("Transpose", self.name(node.args[0]), perm=order)

    def _cat_(self, node: Node) -> str:
        parts: Any = [part for part in node.args[0] if 0 not in part.meta["val"].shape]  # pyright: ignore
        axis = self.axis(node, node.args[1] if len(node.args) > 1 else 0)  # pyright: ignore
        return (
            self.add("Concat", *(self.name(part) for part in parts), axis=axis)
            if len(parts) > 1
            else self.name(parts[0])
        )

    def _stack_(self, node: Node) -> str:
        axis = self.axis(node, node.args[1] if len(node.args) > 1 else 0)  # pyright: ignore
        at = self.constant([axis])
        parts: Any = node.args[0]
        return self.add("Concat", *(self.add("Unsqueeze", self.name(part), at) for part in parts), axis=axis)

    def _slice_(self, node: Node) -> Any:
        whole, axis, start, end, step = (*node.args, *(None,) * 4)[:5]
        return self._cut(whole, self.axis(whole, axis or 0), start or 0, _LARGEST if end is None else end, step or 1)  # pyright: ignore

    def _select_(self, node: Node) -> str:
        whole, axis, index = node.args
        return self.add("Gather", self.name(whole), self.constant(torch.tensor(index)), axis=self.axis(whole, axis))  # pyright: ignore

    def _index_select_(self, node: Node) -> str:
        whole, axis, index = node.args
        return self.add("Gather", self.name(whole), self.name(index), axis=self.axis(whole, axis))  # pyright: ignore

    def _index_(self, node: Node) -> str:
        whole, indices = node.args
        chosen: Any = [(axis, index) for axis, index in enumerate(indices) if index is not None]  # pyright: ignore
        if len(chosen) != 1 or self.known(chosen[0][1]).dtype == torch.bool:
            raise UnknownOperation("indices of several axes")
        return self.add("Gather", self.name(whole), self.constant(self.known(chosen[0][1])), axis=chosen[0][0])

    def _index_copy_(self, node: Node) -> str:
        whole, axis, index, source = node.args
        axis, places = self.axis(whole, axis), self.known(index)  # pyright: ignore
        size = node.meta["val"].shape[axis]
        order = torch.arange(size)
        order[places] = size + torch.arange(len(places))
        both = self.add("Concat", self.name(whole), self.name(source), axis=axis)
        return self.add("Gather", both, self.constant(order), axis=axis)

    def _diff_(self, node: Node) -> str:
        whole, steps, axis = (*node.args, 1, -1)[:3] if len(node.args) < 3 else node.args[:3]
        if steps != 1 or len(node.args) > 3:
            raise UnknownOperation("differences of a higher order")
        axis = self.axis(whole, axis)  # pyright: ignore
        return self.add("Sub", self._cut(whole, axis, 1, _LARGEST), self._cut(whole, axis, 0, -1))

    def _sum_(self, node: Node) -> str:
        return self._reduce("ReduceSum", node)

    def _mean_(self, node: Node) -> str:
        return self._reduce("ReduceMean", node)

    def _reduce(self, kind: str, node: Node) -> str:
        axes: Any = node.args[1] if len(node.args) > 1 else None
        if axes is None or node.kwargs:
            raise UnknownOperation(f"{node.target} over everything")
        keep = bool(node.args[2]) if len(node.args) > 2 else False
        return self.add(kind, self.name(node.args[0]), self.constant(list(axes)), keepdims=int(keep))

    def _layer_norm_(self, node: Node) -> str:
        x, sizes, weight, bias, eps = (*node.args, None, None, 1e-5)[:5]
        eps = node.kwargs.get("eps", node.args[4] if len(node.args) > 4 else 1e-5)
        sizes_known: Any = sizes
        factor = torch.ones(sizes_known) if weight is None else self.known(weight)
        shift = torch.zeros(sizes_known) if bias is None else self.known(bias)
        names = (self.name(x), self.constant(factor), self.constant(shift))
        return self.add("LayerNormalization", *names, axis=-len(sizes_known), epsilon=float(eps))  # pyright: ignore

    def _batch_norm_(self, node: Node) -> str:
        x, weight, bias, mean, variance, training, _, eps = node.args[:8]
        if training:
            raise UnknownOperation("batch norm in training")
        factor = self.known(weight) / (self.known(variance) + eps).sqrt()  # pyright: ignore
        shift = self.known(bias) - self.known(mean) * factor
        shape = [-1] + [1] * (node.meta["val"].ndim - 2)
        scaled = self.add("Mul", self.name(x), self.constant(factor.view(shape)))
        return self.add("Add", scaled, self.constant(shift.view(shape)))

    def _conv2d_(self, node: Node) -> str:
        x, weight, bias, stride, padding, dilation, groups = (
            (*node.args, None, [1, 1], [0, 0], [1, 1], 1)[:7]
            if len(node.args) == 2
            else (*node.args, *([1, 1], [0, 0], [1, 1], 1)[len(node.args) - 3 :])
        )
        inputs = [self.name(x), self.name(weight), *([] if bias is None else [self.name(bias)])]
        pads: Any = padding
        if isinstance(pads, str):
            raise UnknownOperation(f"a convolution with padding {pads!r}")
        return self.add("Conv", *inputs, strides=stride, pads=[*pads, *pads], dilations=dilation, group=groups)
