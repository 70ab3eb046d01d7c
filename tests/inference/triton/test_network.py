from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from posegraph.errors import ConfigError, MissingDependencyError
from posegraph.folding.layers import Affine, FoldedLayer, FoldedResidual
from posegraph.folding.network import FoldedNetwork
from posegraph.folding.steps import Steps, matrices
from posegraph.inference.triton import network as launching
from posegraph.inference.triton import tiling
from posegraph.inference.triton.network import LayerByLayer, Whole, prepare_layers, prepare_whole
from posegraph.inference.triton.tiling import LayerSize, Tiling
from tests.inference.models import relative_error, trained
from tests.inference.triton.triton_fixtures import MARKS, device, for_the_compiler

__all__ = ["device", "for_the_compiler"]
pytestmark = MARKS

PREPARE = (prepare_layers, prepare_whole)
SETTINGS: dict[str, dict[str, Any]] = {
    "traj-gcn": {"channels": 6, "num_blocks": 1},
    "msrgcn-1l": {"channels": 6, "num_blocks": 1},
    "msrgcn-2l": {"channels": 6, "num_blocks": 1},
    "msrgcn-released": {"channels": (4, 18), "num_blocks": 1, "finest_end_blocks": 1},
}
CPU = torch.device("cpu")


def network_of(name: str, **settings: Any) -> FoldedNetwork:
    return trained(name, **{**SETTINGS[name], **settings}).folded().network


