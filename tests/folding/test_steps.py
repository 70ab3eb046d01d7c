from __future__ import annotations

import pytest
import torch
from torch import nn

from posegraph.errors import ConfigError
from posegraph.folding.layers import Affine, FoldedLayer, FoldedResidual
from posegraph.folding.network import FoldedNetwork
from posegraph.folding.steps import NodeShape, Steps, matrices, share_memory, to_steps
from tests.inference.models import NARROW, relative_error, trained


def run_steps(steps: Steps, slots: tuple[int, ...], frames: torch.Tensor) -> torch.Tensor:
    """What the steps say, with values that share memory: the last write into a slot is what a read finds."""
    memory: dict[int, torch.Tensor] = {}
    last = len(steps.shapes) - 1

    def read(value: int) -> torch.Tensor:
        found = frames.transpose(-1, -2) if value == 0 else memory[slots[value]]
        assert found.shape[-2:] == steps.shapes[value]
        return found

    y = frames
    for step in steps.steps:
        y = step.layer(*[read(value).clone() for value in step.inputs])
        for skip in step.skips:
            y = y + read(skip)
        if step.output != last:
            assert slots[step.output] not in {slots[value] for value in (*step.inputs, *step.skips) if value}
            memory[slots[step.output]] = y
    return y.transpose(-1, -2)


@pytest.mark.parametrize("name", NARROW)
def test_steps_compute_what_the_network_does(name: str) -> None:
    model = trained(name)
    network = model.folded().network
    frames = torch.randn(2, model.observed_frames, 66, dtype=torch.float64)
    steps = to_steps(network, (66, model.observed_frames))
    slots, sizes = share_memory(steps, lambda shape: shape[0] * shape[1])
    assert relative_error(run_steps(steps, slots, frames), network(frames)) < 1e-12
    assert len(steps.steps) == sum(isinstance(module, FoldedLayer) for module in network.modules())
    for value, slot in enumerate(slots):
        assert (slot < 0) == (value in (0, len(slots) - 1))
        assert slot < 0 or sizes[slot] >= steps.shapes[value][0] * steps.shapes[value][1]


def test_few_values_are_kept_at_a_time() -> None:
    steps = to_steps(trained("traj-gcn", num_blocks=4).folded().network, (66, 10))
    _, sizes = share_memory(steps, lambda shape: shape[0] * shape[1])
    assert sizes == (66 * 12,) * 3, "what a block reads, and two more"


def test_the_flop_of_a_layer_are_those_of_its_products() -> None:
    layer = FoldedLayer([Affine(torch.ones(4, 3), torch.ones(5, 7)), Affine(torch.ones(4, 3))])
    assert to_steps(FoldedNetwork(layer_of_one(layer)), (3, 5)).flop == 2 * (3 * 5 * 7 + 4 * 3 * 7)


def layer_of_one(layer: FoldedLayer) -> FoldedLayer:
    return FoldedLayer([Affine(layer.left_0, layer.right_0)])  # type: ignore[arg-type]


def one(activation: nn.Module | None = None) -> FoldedLayer:
    return FoldedLayer([Affine(right=torch.eye(3))], activation=activation)


@pytest.mark.parametrize(
    ("activation", "slope", "tanh"),
    [(None, 1.0, False), (nn.LeakyReLU(0.3), 0.3, False), (nn.ReLU(), 0.0, False), (nn.Tanh(), 1.0, True)],
)
def test_layers_are_read_in_full(activation: nn.Module | None, slope: float, tanh: bool) -> None:
    shape: NodeShape = (2, 3)
    layer = FoldedLayer([Affine(right=torch.eye(3), shift=torch.arange(3.0))], activation=activation)
    numbers = matrices(layer, shape, 1)
    assert (numbers.slope, numbers.tanh, numbers.lefts) == (slope, tanh, (None,))
    assert torch.equal(numbers.scale, torch.ones(shape))
    assert torch.equal(numbers.shift, torch.arange(3.0).expand(shape))


def test_other_activations_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected ReLU, LeakyReLU or Tanh, got GELU"):
        matrices(one(nn.GELU()), (2, 3), 1)


def test_other_operations_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected folded layers and sums, got <function softmax"):
        to_steps(FoldedNetwork(one(), nn.Softmax(-1)), (2, 3))


def test_more_sums_than_kernels_know_are_refused() -> None:
    nested = FoldedResidual([FoldedResidual([FoldedResidual([one()])])])
    with pytest.raises(ConfigError, match="expected at most 2 sums right after a layer"):
        to_steps(FoldedNetwork(one(), nested), (2, 3))
