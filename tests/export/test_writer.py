from __future__ import annotations

import pytest
import torch
from torch import nn

from posegraph.export.program import to_program
from posegraph.export.writer import INPUT, OUTPUT, UnknownOperationError, Writer

onnx = pytest.importorskip("onnx", reason="writes ONNX models")


class Constants(nn.Module):
    """Computes with what depends on no input, too."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, poses: torch.Tensor) -> torch.Tensor:
        return poses + (self.weight.T @ self.weight).sum(0)


class Sums(Writer):
    """Knows one operation."""

    def rule(self, kind):
        return (lambda node: self.add("Add", *map(self.name, node.args))) if kind == "add" else None


def test_what_depends_on_no_input_is_computed_beforehand() -> None:
    model = onnx.load_model_from_string(Sums(to_program(Constants(), (None, 3)), onnx).write())
    assert [node.op_type for node in model.graph.node] == ["Add", "Identity"]
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == [INPUT, OUTPUT]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert len(model.graph.initializer) == 1


def test_operations_without_a_rule_are_named() -> None:
    with pytest.raises(UnknownOperationError, match=r"the operation aten.rsub.Scalar"):
        Sums(to_program(_Minus(), (None, 3)), onnx).write()
    with pytest.raises(NotImplementedError):
        Writer(to_program(_Minus(), (None, 3)), onnx).write()


class _Minus(nn.Module):
    def forward(self, poses: torch.Tensor) -> torch.Tensor:
        return 1 - poses - poses
