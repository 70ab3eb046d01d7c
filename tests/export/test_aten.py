from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from posegraph.export.aten import write
from posegraph.export.program import to_program
from posegraph.export.writer import UnknownOperationError
from tests.inference.models import relative_error

onnx = pytest.importorskip("onnx", reason="writes ONNX models")

W = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
V = torch.randn(6, generator=torch.Generator().manual_seed(1))
PLACES = torch.tensor([2, 0])


class Network(nn.Module):
    """A function of ``x`` ``(batch, 3, 6)``."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(3, 2, (3, 1), stride=(2, 1), padding=(1, 0))
        self.norm = nn.BatchNorm1d(3)
        self.norm.running_mean = torch.randn(3)
        self.norm.running_var = 1 + torch.rand(3)
        self.layer_norm = nn.LayerNorm(6)
        self.dropout = nn.Dropout(0.5)

    def forward(self, poses: torch.Tensor) -> torch.Tensor:
        return self.function(self, poses)


FUNCTIONS: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    "products": lambda m, x: x @ W + torch.matmul(W.T, x.transpose(1, 2)).transpose(1, 2),
    "linear": lambda m, x: F.linear(x, W.T) + F.linear(x, W.T, V[:4]),
    "rows": lambda m, x: torch.addmm(V[:4], x.flatten(0, 1), W).unflatten(0, (-1, 3)),
    "expanded": lambda m, x: torch.bmm(W[:3, :3].expand(x.shape[0], -1, -1), x),
    "expanded shift": lambda m, x: torch.baddbmm(V, W[:3, :3].expand(x.shape[0], -1, -1), x),
    "in place": lambda m, x: F.leaky_relu(x * 2, 0.2, inplace=True),
    "scaled and shifted": lambda m, x: torch.addcmul(V, V, x),
    "expanded maps": lambda m, x: torch.bmm(W[:1, :1].expand(3 * x.shape[0], -1, -1), x.reshape(-1, 1, 6)).view(
        -1, 3, 6
    ),
    "expanded sum": lambda m, x: V.expand(x.shape[0], 3, 6) + x,
    "einsum": lambda m, x: torch.einsum("bij,jk->bki", x, W),
    "arithmetic": lambda m, x: (2 * x - 1) / (x.square() + 3) + (1 - x),
    "activations": lambda m, x: F.leaky_relu(x) + F.leaky_relu(x, 0.2) + F.gelu(x) + x.relu() + x.sigmoid() + x.tanh(),
    "gelu": lambda m, x: F.gelu(x, approximate="tanh"),
    "roots": lambda m, x: x.clamp(min=0.1).sqrt().exp().clamp(0, 2),
    "softmax": lambda m, x: x.softmax(dim=-1),
    "shapes": lambda m, x: x.unsqueeze(1).permute(0, 3, 2, 1).squeeze(-1).reshape(x.shape[0], 2, -1).flatten(1),
    "pieces": lambda m, x: torch.cat([*x.chunk(2, dim=-1)[::-1], *x.split([1, 5], dim=2)], dim=-1),
    "parts": lambda m, x: x.unbind(1)[0].unsqueeze(1) + x.unbind(1)[2].unsqueeze(1),
    "stack": lambda m, x: torch.stack([x, 2 * x]).flatten(0, 1).tanh().unflatten(0, (2, -1)).unbind()[1],
    "slices": lambda m, x: x[:, :, 1:5:2] + x[:, -1:, :2],
    "indices": lambda m, x: x[:, PLACES] + x[..., PLACES].sum(-1)[:, :2, None] + x.index_select(1, PLACES),
    "one index": lambda m, x: x[:, 0] + x.select(1, 2),
    "index copy": lambda m, x: x.index_copy(-1, PLACES, x[..., 3:5]),
    "differences": lambda m, x: x.diff(dim=1),
    "reductions": lambda m, x: x.sum(2, keepdim=True) + x.mean((1, 2), keepdim=True) + x.sum(1).unsqueeze(1),
    "norms": lambda m, x: m.norm(x) + m.layer_norm(x) + F.layer_norm(x, (3, 6)),
    "convolution": lambda m, x: m.conv(x.unsqueeze(-1)),
    "zeros": lambda m, x: torch.cat(
        [torch.zeros_like(x), x.new_zeros(x.shape[0], 3, 1), x, x.new_zeros(x.shape[0], 3, 0)], -1
    ),
    "ones": lambda m, x: x * x.new_ones(6) + torch.ones_like(x),
    "nothing": lambda m, x: m.dropout(x).contiguous(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_operations_are_those_of_pytorch(name: str) -> None:
    """Against the evaluator of the ONNX standard itself, for two sizes of batch."""
    from onnx.reference import ReferenceEvaluator

    network = Network(FUNCTIONS[name]).eval()
    model = onnx.load_model_from_string(write(to_program(network, (None, 3, 6)), onnx))
    onnx.checker.check_model(model, full_check=True)
    for batch in (1, 4):
        x = torch.randn(batch, 3, 6)
        (output,) = ReferenceEvaluator(model).run(None, {"poses": x.numpy()})
        with torch.no_grad():
            assert relative_error(torch.from_numpy(np.array(output)), network(x)) < 1e-5


UNKNOWN: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    "the operation aten.cumsum.default": lambda m, x: x.cumsum(1),
    r"aten.add.Tensor with \{'alpha': 2\}": lambda m, x: torch.add(x, x, alpha=2),
    r"aten.div.Tensor_mode with \{'rounding_mode'": lambda m, x: torch.div(x, 2, rounding_mode="floor"),
    "as a weight": lambda m, x: F.layer_norm(x, (6,), x[0, 0]),
    "differences of a higher order": lambda m, x: x.diff(n=2, dim=1),
    "pieces of the batch": lambda m, x: x.split([x.shape[0]])[0] + x,
    "a conversion to torch.float64": lambda m, x: x.double().float(),
    "indices of several axes": lambda m, x: x[:, PLACES, PLACES],
    "over everything": lambda m, x: x - x.mean((0, 1, 2), dtype=torch.float32),
    "addmm with": lambda m, x: torch.addmm(V[:4], x.flatten(0, 1), W, beta=2),
    "baddbmm with": lambda m, x: torch.baddbmm(V[:3], x, x.transpose(1, 2), alpha=2),
    "the shape": lambda m, x: V.expand(2 * x.shape[0], 3, 6) + torch.cat([x, x]),
}


@pytest.mark.parametrize("message", UNKNOWN)
def test_what_cannot_be_written_is_named(message: str) -> None:
    with pytest.raises(UnknownOperationError, match=message):
        write(to_program(Network(UNKNOWN[message]), (None, 3, 6)), onnx)
