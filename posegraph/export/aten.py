"""Operations of PyTorch, as `torch.export` lists them, as operations of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node

from posegraph.export.writer import LARGEST, UnknownOperationError, Writer

__all__ = ["write"]

_UNARY = {"relu": "Relu", "relu_": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "exp": "Exp", "sqrt": "Sqrt"}
_BINARY = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "matmul": "MatMul", "bmm": "MatMul", "add_": "Add"}
_PRODUCTS = ("bmm.", "baddbmm.", "matmul.")
_RESHAPING = ("flatten", "unflatten", "view", "reshape", "view_as", "unsqueeze", "squeeze", "_unsafe_view")
_SAME = ("dropout", "contiguous", "clone", "alias", "detach", "detach_", "to")
_PIECES = ("unbind", "chunk", "split", "split_with_sizes")
_FILLED = ("zeros_like", "new_zeros", "zeros", "empty", "ones_like", "new_ones", "ones")


def write(program: ExportedProgram, onnx: Any) -> bytes:
    """Write a program of one input and one output.

    Args:
        program: As `posegraph.export.program.to_program` makes it, in float32 and with an open batch.
        onnx: The package onnx.

    Returns:
        The serialised model.

    Raises:
        UnknownOperationError: There is no rule for an operation, or for what it is used with.
    """
    return _AtenWriter(program, onnx).write()


class _AtenWriter(Writer):
    """The rules; arguments of a node are of any type."""

    def rule(self, kind: str) -> Callable[[Node], Any] | None:
        """As in `Writer`; rules of a single operation have its name between underscores."""
        if kind in _UNARY:
            return lambda node: self.add(_UNARY[kind], self.name(node.args[0]))
        if kind in _BINARY:
            return lambda node: self._binary(_BINARY[kind], node)
        for kinds, rule in (
            (_RESHAPING, self._reshape),
            (_SAME, self._same),
            (_PIECES, self._pieces),
            (_FILLED, self._filled),
        ):
            if kind in kinds:
                return rule
        return getattr(self, f"_{kind}_", None)

    def _binary(self, kind: str, node: Any) -> str:
        if node.kwargs.get("alpha", 1) != 1 or node.kwargs.get("rounding_mode"):
            raise UnknownOperationError(f"{node.target} with {dict(node.kwargs)}")
        return self.add(kind, *(self.name(self._unexpanded(argument, kind)) for argument in node.args[:2]))

    def _unexpanded(self, argument: Any, kind: str = "MatMul") -> Any:
        """What was expanded along the batch for a product, which needs no copies of it."""
        if (
            kind == "MatMul"
            and isinstance(argument, Node)
            and "expand" in str(argument.target)
            and self.is_open(argument)
        ):
            return argument.args[0]
        return argument

    def _reshape(self, node: Any) -> str:
        given = self.name(node.args[0])
        given = self.reshaped.get(given, given)  # of several in a row, the last one counts
        result = self.add("Reshape", given, self.constant(self.shape(node)))
        self.reshaped[result] = given
        return result

    def _same(self, node: Any) -> Any:
        if str(node.target).startswith("aten.dropout") and node.args[2]:
            raise UnknownOperationError("dropout in training")
        if node.meta["val"].dtype != node.args[0].meta["val"].dtype:
            raise UnknownOperationError(f"a conversion to {node.meta['val'].dtype}")
        return self.name(node.args[0])

    def _pieces(self, node: Any) -> tuple[str, ...]:
        whole: Any = node.args[0]
        unbound = str(node.target).startswith("aten.unbind")
        position = 1 if unbound else 2
        axis = self.axis(whole, node.args[position] if len(node.args) > position else 0)
        names: list[str] = []
        start = 0
        for piece in node.meta["val"]:
            size = 1 if unbound else piece.shape[axis]
            if not isinstance(size, int):
                raise UnknownOperationError("pieces of the batch")
            if unbound:
                names.append(self.add("Gather", self.name(whole), self.constant(torch.tensor(start)), axis=axis))
            else:
                names.append(self.cut(whole, axis, start, start + size))
            start += size
        return tuple(names)

    def _filled(self, node: Any) -> str:
        value = torch.full([1] * node.meta["val"].ndim, float("ones" in str(node.target)))
        return self.spread(self.constant(value), node)

    def _expand_(self, node: Any) -> Any:
        if all(getattr(user.target, "__name__", "").startswith(_PRODUCTS) for user in node.users):
            return ()  # products take what was expanded
        return self.spread(self.name(node.args[0]), node)

    def _rsub_(self, node: Any) -> str:
        return self.add("Sub", self.name(node.args[1]), self.name(node.args[0]))

    def _addcmul_(self, node: Any) -> str:
        shift, x, y = node.args[:3]
        if node.kwargs:
            raise UnknownOperationError(f"addcmul with {dict(node.kwargs)}")
        return self.add("Add", self.add("Mul", self.name(x), self.name(y)), self.name(shift))

    def _square_(self, node: Any) -> str:
        return self.add("Mul", self.name(node.args[0]), self.name(node.args[0]))

    def _clamp_(self, node: Any) -> str:
        least, most = (*node.args[1:], None, None)[:2]
        least, most = node.kwargs.get("min", least), node.kwargs.get("max", most)
        y = self.name(node.args[0])
        y = y if least is None else self.add("Max", y, self.name(least))
        return y if most is None else self.add("Min", y, self.name(most))

    def _leaky_relu_(self, node: Any) -> str:
        slope: Any = node.args[1] if len(node.args) > 1 else 0.01
        return self.add("LeakyRelu", self.name(node.args[0]), alpha=float(slope))

    _leaky_relu__ = _leaky_relu_  # in place

    def _gelu_(self, node: Any) -> str:
        return self.add("Gelu", self.name(node.args[0]), approximate=str(node.kwargs.get("approximate", "none")))

    def _softmax_(self, node: Any) -> str:
        return self.add("Softmax", self.name(node.args[0]), axis=node.args[1])

    def _linear_(self, node: Any) -> str:
        weight: Any = node.args[1]
        if weight not in self.transposed:  # recurrent networks use it many times
            self.transposed[weight] = self.constant(self.known(weight).T)
        y = self.add("MatMul", self.name(node.args[0]), self.transposed[weight])
        if len(node.args) < 3 or node.args[2] is None:
            return y
        shift = self.known(node.args[2])  # of two axes, which OpenVINO's fusion of recurrent cells relies on
        return self.add("Add", y, self.constant(shift[None] if node.meta["val"].ndim == 2 else shift))

    def _addmm_(self, node: Any) -> str:
        shift, x, weight = node.args[:3]
        if node.kwargs:
            raise UnknownOperationError(f"addmm with {dict(node.kwargs)}")
        return self.add("Gemm", self.name(x), self.name(weight), self.name(shift))

    def _baddbmm_(self, node: Any) -> str:
        shift, x, y = node.args[:3]
        if node.kwargs:
            raise UnknownOperationError(f"baddbmm with {dict(node.kwargs)}")
        product = self.add("MatMul", self.name(self._unexpanded(x)), self.name(self._unexpanded(y)))
        return self.add("Add", product, self.name(shift))

    def _einsum_(self, node: Any) -> str:
        equation, operands = node.args[:2]
        return self.add("Einsum", *(self.name(operand) for operand in operands), equation=equation)

    def _permute_(self, node: Any) -> str:
        axes: Any = node.args[1]
        return self.add("Transpose", self.name(node.args[0]), perm=[self.axis(node, axis) for axis in axes])

    def _transpose_(self, node: Any) -> str:
        first, second = (self.axis(node, axis) for axis in node.args[1:3])
        order = list(range(node.meta["val"].ndim))
        order[first], order[second] = second, first
        return self.add("Transpose", self.name(node.args[0]), perm=order)

    def _cat_(self, node: Any) -> str:
        parts: Any = [part for part in node.args[0] if 0 not in part.meta["val"].shape]
        axis = self.axis(node, node.args[1] if len(node.args) > 1 else 0)
        return (
            self.add("Concat", *(self.name(part) for part in parts), axis=axis)
            if len(parts) > 1
            else self.name(parts[0])
        )

    def _stack_(self, node: Any) -> str:
        axis = self.axis(node, node.args[1] if len(node.args) > 1 else 0)
        at = self.constant([axis])
        parts: Any = node.args[0]
        return self.add("Concat", *(self.add("Unsqueeze", self.name(part), at) for part in parts), axis=axis)

    def _slice_(self, node: Any) -> Any:
        whole, axis, start, end, step = (*node.args, *(None,) * 4)[:5]
        return self.cut(whole, self.axis(whole, axis or 0), start or 0, LARGEST if end is None else end, step or 1)

    def _select_(self, node: Any) -> str:
        whole, axis, index = node.args
        return self.add("Gather", self.name(whole), self.constant(torch.tensor(index)), axis=self.axis(whole, axis))

    def _index_select_(self, node: Any) -> str:
        whole, axis, index = node.args
        return self.add("Gather", self.name(whole), self.name(index), axis=self.axis(whole, axis))

    def _index_(self, node: Any) -> str:
        whole, indices = node.args
        chosen: Any = [(axis, index) for axis, index in enumerate(indices) if index is not None]
        if len(chosen) != 1 or self.known(chosen[0][1]).dtype == torch.bool:
            raise UnknownOperationError("indices of several axes")
        return self.add("Gather", self.name(whole), self.constant(self.known(chosen[0][1])), axis=chosen[0][0])

    def _index_copy_(self, node: Any) -> str:
        whole, axis, index, source = node.args
        axis, places = self.axis(whole, axis), self.known(index)
        size = node.meta["val"].shape[axis]
        order = torch.arange(size)
        order[places] = size + torch.arange(len(places))
        both = self.add("Concat", self.name(whole), self.name(source), axis=axis)
        return self.add("Gather", both, self.constant(order), axis=axis)

    def _diff_(self, node: Any) -> str:
        whole, steps, axis = (*node.args, 1, -1)[:3] if len(node.args) < 3 else node.args[:3]
        if steps != 1 or len(node.args) > 3:
            raise UnknownOperationError("differences of a higher order")
        axis = self.axis(whole, axis)
        return self.add("Sub", self.cut(whole, axis, 1, LARGEST), self.cut(whole, axis, 0, -1))

    def _sum_(self, node: Any) -> str:
        return self._reduce("ReduceSum", node)

    def _mean_(self, node: Any) -> str:
        return self._reduce("ReduceMean", node)

    def _reduce(self, kind: str, node: Any) -> str:
        axes: Any = node.args[1] if len(node.args) > 1 else None
        if axes is None or node.kwargs:
            raise UnknownOperationError(f"{node.target} over everything")
        keep = bool(node.args[2]) if len(node.args) > 2 else False
        return self.add(kind, self.name(node.args[0]), self.constant(list(axes)), keepdims=int(keep))

    def _layer_norm_(self, node: Any) -> str:
        x, sizes, weight, bias, eps = _with_defaults(node, None, None, None, None, 1e-5, True)[:5]
        factor = torch.ones(sizes) if weight is None else self.known(weight)
        shift = torch.zeros(sizes) if bias is None else self.known(bias)
        names = (self.name(x), self.constant(factor), self.constant(shift))
        return self.add("LayerNormalization", *names, axis=-len(sizes), epsilon=float(eps))

    def _batch_norm_(self, node: Any) -> str:
        x, weight, bias, mean, variance, training, _, eps = node.args[:8]
        if training:
            raise UnknownOperationError("batch norm in training")
        factor = self.known(weight) / (self.known(variance) + eps).sqrt()
        shift = self.known(bias) - self.known(mean) * factor
        shape = [-1] + [1] * (node.meta["val"].ndim - 2)
        scaled = self.add("Mul", self.name(x), self.constant(factor.view(shape)))
        return self.add("Add", scaled, self.constant(shift.view(shape)))

    def _conv2d_(self, node: Any) -> str:
        defaults = (None, None, None, [1, 1], [0, 0], [1, 1], 1)
        x, weight, bias, stride, padding, dilation, groups = _with_defaults(node, *defaults)
        inputs = [self.name(x), self.name(weight), *([] if bias is None else [self.name(bias)])]
        pads: Any = padding
        if isinstance(pads, str):
            raise UnknownOperationError(f"a convolution with padding {pads!r}")
        return self.add("Conv", *inputs, strides=stride, pads=[*pads, *pads], dilations=dilation, group=groups)


def _with_defaults(node: Any, *defaults: Any) -> tuple[Any, ...]:
    """The arguments of a node, with defaults in place of those that are not given."""
    return (*node.args, *defaults[len(node.args) :])
