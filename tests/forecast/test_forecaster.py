from __future__ import annotations

import copy
import pickle
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from posegraph import checkpoint, data, registry
from posegraph.errors import CheckpointError, ConfigError, DataError, ShapeError, UnknownNameError
from posegraph.forecast.forecaster import Forecaster
from posegraph.models.base import ForecastModel
from posegraph.models.zero_velocity import ZeroVelocity
from posegraph.skeleton import presets
from posegraph.weights.reference import resolve
from tests.forecast.toys import BODY, Drift, Labelled, poses


def test_zero_velocity_repeats_the_last_full_pose() -> None:
    cmu = presets.get("cmu")
    generator = torch.Generator().manual_seed(0)
    motion = cmu.expand(torch.randn(12, 25, 3, generator=generator), torch.randn(38, 3, generator=generator))
    forecast = Forecaster(ZeroVelocity(skeleton=cmu, future_frames=5))(motion)
    assert torch.equal(forecast, motion[-1:].expand(5, -1, -1))


def test_every_joint_comes_from_where_it_should() -> None:
    motion = poses(7)
    forecast = Forecaster(Drift())(motion)
    for frame in range(2):
        moved = motion[-1] + (frame + 1) * torch.tensor([1.0, 2.0, 3.0])
        torch.testing.assert_close(forecast[frame, 1:3], moved[1:3])
        assert torch.equal(forecast[frame, 3], forecast[frame, 2])  # the copy follows its source, not its own past
        assert torch.equal(forecast[frame, 0], motion[-1, 0])  # the constant joint stays


def test_only_the_last_frames_count() -> None:
    motion = poses(7)
    forecaster = Forecaster(Drift())
    assert torch.equal(forecaster(motion), forecaster(motion[-3:]))


def test_a_batch_is_forecast_as_its_windows_are() -> None:
    motion = poses(5, 3)
    forecaster = Forecaster(Drift())
    assert torch.equal(forecaster(motion), torch.stack([forecaster(window) for window in motion]))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numpy_and_torch_agree_and_keep_their_type(dtype: str) -> None:
    motion = poses(2, 4).numpy().astype(dtype)
    forecaster = Forecaster(Drift())
    forecast = forecaster(motion)
    assert isinstance(forecast, np.ndarray)
    assert forecast.dtype == motion.dtype
    from_torch = forecaster(torch.from_numpy(motion))
    assert isinstance(from_torch, torch.Tensor)
    assert from_torch.dtype == getattr(torch, dtype)
    np.testing.assert_array_equal(forecast, from_torch.numpy())


def test_any_numpy_memory_is_accepted() -> None:
    motion = poses(4).numpy()
    backwards = motion[::-1]
    backwards.setflags(write=False)
    forecaster = Forecaster(Drift())
    np.testing.assert_array_equal(forecaster(backwards), forecaster(backwards.copy()))


def test_models_of_other_precision_work() -> None:
    forecast = Forecaster(Drift().double())(poses(3))
    assert forecast.dtype == torch.float32


def test_the_result_is_an_ordinary_tensor_without_history() -> None:
    motion = poses(3).requires_grad_()
    forecast = Forecaster(Drift())(motion)
    assert not forecast.requires_grad
    assert not forecast.is_inference()
    before = motion.detach().clone()
    forecast += 1
    assert torch.equal(motion, before)


def test_the_model_runs_in_evaluation_mode_and_gets_its_modes_back() -> None:
    model = Drift()
    modes = {name: module.training for name, module in model.named_modules()}
    assert modes == {"": True, "noise": True, "frozen": False}
    forecaster = Forecaster(model)
    assert torch.equal(forecaster(poses(3)), forecaster(poses(3)))  # no dropout
    assert {name: module.training for name, module in model.named_modules()} == modes


def test_modes_come_back_after_an_error() -> None:
    class Broken(Drift):
        def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
            raise RuntimeError("broken")

    model = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        Forecaster(model)(poses(3))
    assert model.training
    assert model.noise.training


def test_the_model_is_moved_to_a_device() -> None:
    model = Drift()
    assert Forecaster(model, device="cpu").model is model
    assert Forecaster(Drift(), device="meta").model.step.device.type == "meta"


