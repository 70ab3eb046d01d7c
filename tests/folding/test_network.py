from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from posegraph.errors import ConfigError
from posegraph.folding.forecast import ModelForecast
from posegraph.folding.network import FoldedForecast, FoldedNetwork
from posegraph.skeleton import presets
from tests.inference.models import NARROW, expected_forecast, observed_poses, relative_error, trained

RELEASED = ("msrgcn-released", "msrgcn-released-short")
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in NARROW),
    *((name, {"operator": operator}) for name in ("traj-gcn", "msrgcn-2l") for operator in ("masked", "per-node")),
    *((name, {"operator": "skeleton"}) for name in ("traj-gcn", "msrgcn-2l", "msrgcn-released")),
    ("msrgcn-released", {"operator": "per-node", "resample": "grouping"}),
    ("msrgcn", {"resample": "grouping"}),
    ("msrgcn", {"stage_skip": False}),
    ("msrgcn", {"normalize": False}),
    *((name, {"global_residual": False}) for name in ("traj-gcn", "msrgcn", "msrgcn-released")),
    *((name, {"intermediate_supervision": False}) for name in ("msrgcn", "msrgcn-released")),
    *(("msrgcn-released", {"channels": channels, "e3_input": "d3"}) for channels in ((6,), (6, 8))),
    ("msrgcn-released", {"num_coefficients": 20}),
    ("msrgcn-released", {"channels": (6,)}),
    ("traj-gcn", {"dct": False}),
    ("traj-gcn", {"num_coefficients": 15}),
    ("traj-gcn", {"skeleton": "h36m-angles"}),
    ("traj-gcn", {"skeleton": "h36m-angles", "global_residual": False}),
    *((name, {"skeleton": "cmu"}) for name in NARROW),
    *((name, {"skeleton": "cmu", "observed_frames": 7, "future_frames": 4}) for name in ("traj-gcn", "msrgcn")),
    ("msrgcn-released", {"observed_frames": 50, "future_frames": 5}),
    ("msrgcn", {"observed_frames": 1, "future_frames": 1}),
]


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=str)
def test_folded_models_forecast_the_same(name: str, settings: dict[str, Any]) -> None:
    model = trained(name, **settings)
    folded = model.folded()
    for batch in (1, 3):
        observed = observed_poses(model, batch)
        expected = expected_forecast(model, observed)
        assert relative_error(folded(observed.double()), expected) < 1e-12
        with torch.no_grad():
            of_the_plain_model = relative_error(model.predict(observed), expected)
        # Millimetres drive the tanh of Traj-GCN into saturation, where nothing but the residual keeps float32 exact.
        assert relative_error(model.folded().float()(observed), expected) < max(1e-6, of_the_plain_model)


@pytest.mark.parametrize("name", ["traj-gcn", "msrgcn", "msrgcn-released"])
def test_large_batches_forecast_the_same(name: str) -> None:
    model = trained(name)
    observed = observed_poses(model, 128)
    assert relative_error(model.folded().float()(observed), expected_forecast(model, observed)) < 1e-6


def test_the_model_stays_as_it_is() -> None:
    model = trained("msrgcn").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.folded()(observed_poses(model, 2).double())
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Count(TorchDispatchMode):
    """Counts operations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations[func.name()] += 1
        return func(*args, **kwargs or {})


def operations(run: Any, observed: torch.Tensor) -> Counter[str]:
    with torch.no_grad(), Count() as count:
        run(observed)
    return count.operations


@pytest.mark.parametrize(
    ("name", "settings", "ratio"),
    [("traj-gcn", {}, 2.0), ("msrgcn", {}, 2.0), ("msrgcn-released", {}, 2.0), ("msrgcn-1l", {}, 2.0)],
)
def test_folded_models_take_fewer_operations(name: str, settings: dict[str, Any], ratio: float) -> None:
    model = trained(name, **settings)
    observed = observed_poses(model, 1)
    plain, folded = operations(model.predict, observed), operations(model.folded().float(), observed)
    assert plain.total() > ratio * folded.total(), (plain, folded)
    assert not {key for key in folded if "cat" in key or "batch_norm" in key or "dropout" in key}


def test_a_layer_is_four_operations_for_a_single_window() -> None:
    """Two products, one scale with shift, one activation; and one sum a residual block."""
    model = trained("traj-gcn", num_blocks=2)
    more = trained("traj-gcn", num_blocks=3)
    observed = observed_poses(model, 1)
    counts = [operations(m.folded().float(), observed) for m in (model, more)]
    assert counts[1] - counts[0] == Counter(
        {"aten::mm": 4, "aten::addcmul": 2, "aten::tanh": 2, "aten::add_.Tensor": 1}
    )


def test_coarser_heads_are_left_out() -> None:
    with_heads = trained("msrgcn").folded()
    without = trained("msrgcn", intermediate_supervision=False).folded()
    sizes = [sum(tensor.numel() for tensor in folded.buffers()) for folded in (with_heads, without)]
    assert sizes[0] == sizes[1]


def test_forecasts_have_memory_of_their_own() -> None:
    kept = torch.zeros(2, 25, 66)

    def network(frames: torch.Tensor) -> torch.Tensor:
        return kept.add_(1)

    for skip in (None, torch.zeros(25, 10)):
        kept.zero_()
        forecast = FoldedForecast(FoldedNetwork(), skip, nodes=(10, 66))
        first = forecast.complete(torch.zeros(2, 10, 22, 3), network)
        before = first.clone()
        second = forecast.complete(torch.zeros(2, 10, 22, 3), network)
        assert torch.equal(first, before)
        assert torch.equal(second, first + 1)
        assert first.is_contiguous()


def test_starts_of_another_kind_are_not_folded() -> None:
    model = trained("msrgcn-1l")
    model.start[0] = torch.nn.Identity()
    with pytest.raises(ConfigError, match="expected a GraphConvBlock at the start, got Identity"):
        model.fold()
    assert isinstance(model.folded(), ModelForecast)


def test_every_built_in_skeleton_of_positions_folds() -> None:
    names = [name for name in presets.names() if presets.get(name).holds == "positions"]
    assert names
    for name in names:
        model = trained("msrgcn-2l", skeleton=name)
        observed = observed_poses(model, 2)
        assert relative_error(model.folded()(observed.double()), expected_forecast(model, observed)) < 1e-12


def test_joins_of_another_kind_are_not_folded() -> None:
    model = trained("msrgcn-released")
    model.crop[0] = torch.nn.Identity()
    with pytest.raises(ConfigError, match="expected a block that joins two inputs, got Identity"):
        model.fold()
