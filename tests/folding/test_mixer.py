from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from posegraph import registry
from posegraph.folding.mixer import FoldedMixerBlock, MirroredMixer, Product, after_norm, centred
from posegraph.models.base import ForecastModel
from tests.folding.test_network import operations
from tests.inference.models import expected_forecast, observed_poses, relative_error


def mixer(**settings: Any) -> ForecastModel:
    """A narrow model with random weights and statistics."""
    torch.manual_seed(3)
    narrow = {"channels": 24, "num_blocks": 2, "num_heads": 4}
    model = registry.build("graph-mixer", **{**narrow, **settings})
    joints = model.num_joints
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.normalizer.set_values(100 * torch.randn(joints, 3), 50 + 100 * torch.rand(joints, 3))
    model.motion_scale.fill_(70.0)
    return model.eval()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mirrored": False},
        {"caution": 0.0},
        {"skeleton": "cmu"},
        {"observed_frames": 1, "future_frames": 1},
        {"observed_frames": 25, "future_frames": 4, "num_heads": 1, "num_blocks": 1},
    ],
    ids=str,
)
def test_the_folded_mixer_forecasts_the_same(settings: dict[str, Any]) -> None:
    model = mixer(**settings)
    folded = model.folded()
    assert isinstance(folded.network, MirroredMixer)
    for batch in (1, 3):
        observed = observed_poses(model, batch)
        expected = expected_forecast(model, observed)
        last = observed[:, -1:].double()
        assert float((expected - last).abs().max()) > 1, "nothing moves, so nothing is tested"
        assert relative_error(folded(observed.double()) - last, expected - last) < 1e-12
        assert relative_error(model.folded().float()(observed), expected) < 1e-6


def test_poses_that_do_not_move_stay() -> None:
    model = mixer()
    for parameter in model.head.parameters():
        nn.init.zeros_(parameter)
    observed = observed_poses(model, 2).double()
    assert torch.equal(model.folded()(observed), observed[:, -1:].expand(-1, 25, -1, -1))


def test_it_takes_fewer_operations() -> None:
    model = mixer()
    observed = observed_poses(model, 1)
    plain, folded = operations(model.predict, observed), operations(model.folded().float(), observed)
    assert folded["aten::addmm"] == 1 + 4 * 2, "a product with its shift at the end, and four a block"
    assert plain.total() > folded.total()
    assert not {key for key in folded if "dropout" in key}


def test_norms_become_part_of_the_product_behind_them() -> None:
    norm, linear, x = nn.LayerNorm(6).double(), nn.Linear(6, 4).double(), torch.randn(5, 6).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    folded = after_norm(norm, linear.weight.detach().T, linear.bias.detach())
    bare = nn.functional.layer_norm(x, (6,), eps=norm.eps)
    assert relative_error(folded(bare), linear(norm(x)).detach()) < 1e-12


def test_centred_products_have_no_mean() -> None:
    weight, shift, x = torch.randn(6, 4).double(), torch.randn(4).double(), torch.randn(5, 6).double()
    y = Product(weight, shift)(x)
    assert relative_error(centred(weight, shift)(x), y - y.mean(1, keepdim=True)) < 1e-12


def test_blocks_do_not_depend_on_the_number_of_windows() -> None:
    block = FoldedMixerBlock(mixer().blocks[0])
    rows = torch.randn(3 * 22, 24).double()
    rows -= rows.mean(1, keepdim=True)
    assert relative_error(torch.cat([block(rows[:22]), block(rows[22:])]), block(rows)) < 1e-12