def test_too_few_frames() -> None:
    message = (
        "poses: expected (at least 3 frames, 4 joints, 3), got (2, 4, 3). The model sees 3 frames: wait for more, "
        "or build it with fewer observed_frames."
    )
    with pytest.raises(ShapeError, match=re.escape(message)):
        Forecaster(Drift())(poses(2))
    with pytest.raises(ShapeError, match=re.escape("(batch, at least 3 frames, 4 joints, 3), got (5, 2, 4, 3)")):
        Forecaster(Drift())(poses(5, 2))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 2, 3), "(frames, 4 joints, 3), got (3, 2, 3)"),
        ((1, 3, 2, 3), "(batch, frames, 4 joints, 3), got (1, 3, 2, 3)"),
        ((4, 3), "(frames, 4 joints, 3), got (4, 3)"),
    ],
)
def test_wrong_joints(shape: tuple[int, ...], expected: str) -> None:
    message = f"poses: expected {expected}. Give all joints of skeleton 'body', unused ones too"
    with pytest.raises(ShapeError, match=re.escape(message)):
        Forecaster(Drift())(torch.zeros(shape))


def test_integers_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"poses: expected floating-point numbers, got int64"):
        Forecaster(Drift())(np.zeros((3, 4, 3), dtype=np.int64))


def test_gaps_are_refused_where_the_model_sees_them() -> None:
    motion = poses(5)
    motion[0] = torch.nan  # too long ago
    motion[-1, 0] = torch.nan  # the constant joint
    forecaster = Forecaster(Drift())
    assert forecaster(motion)[:, 1:].isfinite().all()
    motion[-2:, 2] = torch.inf
    message = (
        "poses: expected finite positions in the last 3 frames, got NaN or infinity in 2 of them (joints b). "
        "Fill gaps first"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        forecaster(motion)


def test_labels_are_given_where_they_are_needed_and_only_there():
    with pytest.raises(ConfigError, match="action: expected one of bow, wave, because the model takes action labels"):
        Forecaster(Labelled())
    with pytest.raises(ConfigError, match="action: expected none, because the model takes no action labels, got 'bow'"):
        Forecaster(Drift(), action="bow")
    with pytest.raises(UnknownNameError, match="unknown action label of the model 'jump'"):
        Forecaster(Labelled(), action="jump")


@pytest.mark.filterwarnings("ignore:fast=True changes nothing")
@pytest.mark.parametrize("name", ["traj-gcn", "msrgcn", "pgbig"])
def test_fast_forecasts_are_the_same(name):
    settings = {"channels": 8, "num_stages": 2} if name == "pgbig" else {"channels": 8, "num_blocks": 1}
    model = registry.build(name, skeleton="cmu", **settings)
    clip = data.load("cmu", "samples", split="test", actions=["walking"]).select("test")[0]
    plain, fast = Forecaster(model)(clip.poses[:40]), Forecaster(model, fast=True)(clip.poses[:40])
    assert float((fast - plain).abs().max()) <= 1e-5 * float(plain.abs().max())
    assert model.training


# What computes


def chosen(backend: str) -> Callable[[ForecastModel], SimpleNamespace]:
    """As `optimize`, where the choice is known."""
    return lambda model: SimpleNamespace(
        backend=backend,
        explanation=f"backend {backend!r}, told by lot",
        milliseconds={backend: 1.25},
        device=torch.device("cpu"),
        predict=copy.deepcopy(model).eval().predict,
    )


def test_it_says_what_computes_and_why(monkeypatch):
    model = registry.build("traj-gcn", skeleton="cmu", channels=8, num_blocks=1)
    plain = Forecaster(model)
    assert plain.backend == "plain"
    assert plain.explanation == "traj-gcn runs as it is, in PyTorch, because fast=True was not asked for."
    assert repr(plain) == "Forecaster('traj-gcn', backend='plain', device='cpu')"
    monkeypatch.setattr("posegraph.forecast.forecaster.optimize", chosen("eager"))
    fast = Forecaster(model, fast=True)
    assert fast.backend == "eager"
    assert fast.explanation.startswith("traj-gcn")
    assert "backend 'eager', " in fast.explanation


def test_where_nothing_is_faster_it_says_so(monkeypatch):
    monkeypatch.setattr("posegraph.forecast.forecaster.optimize", chosen("plain"))
    with pytest.warns(RuntimeWarning, match="fast=True changes nothing: Drift"):
        forecaster = Forecaster(Drift(), fast=True)
    assert torch.equal(forecaster(poses(3)), Forecaster(Drift())(poses(3)))


# References and wrappers


def test_a_reference_stands_for_its_model(shipped):
    clip = data.load("cmu", "samples", split="test", actions=["walking"]).select("test")[0]
    expected = Forecaster(checkpoint.load(shipped / "traj-gcn" / "tiny"))(clip.poses[:40])
    for reference in ("traj-gcn/tiny", shipped / "traj-gcn" / "tiny", resolve("tiny", model="traj-gcn")):
        assert torch.equal(Forecaster(reference, device="cpu")(clip.poses[:40]), expected)
    fast = Forecaster("traj-gcn/tiny", fast=True)
    torch.testing.assert_close(fast(clip.poses[:40]), expected, rtol=1e-5, atol=1e-2)
    with pytest.raises(ConfigError, match="action: expected none, because the model takes no action labels, got 'bow'"):
        Forecaster("traj-gcn/tiny", action="bow")
    with pytest.raises(CheckpointError, match=r"traj-gcn: expected a trained model, found the name .*'traj-gcn/tiny'"):
        Forecaster("traj-gcn")


def test_a_wrapper_is_taken_off():
    model = Drift()
    for wrapped in (nn.DataParallel(model), torch.compile(model, backend="eager")):
        assert Forecaster(wrapped).model is model  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [nn.Linear(2, 2), None, 3])
