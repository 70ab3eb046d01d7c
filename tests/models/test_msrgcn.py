"""MSR-GCN of the paper's text: its sizes, its wiring, and what each setting changes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from posegraph import registry
from posegraph.errors import ConfigError, SkeletonError, UnknownNameError
from posegraph.layers import GraphConv, JointPool, JointUnpool, NodeResample
from posegraph.layers.poses import pad_last_pose
from posegraph.models import MSRGCN
from posegraph.skeleton import presets
from posegraph.skeleton.automatic import automatic_groupings
from posegraph.skeleton.skeleton import Skeleton
from tests.authors import relative_error

NODES = (66, 36, 21, 12)
CHAIN = Skeleton("chain", tuple(f"joint{i}" for i in range(12)), (-1, *range(11)))


def narrow(name: str = "msrgcn", **settings) -> MSRGCN:
    torch.manual_seed(0)
    model = registry.build(name, **{"channels": 8, "num_blocks": 1, **settings})
    assert isinstance(model, MSRGCN)
    return model


def means(fine: np.ndarray, groups: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Mean pose ``(batch, frames, groups, 3)`` of each group of joints."""
    return np.stack([fine[:, :, list(group)].mean(2) for group in groups], axis=2)


def poses(batch: int, frames: int, joints: int, seed: int = 0) -> torch.Tensor:
    return 300 * torch.randn(batch, frames, joints, 3, generator=torch.Generator().manual_seed(seed))


# --- sizes ----------------------------------------------------------------------------------------------------------


def parameter_count(nodes: tuple[int, ...], width: int = 256, frames: int = 35, blocks: int = 6) -> int:
    """Counted from the paper's description, layer by layer."""

    def graph_conv(k: int, a: int, b: int) -> int:
        return k * k + a * b + b

    def batch_norm(k: int, b: int) -> int:
        return 2 * k * b

    count = 0
    finest = nodes[0]
    for channels in (frames, width):  # start
        count += graph_conv(finest, channels, width) + batch_norm(finest, width)
    for k in nodes:
        count += 2 * blocks * 2 * (graph_conv(k, width, width) + batch_norm(k, width))  # D and A
        count += graph_conv(k, 2 * width, width) + batch_norm(k, width) + graph_conv(k, width, frames)  # end
    for fine, coarse in itertools.pairwise(nodes):
        for target, source in ((coarse, fine), (fine, coarse)):  # down and up
            count += target * source + target + batch_norm(target, width)
    return count


@pytest.mark.parametrize(("name", "scales"), [("msrgcn-1l", 1), ("msrgcn-2l", 2), ("msrgcn-3l", 3), ("msrgcn", 4)])
def test_parameter_counts(name, scales):
    with torch.device("meta"):
        model = registry.build(name)
    assert sum(p.numel() for p in model.parameters()) == parameter_count(NODES[:scales])


def test_the_full_network_has_nine_million_parameters():
    assert parameter_count(NODES) == 9_024_054


def test_layers_and_operations():
    model = registry.build("msrgcn").eval()
    layers = [module for module in model.modules() if isinstance(module, GraphConv | NodeResample)]
    heads = [module for module in model.end[1:].modules() if isinstance(module, GraphConv)]
    assert (len(layers), len(layers) - len(heads)) == (112, 106)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 10, 22, 3))
    multiply_adds = sum(
        layer.num_nodes * layer.in_channels * layer.out_channels + layer.num_nodes**2 * layer.out_channels
        if isinstance(layer, GraphConv)
        else layer.in_nodes * layer.out_nodes * 256
        for layer in layers
    )
    pooling = 35 * 3 * (22 * 12 + 12 * 7 + 7 * 4)
    assert counter.get_total_flops() == 2 * (multiply_adds + pooling)
    assert counter.get_total_flops() == pytest.approx(560.6e6, abs=0.1e6)


# --- wiring ---------------------------------------------------------------------------------------------------------


