from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError, MissingDependencyError
from posegraph.export.folded_onnx import INPUT, OUTPUT, to_onnx
from posegraph.folding.layers import Affine, FoldedLayer
from posegraph.folding.network import FoldedNetwork
from tests.inference.models import relative_error, trained


@pytest.mark.parametrize("name", ["traj-gcn", "msrgcn", "msrgcn-released"])
@pytest.mark.parametrize("batch", [None, (), (3,)], ids=["open", "none", "three"])
def test_the_model_computes_what_the_network_does(name: str, batch: tuple[int, ...] | None) -> None:
    """Against the evaluator of the ONNX standard itself."""
    pytest.importorskip("onnx", reason="writes ONNX models")
    from onnx import checker, load_model_from_string
    from onnx.reference import ReferenceEvaluator

    network = trained(name).folded().float().network
    model = load_model_from_string(to_onnx(network, ((None,) if batch is None else batch) + (10, 66), extra="onnx"))
    checker.check_model(model, full_check=True)
    frames = 30 * torch.randn(*((2,) if batch is None else batch), 10, 66)
    (output,) = ReferenceEvaluator(model).run([OUTPUT], {INPUT: frames.numpy()})
    assert relative_error(torch.from_numpy(output), network(frames)) < 2e-6


def test_relu_and_a_layer_without_a_norm() -> None:
    pytest.importorskip("onnx", reason="writes ONNX models")
    from onnx import load_model_from_string
    from onnx.reference import ReferenceEvaluator

    network = FoldedNetwork(FoldedLayer([Affine(right=torch.randn(10, 4), shift=torch.randn(4))], activation=nn.ReLU()))
    frames = torch.randn(2, 10, 6)
    model = load_model_from_string(to_onnx(network, (None, 10, 6), extra="onnx"))
    (output,) = ReferenceEvaluator(model).run(None, {INPUT: frames.numpy()})
    torch.testing.assert_close(torch.from_numpy(output), network(frames))


def test_other_operations_are_refused() -> None:
    pytest.importorskip("onnx", reason="writes ONNX models")
    with pytest.raises(ConfigError, match=r"expected products, sums and activations, got GELU"):
        to_onnx(FoldedNetwork(nn.GELU()), (10, 66), extra="onnx")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def absent(name: str, *rest: Any) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingDependencyError, match=r"needs the package 'onnx'.*posegraph\[openvino\]"):
        to_onnx(FoldedNetwork(), (10, 66), extra="openvino")
