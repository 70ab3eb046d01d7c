"""Against loops over nodes, in float64."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import CrossScaleAttention, CrossScaleFusion, NodeEmbedding

BATCH, CHANNELS, FRAMES = 2, 3, 5


class LastFrame(nn.Module):
    """An embedding that is easy to follow: a linear map of a node's last frame."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(CHANNELS, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.map(x[:, :, -1].transpose(1, 2))


def features(nodes: int) -> torch.Tensor:
    return torch.randn(BATCH, CHANNELS, FRAMES, nodes, dtype=torch.float64)


def attention_by_loops(layer: CrossScaleAttention, source: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    embedded, queries = layer.source(source).detach().numpy(), layer.target(target).detach().numpy()
    x = source.numpy()
    y = np.zeros(target.shape)
    for b, t in product(range(BATCH), range(target.shape[-1])):
        scores = [np.exp(queries[b, t] @ embedded[b, s]) for s in range(source.shape[-1])]
        for s, score in enumerate(scores):
            y[b, :, :, t] += score / sum(scores) * x[b, :, :, s]
    return y


def test_attention_matches_loops():
    layer = CrossScaleAttention(LastFrame(), LastFrame()).double()
    source, target = features(6), features(3)
    np.testing.assert_allclose(
        layer(source, target).detach().numpy(), attention_by_loops(layer, source, target), rtol=1e-10
    )
    weights = layer.weights(source, target)
    assert weights.shape == (BATCH, 3, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(BATCH, 3, dtype=torch.float64))


def test_attention_forms_convex_combinations():
    """A feature that all source nodes share reaches every target node as it is."""
    layer = CrossScaleAttention(LastFrame(), LastFrame()).double()
    source = features(1).expand(-1, -1, -1, 6)
    torch.testing.assert_close(layer(source, features(3)), source[..., :3])


@pytest.mark.parametrize("scales", [(6, 3), (6, 3, 2), (7, 4, 2, 1)])
def test_fusion_matches_loops(scales):
    layer = CrossScaleFusion(scales, lambda nodes: LastFrame(), weight=0.3).double()
    inputs = [features(nodes) for nodes in scales]
    for s, output in enumerate(layer(inputs)):
        expected = inputs[s].numpy().copy()
        if s > 0:
            expected += 0.3 * attention_by_loops(layer.to_coarser[s - 1], inputs[s - 1], inputs[s])
        if s < len(scales) - 1:
            expected += 0.3 * attention_by_loops(layer.to_finer[s], inputs[s + 1], inputs[s])
        np.testing.assert_allclose(output.detach().numpy(), expected, rtol=1e-10)


def test_every_attention_embeds_for_itself():
    made: list[int] = []

    def embedding(nodes: int) -> nn.Module:
        made.append(nodes)
        return NodeEmbedding(CHANNELS, FRAMES, nodes, channels=4)

    fusion = CrossScaleFusion([6, 3, 2], embedding)
    assert sorted(made) == [2, 2, 3, 3, 3, 3, 6, 6]
    outputs = fusion([features(nodes).float() for nodes in (6, 3, 2)])
    torch.stack([output.sum() for output in outputs]).sum().backward()
    assert all(parameter.grad is not None for parameter in fusion.parameters())
    assert "num_scales=3, weight=0.3" in repr(fusion)


def test_errors():
    with pytest.raises(ConfigError, match=r"num_nodes: expected at least two scales, got \(6,\)"):
        CrossScaleFusion([6], lambda nodes: LastFrame())
    with pytest.raises(ShapeError, match="features: expected 2 scales, got 3 scales"):
        CrossScaleFusion([6, 3], lambda nodes: LastFrame())([features(6), features(3), features(2)])
