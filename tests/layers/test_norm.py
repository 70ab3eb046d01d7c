from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import NodeBatchNorm


def test_training_normalises_each_node_and_channel_over_the_batch():
    norm = NodeBatchNorm(3, 2)
    x = 5 + 3 * torch.randn(6, 3, 2)
    weight, bias = torch.arange(1.0, 7.0), torch.arange(6.0)
    with torch.no_grad():
        norm.norm.weight.copy_(weight)
        norm.norm.bias.copy_(bias)
    y, values = norm(x).detach().numpy(), x.numpy()
    for node in range(3):
        for channel in range(2):
            column = values[:, node, channel]
            normal = (column - column.mean()) / np.sqrt(column.var() + 1e-5)
            index = 2 * node + channel
            np.testing.assert_allclose(y[:, node, channel], normal * (index + 1) + index, rtol=1e-4, atol=1e-5)


def test_evaluation_uses_running_statistics():
    norm = NodeBatchNorm(2, 2).eval()
    with torch.no_grad():
        norm.norm.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        norm.norm.running_var.copy_(torch.tensor([4.0, 4.0, 9.0, 9.0]))
    y = norm(torch.full((1, 2, 2), 7.0))
    torch.testing.assert_close(y, torch.tensor([[[3.0, 2.5], [4 / 3, 1.0]]]), rtol=1e-5, atol=0)


def test_gradients():
    norm = NodeBatchNorm(2, 3).double()
    assert torch.autograd.gradcheck(norm, torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True))


def test_a_training_batch_needs_two_samples():
    norm = NodeBatchNorm(2, 2)
    message = r"batch norm input: expected at least two samples in training mode, got \(1, 2, 2\)\. .*model.eval\(\)"
    with pytest.raises(ShapeError, match=message):
        norm(torch.zeros(1, 2, 2))
    assert norm.eval()(torch.zeros(1, 2, 2)).shape == (1, 2, 2)


def test_inputs_fit_the_layer():
    with pytest.raises(ShapeError, match=r"batch norm input: expected \(batch, 2 nodes, 3 channels\), got \(4, 3, 2\)"):
        NodeBatchNorm(2, 3)(torch.zeros(4, 3, 2))


def test_sizes_are_positive():
    with pytest.raises(ConfigError, match="channels: expected an integer of at least 1, got -1"):
        NodeBatchNorm(2, -1)