def record(model: MSRGCN, observed: torch.Tensor) -> dict[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    """Input and output of every stage and head in one forward pass."""
    seen: dict[nn.Module, tuple[torch.Tensor, torch.Tensor]] = {}
    modules = [*model.encoder, *model.decoder, *model.end, *model.down, *model.up, model.start]
    hooks = [m.register_forward_hook(lambda m, args, out: seen.update({m: (args[0], out)})) for m in modules]
    with torch.inference_mode():
        model(observed)
    for hook in hooks:
        hook.remove()
    return seen


def test_every_stage_reads_what_the_figure_draws():
    model = narrow().eval()
    seen = record(model, poses(2, 10, 22))
    assert torch.equal(seen[model.encoder[0]][0], seen[model.start][1])
    for fine in range(3):
        assert torch.equal(seen[model.down[fine]][0], seen[model.encoder[fine]][1])
        assert torch.equal(seen[model.encoder[fine + 1]][0], seen[model.down[fine]][1])
        assert torch.equal(seen[model.up[fine]][0], seen[model.decoder[fine + 1]][1])
        assert torch.equal(seen[model.decoder[fine]][0], seen[model.up[fine]][1])
    assert torch.equal(seen[model.decoder[3]][0], seen[model.encoder[3]][1])
    for scale in range(4):
        both = torch.cat([seen[model.encoder[scale]][1], seen[model.decoder[scale]][1]], dim=2)
        assert torch.equal(seen[model.end[scale]][0], both)


@pytest.mark.parametrize("fine", [0, 1, 2])
def test_no_decoder_but_the_deepest_reads_an_encoder(fine):
    """Cut off from the scale below, A is constant whatever D of its scale holds."""

    class Silent(nn.Module):
        def forward(self, x):
            return x.new_zeros(len(x), NODES[fine], 8)

    model = narrow().eval()
    model.up[fine] = Silent()
    first, second = (record(model, poses(1, 10, 22, seed)) for seed in (0, 1))
    assert not torch.allclose(first[model.encoder[fine]][1], second[model.encoder[fine]][1])
    assert torch.equal(first[model.decoder[fine]][1], second[model.decoder[fine]][1])


def silence_heads(model: MSRGCN) -> None:
    for head in model.end:
        for parameter in head[1].parameters():
            nn.init.zeros_(parameter)


def test_the_padded_poses_are_added_at_every_scale():
    model = narrow().eval()
    observed = poses(2, 10, 22)
    model.fit_statistics([observed])
    silence_heads(model)
    padded = pad_last_pose(observed, 25).numpy()
    expected = [padded]
    for grouping in presets.get("h36m").groupings["22-12-7-4"]:
        expected.append(means(expected[-1], grouping.groups))
    for output, pooled in zip(model(observed), expected, strict=True):
        assert relative_error(output, torch.from_numpy(pooled)) < 1e-5


def test_without_global_residual_silent_heads_give_the_middle_of_the_range():
    model = narrow(global_residual=False).eval()
    model.normalizer.set_values(-100.0, 300.0)
    silence_heads(model)
    for output in model(poses(2, 10, 22)):
        assert torch.equal(output, torch.full_like(output, 100.0))


def test_stage_skip_adds_the_input_of_every_stage():
    model, plain = narrow().eval(), narrow(stage_skip=False).eval()
    x = torch.randn(2, 66, 8)
    for stage, other in ((model.encoder[0], plain.encoder[0]), (model.decoder[0], plain.decoder[0])):
        torch.testing.assert_close(stage(x), other(x) + x)


# --- settings -------------------------------------------------------------------------------------------------------


def test_normalisation_makes_the_unit_irrelevant():
    """In metres or millimetres, the forecast is the same."""
    model, observed = narrow().eval(), poses(2, 10, 22)
    model.fit_statistics([observed, 2 * observed])
    assert float(model.normalizer.maximum) == float(2 * observed.max())
    in_millimetres = model.predict(observed)
    model.fit_statistics([observed / 1000, observed / 500])
    assert relative_error(1000 * model.predict(observed / 1000), in_millimetres) < 1e-4


def test_normalisation_can_be_left_off():
    model = narrow(normalize=False)
    model.fit_statistics([poses(2, 35, 22)])
    assert (float(model.normalizer.minimum), float(model.normalizer.maximum)) == (-1.0, 1.0)


def test_fixed_resampling_takes_means_over_the_groups():
    model = narrow(resample="grouping")
    for fine, grouping in enumerate(model.groupings):
        down, up = model.down[fine].resample, model.up[fine].resample
        assert isinstance(down, JointPool)
        assert isinstance(up, JointUnpool)
        assert down.grouping == up.grouping == grouping.over_axes()
    assert not [key for key, _ in model.named_parameters() if "resample" in key]


@pytest.mark.parametrize("operator", ["learned", "masked", "skeleton", "per-node"])
def test_operators_reach_as_far_as_their_graph(operator):
    """Eight graph operators in a row, on a chain of twelve joints: how far does the last joint see?"""
    model = narrow("msrgcn-1l", operator=operator, skeleton=CHAIN).eval()
    observed = poses(1, 10, 12).requires_grad_()
    model.predict(observed)[:, :, 11].sum().backward()
    assert observed.grad is not None
    reached = (observed.grad.abs().sum((0, 1, 3)) > 0).nonzero().flatten().tolist()
    first = {"learned": 0, "masked": 3, "skeleton": 3, "per-node": 11}[operator]
    assert reached == list(range(first, 12))


def test_masked_operators_follow_the_bones_at_every_scale():
    leg = Skeleton("leg", ("hip", "knee", "foot"), (-1, 0, 1))
    model = narrow("msrgcn-2l", operator="masked", skeleton=leg)
    bones = ((0, 1), (1, 2)), ((0, 1),)
    kept = [model.encoder[scale].blocks[0].layers[0].operator.mask[::3, ::3] for scale in (0, 1)]
    for mask, links in zip(kept, bones, strict=True):
        expected = torch.eye(len(mask))
        for i, j in links:
            expected[i, j] = expected[j, i] = 1
        assert torch.equal(mask, expected)


def test_mirrored_poses_give_mirrored_forecasts():
    """A network that knows nothing but the skeleton treats left and right alike."""
    model = narrow(operator="skeleton", resample="grouping").eval()
    mirror = list(model.skeleton.reduced.mirror)
    assert mirror != sorted(mirror)
    observed = poses(2, 10, 22)
    assert relative_error(model.predict(observed[:, :, mirror]), model.predict(observed)[:, :, mirror]) < 1e-5


def test_per_node_forecasts_follow_any_order_of_the_joints():
    model = narrow("msrgcn-1l", operator="per-node").eval()
    order = torch.randperm(22, generator=torch.Generator().manual_seed(1))
    observed = poses(2, 10, 22)
    assert relative_error(model.predict(observed[:, :, order]), model.predict(observed)[:, :, order]) < 1e-5


def test_the_grouping_can_be_chosen():
    model = narrow(skeleton="cmu", grouping="25-10-5-3").eval()
    assert [output.shape[2] for output in model(poses(1, 10, 25))] == [25, 10, 5, 3]


def test_a_skeleton_without_grouping_gets_an_automatic_one():
    model = narrow(skeleton=CHAIN).eval()
    assert model.groupings == automatic_groupings(CHAIN.parents, 3)
    assert [output.shape[2] for output in model(poses(1, 10, 12))] == [12, 6, 3, 2]


def test_loss_is_the_sum_over_the_scales():
    model = narrow().eval()
    window = poses(2, 35, 22)
    outputs = model(window[:, :10])
    expected, truth = 0.0, window
    for output, grouping in zip(outputs, (None, *model.groupings), strict=True):
        if grouping is not None:
            truth = torch.from_numpy(means(truth.numpy(), grouping.groups))
        expected += sum(math.dist(p, q) for p, q in zip(flat(output), flat(truth), strict=True)) / len(flat(truth))
    assert model.loss(outputs, window).item() == pytest.approx(expected, rel=1e-5)


def flat(x: torch.Tensor) -> list[list[float]]:
    return x.detach().reshape(-1, 3).tolist()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"channels": 0}, ConfigError, "channels: expected an integer of at least 1, got 0"),
        ({"num_scales": 0}, ConfigError, "num_scales: expected an integer of at least 1, got 0"),
        ({"num_blocks": 1.5}, ConfigError, "num_blocks: expected an integer of at least 1, got 1.5"),
        ({"dropout": 1.0}, ConfigError, r"dropout: expected a number in \[0, 1\), got 1.0"),
        ({"resample": "mean"}, ConfigError, "resample: expected one of 'learned', 'grouping'; got 'mean'"),
        ({"operator": "free"}, ConfigError, "operator: expected one of 'learned', 'masked', .* got 'free'"),
        ({"grouping": "22-11"}, UnknownNameError, "unknown grouping '22-11'. .*22-12-7-4, parts, automatic, random-0"),
        ({"num_scales": 5}, SkeletonError, "expected 4 levels for 5 scales, got 3"),
    ],
)
def test_errors(settings, error, message):
    with pytest.raises(error, match=message):
        registry.build("msrgcn", **settings)
