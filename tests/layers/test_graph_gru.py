"""Against loops over nodes in float64, and PyTorch's own recurrent unit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import GraphGRUCell, hop_graphs

BATCH, NODES, INPUTS, CHANNELS = 2, 4, 3, 5


def cell(**settings) -> GraphGRUCell:
    """A cell in float64 with random weights on every edge."""
    layer = GraphGRUCell(INPUTS, CHANNELS, hop_graphs([(0, 1), (1, 2), (1, 3)], NODES), **settings).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return layer


def step_input() -> tuple[torch.Tensor, torch.Tensor]:
    x, state = torch.randn(2, BATCH, NODES, CHANNELS, dtype=torch.float64)
    return x[..., :INPUTS], state


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def step_by_loops(layer: GraphGRUCell, x: np.ndarray, state: np.ndarray, pass_messages: bool) -> np.ndarray:
    parameters = {name: parameter.detach().numpy() for name, parameter in layer.named_parameters()}
    graph = layer.graph().detach().numpy()
    to_gates = np.split(parameters["input_gates.weight"], 3), np.split(parameters["input_gates.bias"], 3)
    from_state = np.split(parameters["state_gates.weight"], 3)
    following = np.empty_like(state)
    for b in range(BATCH):
        sent = [parameters["send.weight"] @ state[b, v] + parameters["send.bias"] for v in range(NODES)]
        for w in range(NODES):
            heard = state[b, w]
            if pass_messages:
                heard = sum(
                    graph[k, v, w] * sent[v][k * CHANNELS : (k + 1) * CHANNELS] for k in range(2) for v in range(NODES)
                )
            reset, update, new = (weight @ x[b, w] + bias for weight, bias in zip(*to_gates, strict=True))
            reset = sigmoid(reset + from_state[0] @ heard)
            update = sigmoid(update + from_state[1] @ heard)
            new = np.tanh(new + reset * (from_state[2] @ heard))
            following[b, w] = (1 - update) * new + update * state[b, w]
    return following


@pytest.mark.parametrize("pass_messages", [True, False])
def test_step_matches_loops(pass_messages):
    layer = cell(dropout=0.0)
    x, state = step_input()
    expected = step_by_loops(layer, x.numpy(), state.numpy(), pass_messages)
    actual = layer(x, state, pass_messages=pass_messages)
    np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-10, atol=1e-12)


def test_without_messages_it_is_a_recurrent_unit():
    layer = cell()
    x, state = step_input()
    unit = nn.GRUCell(INPUTS, CHANNELS).double()
    with torch.no_grad():
        unit.weight_ih.copy_(layer.input_gates.weight)
        unit.bias_ih.copy_(layer.input_gates.bias)
        unit.weight_hh.copy_(layer.state_gates.weight)
        unit.bias_hh.zero_()
    expected = unit(x.reshape(-1, INPUTS), state.reshape(-1, CHANNELS)).view_as(state)
    torch.testing.assert_close(layer(x, state, pass_messages=False), expected)


def test_a_state_reaches_the_neighbours_alone():
    layer = cell(dropout=0.0)
    with torch.no_grad():
        layer.graph.offset.zero_()
    x, state = step_input()
    changed = state.clone()
    changed[:, 0] += 1
    moved = (layer(x, changed) - layer(x, state)).abs().amax(dim=(0, 2)) > 1e-9
    assert moved.tolist() == [True, True, False, False]


def test_the_graph_can_start_dense():
    graph = hop_graphs([(0, 1)], 2)
    layer = GraphGRUCell(3, 4, graph, graph_offset=1.0)
    torch.testing.assert_close(layer.graph(), graph + 1)


def test_dropout_is_on_the_messages_in_training():
    x, state = step_input()
    layer = cell(dropout=0.5).train()
    torch.manual_seed(0)
    assert not torch.equal(layer(x, state), layer(x, state))
    assert torch.equal(layer(x, state, pass_messages=False), layer(x, state, pass_messages=False))
    layer.eval()
    assert torch.equal(layer(x, state), layer(x, state))


def test_errors():
    layer = GraphGRUCell(INPUTS, CHANNELS, hop_graphs([(0, 1)], 2))
    assert repr(layer).startswith("GraphGRUCell(\n  3, 5")
    with pytest.raises(ShapeError, match=r"recurrent input: expected \(batch, 2 nodes, 3 channels\), got \(1, 2, 5\)"):
        layer(torch.zeros(1, 2, 5), torch.zeros(1, 2, 5))
    with pytest.raises(ShapeError, match=r"recurrent state: expected \(batch, 2 nodes, 5 channels\), got \(1, 3, 5\)"):
        layer(torch.zeros(1, 2, 3), torch.zeros(1, 3, 5))
    with pytest.raises(ConfigError, match="channels: expected an integer of at least 1, got 0"):
        GraphGRUCell(INPUTS, 0, hop_graphs([(0, 1)], 2))
    with pytest.raises(ConfigError, match=r"dropout: expected a number in \[0, 1\), got 2"):
        GraphGRUCell(INPUTS, CHANNELS, hop_graphs([(0, 1)], 2), dropout=2)