def frames_of(*shape: int, seed: int = 0) -> torch.Tensor:
    """Poses of a size that does not drive tanh into saturation."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def exact(device: torch.device) -> launching.Precision:
    """A precision that is float32 on the device: the interpreter has no TF32, and larger blocks for it than fp32."""
    return "fp32" if device.type == "cuda" else "tf32"


CASES = [
    (prepare_layers, "traj-gcn", {}, ()),
    (prepare_whole, "traj-gcn", {}, ()),
    (prepare_layers, "msrgcn-2l", {}, (3,)),
    (prepare_whole, "msrgcn-2l", {}, ()),
    (prepare_layers, "msrgcn-released", {}, (4,)),
    (prepare_whole, "msrgcn-released", {}, ()),
    (prepare_layers, "msrgcn-1l", {"operator": "per-node"}, (1,)),
    (prepare_whole, "msrgcn-1l", {"operator": "per-node"}, (1,)),
    (prepare_layers, "msrgcn-1l", {"skeleton": "cmu"}, ()),
    (prepare_layers, "msrgcn-released", {"channels": (4,), "e3_input": "d3"}, (2,)),
]


@pytest.mark.parametrize(("prepare", "name", "settings", "batch"), CASES, ids=str)
def test_networks_compute_the_same(
    prepare: Callable[..., Any], name: str, settings: dict[str, Any], batch: tuple[int, ...], device: torch.device
) -> None:
    network = network_of(name, **settings)
    frames = frames_of(*batch, 10, 75 if "skeleton" in settings else 66)
    kernels = launching._kernels(device)
    kind = LayerByLayer if prepare is prepare_layers else Whole
    run = kind(kernels, network, tuple(frames.shape), exact(device), device)
    run._output.fill_(float("nan"))
    output = run(frames.to(device).mT.contiguous().mT)
    assert output.dtype == torch.float32
    assert relative_error(output.cpu(), network(frames.double())) < 2e-6


@pytest.mark.parametrize("prepare", PREPARE)
def test_every_call_writes_the_same_buffer(prepare: Callable[..., Any], device: torch.device) -> None:
    network = network_of("traj-gcn")
    run = prepare(network, (10, 66), exact(device), device)
    first, second = run(frames_of(10, 66).to(device)), run(frames_of(10, 66, seed=1).to(device))
    assert first.data_ptr() == second.data_ptr()
    assert relative_error(second.cpu(), network(frames_of(10, 66, seed=1).double())) < 2e-6


@pytest.mark.parametrize("prepare", PREPARE)
def test_the_blocks_of_float32_are_summed_up(prepare: Callable[..., Any], device: torch.device) -> None:
    network = network_of("traj-gcn", channels=20)
    frames = frames_of(10, 66)
    output = prepare(network, (10, 66), "fp32", device)(frames.to(device))
    assert relative_error(output.cpu(), network(frames.double())) < 1e-6


def rounded(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.bfloat16).to(torch.float64)


def in_bfloat16(steps: Steps, frames: torch.Tensor, keep: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """The network with factors rounded to bfloat16, sums in float64, and values kept as they are stored."""
    values = {0: frames.double().mT}
    for step in steps.steps:
        numbers = matrices(step.layer, steps.shapes[step.output], len(step.inputs))
        y = torch.zeros(())
        for value, left, right in zip(step.inputs, numbers.lefts, numbers.rights, strict=True):
            product = values[value] if right is None else rounded(values[value]) @ rounded(right)
            y = y + (product if left is None else rounded(left) @ rounded(product))
        y = y * numbers.scale + numbers.shift
        y = y.tanh() if numbers.tanh else torch.where(y > 0, y, numbers.slope * y)
        y = y + sum((values[skip] for skip in step.skips), torch.zeros(()))
        values[step.output] = y if step is steps.steps[-1] else keep(y)
    return values[len(values) - 1].mT


@pytest.mark.parametrize(
    ("prepare", "name"), [(prepare_layers, "traj-gcn"), (prepare_whole, "traj-gcn"), (prepare_layers, "msrgcn-1l")]
)
def test_bfloat16_rounds_factors_and_nothing_else(prepare: Callable[..., Any], name: str, device: torch.device) -> None:
    """A sum that differs in its last bit may round the other way: a bit in 256, in few of many numbers."""
    network = network_of(name)
    frames = frames_of(10, 66)
    run = prepare(network, (10, 66), "bf16", device)
    expected = in_bfloat16(run.steps, frames, rounded if prepare is prepare_layers else lambda y: y)
    output = run(frames.to(device)).cpu()
    of_rounding = relative_error(expected, network(frames.double()))
    assert 5e-4 < of_rounding < 3e-2
    assert relative_error(output, expected) < 0.25 * of_rounding


def test_large_batches_run_in_parts(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "_CHUNK", 2)
    network = network_of("traj-gcn", num_blocks=1)
    frames = frames_of(5, 10, 66)
    run = prepare_layers(network, (5, 10, 66), exact(device), device)
    assert relative_error(run(frames.to(device)).cpu(), network(frames.double())) < 2e-6
    assert len(list(run.launches(frames.to(device)))) == 3 * len(run.steps.steps)


def test_windows_with_nan_spoil_no_others(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    def fullest(size: LayerSize, windows: int, precision: str, processors: int) -> Tiling:
        return max(tiling._candidates(size, windows, precision), key=lambda one: one.group)

    monkeypatch.setattr(launching, "tile_layer", fullest)
    network = network_of("msrgcn-2l", channels=4)
    frames = frames_of(4, 10, 66)
    run = LayerByLayer(launching._kernels(device), network, (4, 10, 66), exact(device), device)
    assert max(launch.arguments["group_out"] // launch.arguments["nodes"] for launch in run.launches(frames)) > 1
    expected = run(frames.to(device)).clone()
    frames[1, 3, 7], frames[2, 0, 0] = float("nan"), float("inf")
    output = run(frames.to(device))
    assert output[[1, 2]].isnan().all()
    assert torch.equal(output[[0, 3]], expected[[0, 3]])


def test_a_forecast_is_one_launch_a_layer_or_one(device: torch.device) -> None:
    kernels = launching._kernels(device)
    network = network_of("msrgcn-released")
    layers = sum(isinstance(module, FoldedLayer) for module in network.modules())
    run = LayerByLayer(kernels, network, (10, 66), "bf16", device)
    assert len(list(run.launches(frames_of(10, 66)))) == layers
    whole = Whole(kernels, network, (10, 66), "bf16", device)
    assert whole.launch(frames_of(10, 66)).arguments["last"] == layers


def test_programs_share_the_tiles_of_a_layer(device: torch.device) -> None:
    """Launched layer by layer, since programs that run one after another cannot wait for one another."""
    network = network_of("traj-gcn", channels=18)
    frames = frames_of(2, 10, 66)
    run = Whole(launching._kernels(device), network, (2, 10, 66), exact(device), device, processors=3)
    for layer in range(len(run.steps.steps)):
        run.launch(frames.to(device), layer, layer + 1)()
    assert run.programs == 3
    assert relative_error(run._output.cpu(), network(frames.double())) < 2e-6


def test_programs_wait_in_every_launch_anew(device: torch.device) -> None:
    network = network_of("traj-gcn", num_blocks=1)
    frames = frames_of(10, 66).to(device)
    run = prepare_whole(network, (10, 66), exact(device), device)
    outputs = [run(frames).clone() for _ in range(2)]
    assert torch.equal(*outputs)
    assert run._counter.item() == 3 * run.programs * (len(run.steps.steps) - 1)


def test_layers_move_the_fewest_bytes(for_the_compiler: None) -> None:
    """Values between layers are as long as the padded channels; in bfloat16 they take half of the memory."""
    from posegraph.inference.triton import kernels

    network = network_of("traj-gcn", num_blocks=2)
    sizes = []
    for precision in ("fp32", "bf16"):
        run = LayerByLayer(kernels, network, (8, 10, 66), precision, CPU)  # type: ignore[arg-type]
        buffers = {
            launch.arguments["out"].data_ptr(): launch.arguments["out"] for launch in run.launches(frames_of(8, 10, 66))
        }
        sizes.append(sorted(buffer.nbytes for buffer in buffers.values()))
    assert sizes == [[4 * 8 * 66 * 16] * 3 + [4 * 8 * 66 * 25], [2 * 8 * 66 * 16] * 3 + [4 * 8 * 66 * 25]]


@pytest.mark.parametrize("prepare", PREPARE)
def test_other_devices_are_refused(prepare: Callable[..., Any], for_the_compiler: None) -> None:
    with pytest.raises(ConfigError, match="expected a CUDA device for Triton kernels, got cpu"):
        prepare(network_of("traj-gcn"), (10, 66), "fp32", CPU)


@pytest.mark.parametrize("prepare", PREPARE)
def test_open_batches_and_unknown_precisions_are_refused(prepare: Callable[..., Any], device: torch.device) -> None:
    with pytest.raises(ConfigError, match=r"expected a fixed size for Triton kernels, got \(None, 10, 66\)"):
        prepare(network_of("traj-gcn"), (None, 10, 66), "fp32", device)
    with pytest.raises(ConfigError, match="precision"):
        prepare(network_of("traj-gcn"), (10, 66), "int8", device)


def test_networks_that_join_their_input_are_refused(device: torch.device) -> None:
    layer = FoldedLayer([Affine(right=torch.eye(4))])
    with pytest.raises(ConfigError, match="layers join values of equal shapes, none of them its input"):
        prepare_layers(FoldedNetwork(FoldedResidual([layer])), (4, 5), "fp32", device)


@pytest.mark.parametrize("prepare", PREPARE)
def test_without_triton_the_message_says_what_to_install(
    prepare: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'posegraph\[triton\]'"):
        prepare(FoldedNetwork(), (10, 66), "fp32", CPU)
