from __future__ import annotations

import pytest
import torch

from posegraph.folding import tracing
from posegraph.folding.layers import FoldedLayer
from posegraph.folding.tracing import layer_graph, operation_graph
from tests.inference.models import relative_error, trained


def test_layers_are_one_call_each() -> None:
    network = trained("msrgcn-2l").folded().network
    calls = [node for node in layer_graph(network).nodes if node.op == "call_module"]
    assert len(calls) == sum(isinstance(module, FoldedLayer) for module in network.modules())


def test_a_network_is_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network, frames = trained("traj-gcn").folded().float().network, torch.randn(10, 66)
    first, graph = operation_graph(network), layer_graph(network)
    monkeypatch.setattr(tracing, "Tracer", None)
    monkeypatch.setattr(tracing, "_LayerTracer", None)
    second = operation_graph(network)
    assert layer_graph(network) is graph
    assert second.forward.__code__ is not first.forward.__code__, "torch.compile counts by code"
    assert relative_error(second(frames), network(frames)) == 0
    assert next(second.buffers()).data_ptr() in {buffer.data_ptr() for buffer in network.buffers()}
