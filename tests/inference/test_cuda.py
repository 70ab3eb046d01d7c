"""Forecasts on a CUDA device; without one, `test_recording.py` tests all but the device's own part."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from posegraph._support.device import Precision
from posegraph.errors import ConfigError
from posegraph.forecast.forecaster import Forecaster
from posegraph.inference import choice, optimize
from posegraph.inference.backends import BACKENDS
from posegraph.models.base import ForecastModel
from tests.inference.models import NARROW, expected_forecast, observed_poses, relative_error, trained

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    # PyTorch's compilers call what PyTorch deprecates, and say how TF32 could be set.
    pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning", "ignore:.*is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*TensorFloat32.*:UserWarning", "ignore:.*new API settings.*:UserWarning"),
]
GPU = torch.device("cuda", 0)
ERROR = {"fp32": 2e-6, "tf32": 1e-2, "bf16": 5e-2}
RECORDED = [name for name, backend in BACKENDS.items() if backend.recorded]
CASES = [
    pytest.param(
        name,
        precision,
        marks=pytest.mark.skipif(backend.missing(GPU) is not None, reason=f"{name}: {backend.missing(GPU)}"),
    )
    for name, backend in BACKENDS.items()
    if "cuda" in backend.devices
    for precision in backend.precisions_on(GPU)
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSEGRAPH_CACHE", str(tmp_path))
    monkeypatch.setattr(choice, "_SECONDS", 0.01)
    return tmp_path


@pytest.fixture
def _no_waiting() -> Generator[None]:
    """Inside, what waits for the device is an error."""
    torch.cuda.synchronize()
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode(before)


def on_gpu(name: str = "msrgcn-released", **settings: Any) -> ForecastModel:
    return trained(name, **settings).to(GPU)


def expected(model: ForecastModel, observed: torch.Tensor) -> torch.Tensor:
    """What the plain model forecasts in float64, on the device of the poses."""
    return expected_forecast(model, observed.to(GPU)).to(observed.device)


@pytest.mark.parametrize(("backend", "precision"), CASES)
def test_forecasts_are_those_of_the_model(backend: Any, precision: Precision) -> None:
    """For batches of any size in any order, on the device and on the host; none writes into an earlier result."""
    model = on_gpu()
    fast = optimize(model, backend=backend, precision=precision, batch_size=16)
    assert fast.device == GPU
    kept = []
    for batch in (16, 1, 3, 200, 16, 0):
        for device in (GPU, torch.device("cpu")):
            observed = observed_poses(model, batch, seed=len(kept)).to(device)
            forecast = fast(observed)
            assert forecast.device == device
            assert forecast.dtype == torch.float32
            assert not forecast.is_pinned()
            assert forecast.shape == (batch, 25, 22, 3)
            if batch:
                kept.append((forecast, expected(model, observed)))
    errors = [relative_error(forecast, truth) for forecast, truth in kept]
    assert max(errors) < ERROR[precision], errors
    assert fast.captured_sizes == ((1, 4, 16, 256) if backend in RECORDED else ())


@pytest.mark.parametrize("name", NARROW)
def test_models_fold_alike_wherever_they_are(name: str) -> None:
    model = trained(name)
    here = model.folded().state_dict()
    there = model.to(GPU).folded().state_dict()
    assert here.keys() == there.keys()
    assert all(torch.equal(value, there[key]) for key, value in here.items())


@pytest.mark.parametrize("name", ["traj-gcn", "msrgcn"])
@pytest.mark.parametrize("skeleton", ["h36m", "cmu"])
def test_other_models_and_skeletons(name: str, skeleton: str) -> None:
    model = on_gpu(name, skeleton=skeleton)
    observed = observed_poses(model, 5).to(GPU)
    with torch.no_grad():
        of_the_plain_model = relative_error(model.predict(observed), expected(model, observed))
    for backend in ("eager", "graph"):
        error = relative_error(optimize(model, backend=cast(Any, backend))(observed), expected(model, observed))
        assert error < max(2e-6, 2 * of_the_plain_model)


def test_the_plain_backend_takes_poses_of_both() -> None:
    model = on_gpu()
    for device in (GPU, torch.device("cpu")):
        observed = observed_poses(model, 2).to(device)
        forecast = optimize(model, backend="plain")(observed)
        assert forecast.device == device
        assert relative_error(forecast, expected(model, observed)) < 2e-6


@pytest.mark.parametrize("backend", ["eager", "graph"])
def test_a_forecast_on_the_device_does_not_wait_for_it(backend: Any, request: pytest.FixtureRequest) -> None:
    fast = optimize(on_gpu(), backend=backend)
    observed = {batch: observed_poses(fast.model, batch).to(GPU) for batch in (1, 5, 1500)}
    results = {batch: fast(poses) for batch, poses in observed.items()}
    request.getfixturevalue("_no_waiting")
    again = {batch: fast(poses) for batch, poses in observed.items()}
    torch.cuda.set_sync_debug_mode("default")
    assert all(torch.equal(again[batch], results[batch]) for batch in observed)


@pytest.mark.parametrize("backend", ["eager", "graph"])
@pytest.mark.parametrize("allowed", [True, False])
def test_pytorchs_own_setting_of_tf32_has_no_effect_and_stays(backend: Any, allowed: bool) -> None:
    model = on_gpu("msrgcn-released", channels=(64, 64, 64, 64))
    observed = observed_poses(model, 4).to(GPU)
    truth = expected(model, observed)
    torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        exact = optimize(model, backend=backend)
        rounded = optimize(model, backend=backend, precision="tf32")
        for _ in range(2):
            assert relative_error(exact(observed), truth) < 2e-6
            assert relative_error(rounded(observed), truth) > 1e-6
            assert torch.backends.cuda.matmul.allow_tf32 == allowed
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_the_last_pose_is_never_rounded(precision: Precision) -> None:
    model = on_gpu()
    observed = observed_poses(model, 4).to(GPU) + 50_000.0
    exact = optimize(model, backend="graph")(observed)
    error = (optimize(model, backend="graph", precision=precision)(observed) - exact).abs().max()
    assert error < 0.1 * (exact - observed[:, -1:]).abs().max()


def test_autocast_and_inference_mode_are_not_recorded() -> None:
    model = on_gpu()
    observed = observed_poses(model, 4).to(GPU)
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
        fast = optimize(model, backend="graph")
        inside = fast(observed)
    assert torch.equal(fast(observed), inside)
    assert relative_error(inside, expected(model, observed)) < 2e-6


def test_calls_on_several_streams_and_threads_take_turns() -> None:
    model = on_gpu()
    fast = optimize(model, backend="graph", batch_size=64)
    observed = [observed_poses(model, 64, seed=seed).to(GPU) for seed in range(6)]
    torch.cuda.synchronize()
    results: list[torch.Tensor] = []
    for poses in observed:
        with torch.cuda.stream(torch.cuda.Stream()):
            results.append(fast(poses))
    torch.cuda.synchronize()
    thread = threading.Thread(target=lambda: results.append(fast(observed[0].cpu())))
    thread.start()
    thread.join()
    for forecast, poses in zip(results, [*observed, observed[0].cpu()], strict=True):
        assert relative_error(forecast, expected(model, poses)) < 2e-6


def test_several_forecasters_keep_their_memory_apart() -> None:
    models = [on_gpu("msrgcn-1l"), on_gpu("msrgcn-released")]
    fast = [optimize(model, backend="graph") for model in models]
    for batch in (1, 7, 64):
        for index, model in enumerate(models):
            observed = observed_poses(model, batch, seed=batch).to(GPU)
            assert relative_error(fast[index](observed), expected(model, observed)) < 2e-6
    del fast[0]
    torch.cuda.empty_cache()
    taken = [torch.randn(1 << 20, device=GPU) for _ in range(8)]
    observed = observed_poses(models[1], 64).to(GPU)
    assert relative_error(fast[0](observed), expected(models[1], observed)) < 2e-6
    del taken


def test_the_choice_is_made_once_for_the_device(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = on_gpu()
    fast = optimize(model, batch_size=4)
    usable = {name for name, backend in BACKENDS.items() if "cuda" in backend.devices and backend.missing(GPU) is None}
    assert set(fast.milliseconds) == {name for name in usable if BACKENDS[name].quick}
    assert fast.backend == min(fast.milliseconds, key=lambda name: fast.milliseconds[name])
    assert all(0 < value < 1000 for value in fast.milliseconds.values())
    (file,) = cache.glob("*.json")
    assert json.loads(file.read_text())["machine"]["gpu"]["name"] == torch.cuda.get_device_name(GPU)
    monkeypatch.setattr(choice, "measure", None)
    assert optimize(model, batch_size=4).backend == fast.backend
    observed = observed_poses(model, 4).to(GPU)
    assert relative_error(fast(observed), expected(model, observed)) < 2e-6


def test_poses_elsewhere_are_refused() -> None:
    fast = optimize(on_gpu(), backend="graph")
    with pytest.raises(ConfigError, match=r"expected them on the CPU or cuda:0, got meta. Call `.cpu\(\)` first."):
        fast(torch.zeros(1, 10, 22, 3, device="meta"))
    with pytest.raises(ConfigError, match="got cuda:0"):
        optimize(trained("traj-gcn"), backend="eager")(torch.zeros(1, 10, 22, 3, device=GPU))


def test_an_application_forecasts_fast(cache: Path) -> None:
    model = on_gpu("msrgcn-1l", skeleton="cmu")
    poses = 300 * np.random.default_rng(0).standard_normal((2, 12, 38, 3))
    plain, fast = Forecaster(model)(poses), Forecaster(model, fast=True)(poses)
    assert isinstance(fast, np.ndarray)
    np.testing.assert_allclose(fast, plain, rtol=0, atol=1e-5 * np.abs(plain).max())
