"""Models as they are after training: with running statistics and norms that are not those of a new one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from posegraph import registry
from posegraph.folding.network import FoldedNetwork
from posegraph.models.base import ForecastModel
from posegraph.skeleton.skeleton import Skeleton

NARROW: dict[str, dict[str, Any]] = {
    "traj-gcn": {"channels": 12, "num_blocks": 2},
    **{name: {"channels": 12, "num_blocks": 2} for name in ("msrgcn", "msrgcn-1l", "msrgcn-2l", "msrgcn-3l")},
    **{
        name: {"channels": (6, 8, 10, 12), "num_blocks": 2, "finest_end_blocks": 2}
        for name in ("msrgcn-released", "msrgcn-released-short")
    },
}
"""Settings that make every model with a folded form small enough for a test."""


def trained(name: str, *, skeleton: str | Skeleton = "h36m", **settings: Any) -> ForecastModel:
    """A narrow model with random weights, norms, running statistics and normalisation range."""
    generator = torch.Generator().manual_seed(3)
    torch.manual_seed(3)
    model = registry.build(name, skeleton=skeleton, **{**NARROW[name], **settings})
    randomize_norms(model, generator)
    if hasattr(model, "normalizer"):
        model.normalizer.set_values(-900.0, 1150.0)
    return model.eval()


def one_layer() -> FoldedNetwork:
    """The start of a folded model: what tests give to a compiler, which takes seconds for each layer."""
    return trained("msrgcn-1l", channels=4, num_blocks=1).folded().float().network[:1]


def randomize_norms(module: nn.Module, generator: torch.Generator) -> None:
    """Give every batch norm statistics, scales and shifts of its own."""
    with torch.no_grad():
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm1d):
                assert norm.running_mean is not None
                assert norm.running_var is not None
                norm.running_mean.normal_(0.0, 0.5, generator=generator)
                norm.running_var.uniform_(0.4, 2.0, generator=generator)
                norm.weight.uniform_(0.5, 1.5, generator=generator)
                norm.bias.normal_(0.0, 0.3, generator=generator)


def observed_poses(model: ForecastModel, batch: int, *, seed: int = 0) -> torch.Tensor:
    """Random poses: of 300 mm, or of a radian."""
    generator = torch.Generator().manual_seed(seed)
    size = 1.0 if model.skeleton.holds == "rotations" else 300.0
    return size * torch.randn(batch, model.observed_frames, model.num_joints, 3, generator=generator)


def expected_forecast(model: ForecastModel, observed: torch.Tensor) -> torch.Tensor:
    """What the plain model forecasts, in float64."""
    dtype = model.dtype
    with torch.no_grad():
        forecast = model.double().predict(observed.double())
    model.to(dtype)
    return forecast


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference over the largest value."""
    assert actual.shape == expected.shape
    return float((actual.double() - expected.double()).abs().max() / expected.double().abs().max())
