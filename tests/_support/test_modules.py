from __future__ import annotations

import pytest
import torch
from torch import nn

from posegraph._support.modules import evaluation_view, live_tensor, unwrap


class Network(nn.Module):
    """Layers that a parent names twice, and buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.drop = nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)
        self.again = self.first
        self.register_buffer("offset", torch.ones(3), persistent=False)
        self.unregistered = [self.drop]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.unregistered[0](self.norm(self.again(self.first(x)))) + self.offset


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network()


X = torch.linspace(-1, 1, 12).view(4, 3)


def test_a_view_computes_what_evaluation_mode_does(network):
    view = evaluation_view(network)
    found = view(X)
    assert [module.training for module in network.modules()] == [True] * 4
    assert torch.equal(found, network.eval()(X))
    assert view.again is view.first is not network.first
    assert [module.training for module in view.modules()] == [False] * 4


def test_a_view_shares_all_tensors_and_follows_them(network):
    view = evaluation_view(network)
    network(X).sum().backward()  # moves running statistics
    with torch.no_grad():
        network.first.weight.add_(1)
    network.double()  # replaces buffers
    network.offset = torch.full((3,), 5.0, dtype=torch.float64)
    assert all(a is b for a, b in zip(view.parameters(), network.parameters(), strict=True))
    assert all(a is b for a, b in zip(view.buffers(), network.buffers(), strict=True))
    assert torch.equal(view(X.double()), network.eval()(X.double()))


def test_modes_are_apart(network):
    view = evaluation_view(network)
    network.eval().train()
    assert not view.training
    view.train()
    assert not evaluation_view(network.eval()).training
    assert not network.training


def test_hooks_are_called(network):
    view, seen = evaluation_view(network), list[torch.Size]()
    network.norm.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    view(X)
    assert seen == [torch.Size((4, 3))]


def test_wrappers_come_off(network):
    assert unwrap(network) is network
    for wrapped in (nn.DataParallel(network), torch.compile(network, backend="eager")):
        assert unwrap(wrapped) is network
    assert unwrap(torch.compile(nn.DataParallel(network), backend="eager")) is network
    assert unwrap("graph-mixer/cmu") == "graph-mixer/cmu"


def test_a_tensor_is_the_one_of_now(network):
    tensor = live_tensor(network)
    assert tensor() is network.first.weight
    network.to("meta", torch.float64)
    assert (tensor().device.type, tensor().dtype) == ("meta", torch.float64)


def test_buffers_come_after_parameters_and_integers_do_not_count():
    network = nn.Module()
    assert live_tensor(network)().device.type == "cpu"
    network.register_buffer("count", torch.zeros(1, dtype=torch.long))
    network.register_buffer("scale", torch.ones(1, dtype=torch.float16))
    assert live_tensor(network)() is network.scale
