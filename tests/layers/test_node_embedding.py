"""Against loops over batch and pairs of nodes, in float64."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import NodeEmbedding, PairwiseMessages, SkipMLP
from tests.layers.loops import numbers, randomised

BATCH, NODES, CHANNELS = 3, 4, 5


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.01 * x)


def perceptron(mlp: SkipMLP, rows: np.ndarray) -> np.ndarray:
    """One row after the other, then the batch norm over all of them."""
    y = np.empty((len(rows), mlp.out_channels))
    for i, row in enumerate(rows):
        hidden = leaky(numbers(mlp.hidden.weight) @ row + numbers(mlp.hidden.bias))
        y[i] = numbers(mlp.output.weight) @ np.concatenate([hidden, row]) + numbers(mlp.output.bias)
    mean, variance = (
        (y.mean(0), y.var(0)) if mlp.training else map(numbers, (mlp.norm.running_mean, mlp.norm.running_var))
    )
    y = (y - mean) / np.sqrt(variance + mlp.norm.eps) * numbers(mlp.norm.weight) + numbers(mlp.norm.bias)
    return leaky(y) if mlp.activate else y


def messages(layer: PairwiseMessages, h: np.ndarray, divisor: float) -> np.ndarray:
    """All ordered pairs of distinct nodes, as in a relational network."""
    pairs = [(b, i, j) for b, i, j in product(range(len(h)), range(h.shape[1]), range(h.shape[1])) if i != j]
    edges = perceptron(layer.pair, np.array([np.concatenate([h[b, j], h[b, j] - h[b, i]]) for b, i, j in pairs]))
    total = np.zeros_like(h)
    for (b, _, j), edge in zip(pairs, edges, strict=True):
        total[b, j] += edge
    return total / divisor


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activate", [True, False])
def test_perceptron_matches_loops(activate, training):
    mlp = randomised(SkipMLP(CHANNELS, 3, dropout=0.0, activate=activate)).train(training)
    x = torch.randn(BATCH, NODES, CHANNELS, dtype=torch.float64)
    expected = perceptron(mlp, numbers(x).reshape(-1, CHANNELS)).reshape(BATCH, NODES, 3)
    np.testing.assert_allclose(numbers(mlp(x)), expected, rtol=1e-10, atol=1e-10)


def test_perceptron_starts_as_published():
    torch.manual_seed(0)
    mlp = SkipMLP(300, 200)
    for linear, inputs in ((mlp.hidden, 300), (mlp.output, 500)):
        assert torch.equal(linear.bias, torch.full((200,), 0.1))
        assert float(linear.weight.detach().std()) == pytest.approx((2 / (inputs + 200)) ** 0.5, rel=0.02)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("aggregation", "nodes", "divisor"),
    [("mean", NODES, NODES - 1), ("sum", NODES, 1), ("released", NODES, NODES), ("mean", 2, 1)],
)
def test_messages_match_loops(aggregation, nodes, divisor, training):
    layer = randomised(PairwiseMessages(CHANNELS, nodes, dropout=0.0, aggregation=aggregation)).train(training)
    h = torch.randn(BATCH, nodes, CHANNELS, dtype=torch.float64)
    np.testing.assert_allclose(numbers(layer(h)), messages(layer, numbers(h), divisor), rtol=1e-10, atol=1e-10)


def test_gradients_of_messages_are_those_of_the_pairs():
    """The products taken once a node have the gradients of those taken once a pair."""
    layer = randomised(PairwiseMessages(CHANNELS, NODES, dropout=0.0))
    h = torch.randn(BATCH, NODES, CHANNELS, dtype=torch.float64, requires_grad=True)
    layer(h).square().sum().backward()
    ours = [h.grad.clone(), *(p.grad.clone() for p in layer.parameters())]
    h.grad = None
    layer.zero_grad()
    receiver = h.unsqueeze(2).expand(-1, -1, NODES - 1, -1)
    sender = torch.stack([h[:, [i for i in range(NODES) if i != j]] for j in range(NODES)], dim=1)
    layer.pair(torch.cat([receiver, receiver - sender], dim=-1)).mean(2).square().sum().backward()
    for one, other in zip(ours, [h.grad, *(p.grad for p in layer.parameters())], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scrambled", [False, True])
def test_embedding_matches_loops(scrambled):
    frames, half = 5, 3
    layer = NodeEmbedding(2, frames, NODES, channels=CHANNELS, dropout=0.0, scrambled=scrambled)
    randomised(layer).eval()
    x = torch.randn(BATCH, 2, frames, NODES, dtype=torch.float64)
    halved = numbers(layer.temporal(x))
    assert halved.shape == (BATCH, 2, half, NODES)
    rows = np.empty((BATCH, NODES, 2 * half))
    for b, v in product(range(BATCH), range(NODES)):
        # all channels of a frame, frame after frame: of the node itself, or of whatever lies next in memory
        in_memory = [(t, w) for t in range(half) for w in range(NODES)]
        sources = in_memory[half * v : half * (v + 1)] if scrambled else [(t, v) for t in range(half)]
        rows[b, v] = np.concatenate([halved[b, :, t, w] for t, w in sources])
    h = perceptron(layer.node, rows.reshape(-1, 2 * half)).reshape(BATCH, NODES, CHANNELS)
    joined = np.concatenate([messages(layer.messages, h, NODES - 1), h], axis=-1)
    expected = perceptron(layer.output, joined.reshape(-1, 2 * CHANNELS)).reshape(BATCH, NODES, CHANNELS)
    np.testing.assert_allclose(numbers(layer(x)), expected, rtol=1e-9, atol=1e-9)


def test_nodes_are_equal_unless_scrambled():
    """Another order of the nodes gives the same embeddings in that order."""
    x = torch.randn(BATCH, 2, 5, NODES, dtype=torch.float64)
    order = [2, 0, 3, 1]
    for scrambled in (False, True):
        layer = randomised(NodeEmbedding(2, 5, NODES, channels=CHANNELS, scrambled=scrambled)).eval()
        assert torch.allclose(layer(x[..., order]), layer(x)[:, order]) is not scrambled


def test_a_single_node_hears_nothing():
    layer = randomised(NodeEmbedding(2, 5, 1, channels=CHANNELS)).eval()
    assert layer.messages is None
    x = torch.randn(BATCH, 2, 5, 1, dtype=torch.float64)
    h = layer.node(layer.temporal(x).permute(0, 3, 2, 1).flatten(2))
    torch.testing.assert_close(layer(x), layer.output(torch.cat([torch.zeros_like(h), h], -1)))


def test_sizes_are_printed():
    assert "PairwiseMessages(\n  5, num_nodes=4" in repr(PairwiseMessages(5, 4))
    assert "SkipMLP(\n  3, 7, activate=False" in repr(SkipMLP(3, 7, activate=False))


def test_errors():
    with pytest.raises(ConfigError, match="other_nodes: expected an integer of at least 1, got 0"):
        PairwiseMessages(4, 1)
    with pytest.raises(ConfigError, match="aggregation: expected one of 'mean', 'sum', 'released'; got 'max'"):
        PairwiseMessages(4, 3, aggregation="max")
    with pytest.raises(ShapeError, match=r"message passing input: expected \(batch, 3 nodes, 4 channels\)"):
        PairwiseMessages(4, 3)(torch.zeros(2, 4, 4))
    with pytest.raises(ShapeError, match=r"perceptron input: expected \(..., 4 channels\), got \(2, 3\)"):
        SkipMLP(4, 3)(torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"perceptron input: expected at least two rows in training mode, got \(1,"):
        SkipMLP(4, 3)(torch.zeros(1, 4))
    with pytest.raises(ConfigError, match=r"dropout: expected a number in \[0, 1\), got -0.1"):
        NodeEmbedding(2, 5, 4, dropout=-0.1)
    with pytest.raises(
        ShapeError, match=r"embedding input: expected \(batch, 2 channels, 5 frames, 4 nodes\), got \(1, 2, 6, 4\)"
    ):
        NodeEmbedding(2, 5, 4)(torch.zeros(1, 2, 6, 4))
