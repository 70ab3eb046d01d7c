from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError, MissingDependencyError
from posegraph.export import onnx as module
from posegraph.export.onnx import to_onnx
from tests.inference.models import relative_error, trained

onnx = pytest.importorskip("onnx", reason="writes ONNX models")


class Cumulative(nn.Module):
    """Holds an operation that only PyTorch's exporter knows."""

    def forward(self, poses: torch.Tensor) -> torch.Tensor:
        return poses.cumsum(1)


def test_layered_networks_are_written_by_their_own_writer() -> None:
    network = trained("traj-gcn").folded().float().network
    model = onnx.load_model_from_string(to_onnx(network, (10, 66), extra="onnx"))
    assert model.graph.input[0].name == "frames"


def test_other_networks_have_an_open_batch() -> None:
    from onnx.reference import ReferenceEvaluator

    network = nn.Linear(3, 2)
    model = onnx.load_model_from_string(to_onnx(network, (1, 3), extra="onnx"))
    for batch in (1, 5):
        x = torch.randn(batch, 3)
        (output,) = ReferenceEvaluator(model).run(None, {"poses": x.numpy()})
        assert relative_error(torch.from_numpy(output), network(x).detach()) < 1e-6


def test_pytorch_writes_the_rest() -> None:
    pytest.importorskip("onnxscript", reason="PyTorch's exporter is written with it")
    from onnx.reference import ReferenceEvaluator

    model = onnx.load_model_from_string(to_onnx(Cumulative(), (1, 3), extra="onnx"))
    x = torch.randn(5, 3)
    (output,) = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x.numpy()})
    assert relative_error(torch.from_numpy(output), x.cumsum(1)) < 1e-6


def test_without_onnxscript_the_operation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.import_module

    def absent(name: str, *rest: Any) -> Any:
        if name == "onnxscript":
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(
        MissingDependencyError,
        match=r"Writing the operation aten.cumsum.default for another runtime needs .*onnxscript",
    ):
        to_onnx(Cumulative(), (1, 3), extra="onnx")


def test_what_pytorch_cannot_write_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    optional = module.import_optional
    monkeypatch.setattr(
        module, "import_optional", lambda name, **why: None if name == "onnxscript" else optional(name, **why)
    )

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no translation")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(
        ConfigError,
        match=r"ONNX: PyTorch cannot write the operation aten.cumsum.default: no translation. Use the backend",
    ):
        to_onnx(Cumulative(), (1, 3), extra="onnx")