def test_what_is_no_model_is_refused(other):
    message = rf"model: expected a ForecastModel or a reference to a trained one, got {type(other).__name__}\. Build"
    with pytest.raises(ConfigError, match=message):
        Forecaster(other)


# Beside training


def trained_network() -> ForecastModel:
    torch.manual_seed(0)
    return registry.build("traj-gcn", skeleton=BODY, observed_frames=3, future_frames=2, channels=8, num_blocks=1)


def test_threads_may_share_a_forecaster_of_a_model_in_training_mode(monkeypatch):
    model = trained_network()
    forecaster, windows = Forecaster(model), 300 * poses(4, 3, 3)
    expected = [forecaster(own) for own in windows]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda at: torch.equal(forecaster(windows[at % 4]), expected[at % 4]), range(200)))
    finally:
        sys.setswitchinterval(interval)
    assert all(found)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_forecasts_follow_the_training_of_the_model():
    model = trained_network()
    forecaster, window = Forecaster(model), 300 * poses(3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        model(300 * torch.rand(4, 3, 2, 3))[0].mean().backward()
        optimizer.step()
        expected = Forecaster(copy.deepcopy(model).eval())(window)
        assert torch.equal(forecaster(window), expected)
    model.load_state_dict({key: torch.zeros_like(value) for key, value in model.state_dict().items()}, assign=True)
    assert torch.equal(forecaster(window), Forecaster(copy.deepcopy(model).eval())(window))
    model.double()
    torch.testing.assert_close(forecaster(window), Forecaster(copy.deepcopy(model).eval())(window))


# Copies


@pytest.mark.parametrize("again", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"])
@pytest.mark.parametrize("fast", [False, True])
def test_a_copy_forecasts_the_same_with_weights_of_its_own(again, fast):
    model, window = trained_network(), 300 * poses(3)
    forecaster = Forecaster(model, fast=fast)
    other, expected = again(forecaster), forecaster(window)
    torch.testing.assert_close(other(window), expected, rtol=1e-5, atol=1e-3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    torch.testing.assert_close(other(window), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", ["traj-gcn", "graph-mixer"])
def test_a_forecast_does_not_walk_through_the_modules(name, monkeypatch):
    """They are hundreds."""
    forecaster = Forecaster(registry.build(name, skeleton="cmu"))
    monkeypatch.setattr(nn.Module, "named_modules", None)
    forecaster(torch.zeros(10, 38, 3))


def test_large_positions_are_no_gaps():
    motion = torch.full((3, 4, 3), 60000.0, dtype=torch.float16)  # their sum is infinite
    assert Forecaster(Drift().double())(motion).shape == (2, 4, 3)
