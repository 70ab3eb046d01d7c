"""Against loops over batch, frames and nodes, in float64."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import SpatioTemporalGraphConv, TemporalConv, hop_graphs
from tests.layers.loops import numbers, randomised

BATCH, FRAMES, NODES = 2, 6, 4
BONES = [(0, 1), (1, 2), (1, 3)]


def batch_norm(norm: nn.BatchNorm2d, x: np.ndarray, training: bool) -> np.ndarray:
    """Each channel of ``(batch, channels, frames, nodes)`` by itself."""
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        mean = x[:, c].mean() if training else norm.running_mean[c].item()
        variance = x[:, c].var() if training else norm.running_var[c].item()
        y[:, c] = (x[:, c] - mean) / np.sqrt(variance + norm.eps) * norm.weight[c].item() + norm.bias[c].item()
    return y


def temporal_convolution(layer: TemporalConv, x: np.ndarray) -> np.ndarray:
    weight, bias = numbers(layer.weight)[..., 0], numbers(layer.bias)
    kernel, stride = weight.shape[2], layer.stride[0]
    out_frames = -(-x.shape[2] // stride)
    y = np.zeros((len(x), len(weight), out_frames, x.shape[3]))
    for t, k in product(range(out_frames), range(kernel)):
        source = stride * t + k - kernel // 2
        if 0 <= source < x.shape[2]:
            for b, v in product(range(len(x)), range(x.shape[3])):
                y[b, :, t, v] += weight[:, :, k] @ x[b, :, source, v]
    return y + bias[:, None, None]


def pointwise(layer: nn.Conv2d, x: np.ndarray, stride: int = 1) -> np.ndarray:
    x = x[:, :, ::stride]
    y = np.empty((len(x), layer.out_channels, *x.shape[2:]))
    for b, t, v in product(range(len(x)), range(x.shape[2]), range(x.shape[3])):
        y[b, :, t, v] = numbers(layer.weight)[:, :, 0, 0] @ x[b, :, t, v] + numbers(layer.bias)
    return y


def graph_sum(layer: SpatioTemporalGraphConv, x: np.ndarray) -> np.ndarray:
    """The channels of each kind of edge, summed over the edges that end in a node."""
    channels, graph = layer.out_channels, numbers(layer.graph())
    by_kind = pointwise(layer.spatial, x)
    y = np.zeros((len(x), channels, *x.shape[2:]))
    for k, v, w in product(range(len(graph)), range(NODES), range(NODES)):
        y[..., w] += by_kind[:, k * channels : (k + 1) * channels, :, v] * graph[k, v, w]
    return y


def by_loops(layer: SpatioTemporalGraphConv, x: np.ndarray) -> np.ndarray:
    first_norm, _, convolution, last_norm, _ = layer.temporal
    y = np.maximum(batch_norm(first_norm, graph_sum(layer, x), layer.training), 0)
    y = batch_norm(last_norm, temporal_convolution(convolution, y), layer.training)
    if isinstance(layer.residual, nn.Sequential):
        convolution, norm = layer.residual
        y += batch_norm(norm, pointwise(convolution, x, stride=layer.temporal[2].stride[0]), layer.training)
    elif layer.residual is not None:
        y += x
    return np.maximum(y, 0)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("channels", "stride", "residual", "kind"),
    [
        (3, 1, False, type(None)),
        (3, 1, True, nn.Identity),
        (3, 2, True, nn.Sequential),
        (5, 1, True, nn.Sequential),
        (5, 2, True, nn.Sequential),
    ],
)
def test_layer_matches_loops(channels, stride, residual, kind, training):
    graph = hop_graphs(BONES, NODES)
    layer = SpatioTemporalGraphConv(3, channels, graph, stride=stride, residual=residual, dropout=0.0)
    assert type(layer.residual) is kind
    randomised(layer).train(training)
    x = torch.randn(BATCH, 3, FRAMES, NODES, dtype=torch.float64)
    expected = by_loops(layer, numbers(x))
    np.testing.assert_allclose(numbers(layer(x)), expected, rtol=1e-10, atol=1e-10)
    assert expected.shape == (BATCH, channels, layer.num_frames(FRAMES), NODES)
    assert repr(layer).startswith(f"SpatioTemporalGraphConv(\n  3, {channels}, stride={stride}")


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 2, 5, 6])
def test_temporal_convolution_matches_loops(frames, stride, kernel_size):
    layer = randomised(TemporalConv(2, 3, kernel_size=kernel_size, stride=stride))
    x = torch.randn(BATCH, 2, frames, NODES, dtype=torch.float64)
    expected = temporal_convolution(layer, numbers(x))
    np.testing.assert_allclose(numbers(layer(x)), expected, rtol=1e-12, atol=1e-12)
    assert layer.num_frames(frames) == expected.shape[2]


def test_frames_of_the_paper():
    """Forty-nine frames, halved by each layer after the first."""
    frames = [49]
    for _ in range(3):
        frames.append(TemporalConv(1, 1, stride=2).num_frames(frames[-1]))
    assert frames == [49, 25, 13, 7]


def test_dropout_zeroes_in_training_only():
    layer = SpatioTemporalGraphConv(3, 4, hop_graphs(BONES, NODES), residual=False, dropout=0.9)
    x = torch.randn(8, 3, FRAMES, NODES)
    torch.manual_seed(0)
    dropped = float((layer(x) == 0).double().mean())
    layer.eval()
    kept = float((layer(x) == 0).double().mean())
    assert dropped > 0.9
    assert kept < 0.8
    assert torch.equal(layer(x), layer(x))


def test_errors():
    graph = hop_graphs(BONES, NODES)
    with pytest.raises(ConfigError, match="kernel_size: expected an odd number, got 4"):
        TemporalConv(3, 4, kernel_size=4)
    with pytest.raises(ConfigError, match="stride: expected an integer of at least 1, got 0"):
        SpatioTemporalGraphConv(3, 4, graph, stride=0)
    with pytest.raises(ConfigError, match=r"dropout: expected a number in \[0, 1\), got 1"):
        SpatioTemporalGraphConv(3, 4, graph, dropout=1)
    with pytest.raises(
        ShapeError,
        match=r"graph convolution input: expected \(batch, 3 channels, frames, 4 nodes\), got \(2, 3, 6, 5\)",
    ):
        SpatioTemporalGraphConv(3, 4, graph)(torch.zeros(2, 3, 6, 5))
