from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError
from posegraph.folding.layers import Affine, FoldedLayer
from posegraph.folding.network import FoldedNetwork
from posegraph.inference.backends.static import StaticNetwork
from tests.folding.test_network import VARIANTS, operations
from tests.inference.models import relative_error, trained


@pytest.mark.parametrize("batch", [(), (3,)], ids=["single", "batch"])
@pytest.mark.parametrize(("name", "settings"), VARIANTS[::3], ids=str)
def test_planned_networks_compute_what_the_network_does(
    name: str, settings: dict[str, Any], batch: tuple[int, ...]
) -> None:
    """Again and again, whatever is in the memory. In float64: the last bits depend on where a product is written."""
    model = trained(name, **settings)
    network = model.folded().network
    shape = (*batch, model.observed_frames, len(model.skeleton.moving))
    run = StaticNetwork(network, shape)
    for seed in range(3):
        frames = 30 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        before = frames.clone()
        assert relative_error(run(frames), network(frames)) < 1e-13
        assert torch.equal(frames, before)


def test_no_memory_is_taken_in_a_call() -> None:
    network = trained("msrgcn-released").folded().float().network
    frames = torch.randn(3, 10, 66)
    run = StaticNetwork(network, (3, 10, 66))
    assert run(frames).data_ptr() == run(frames + 1).data_ptr()
    with torch.profiler.profile(profile_memory=True) as profile:
        run(frames)
    assert max(event.self_cpu_memory_usage for event in profile.events()) == 0
    eager, planned = operations(network, frames), operations(run, frames)
    assert planned.total() <= eager.total() + 2


def test_values_share_memory() -> None:
    def taken(num_blocks: int) -> int:
        run = StaticNetwork(trained("traj-gcn", num_blocks=num_blocks).folded().float().network, (10, 66))
        storages = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes() for value in run._values}
        return sum(storages.values())

    assert taken(2) == taken(9)


def test_layers_of_every_form() -> None:
    layers = [
        FoldedLayer([Affine(right=torch.randn(10, 4), shift=torch.randn(4))], activation=nn.ReLU()),
        FoldedLayer([Affine(left=torch.randn(5, 6))], activation=nn.Tanh()),
        FoldedLayer([Affine()], activation=nn.LeakyReLU(0.1, inplace=True)),
    ]
    network, frames = FoldedNetwork(*layers), torch.randn(2, 10, 6)
    torch.testing.assert_close(StaticNetwork(network, (2, 10, 6))(frames), network(frames))


def test_other_activations_are_refused() -> None:
    network = FoldedNetwork(FoldedLayer([Affine(right=torch.randn(10, 4))], activation=nn.GELU()))
    with pytest.raises(ConfigError, match=r"planned memory: expected a known activation, got GELU. Use the backend"):
        StaticNetwork(network, (10, 6))
