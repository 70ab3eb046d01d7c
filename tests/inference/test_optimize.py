from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import torch

import posegraph
from posegraph import registry
from posegraph.errors import ConfigError, ShapeError
from posegraph.inference import OptimizedForecaster, choice, optimize
from posegraph.inference.backends import BACKENDS
from tests.inference.models import expected_forecast, observed_poses, relative_error, trained
from tests.inference.recorder import CpuRecorder

QUICK = [name for name, backend in BACKENDS.items() if backend.quick and backend.missing() is None]
# The backends of other packages are in the extras "onnx" and "openvino"; without them PyTorch's own is tested alone.


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSEGRAPH_CACHE", str(tmp_path))
    monkeypatch.setattr(choice, "_SECONDS", 0.01)
    return tmp_path


def test_the_package_offers_it() -> None:
    assert posegraph.optimize is optimize
    assert "optimize" in dir(posegraph)


@pytest.mark.parametrize("backend", QUICK)
@pytest.mark.parametrize("name", ["traj-gcn", "msrgcn", "msrgcn-released"])
def test_forecasts_are_those_of_the_model(name: str, backend: Any) -> None:
    """For batches of any size in any order, whatever size it was made for."""
    model = trained(name)
    for batch_size in (None, 3):
        fast = optimize(model, backend=backend, batch_size=batch_size)
        kept = []
        for batch in (3, 1, 128, 3):
            observed = observed_poses(model, batch, seed=len(kept))
            expected = expected_forecast(model, observed)
            forecast = fast.predict(observed)
            assert forecast.dtype == torch.float32
            assert not forecast.requires_grad
            assert relative_error(forecast, expected) < 1e-6
            kept.append((forecast, expected))
        assert all(relative_error(forecast, expected) < 1e-6 for forecast, expected in kept), "memory was used again"


@pytest.mark.parametrize("backend", [name for name in QUICK if "bf16" in BACKENDS[name].precisions])
def test_bfloat16_keeps_the_linear_part_exact(backend: Any) -> None:
    """Only what the network adds to the last pose is rounded, not the position itself."""
    model = trained("msrgcn-released")
    observed = observed_poses(model, 4) + 50_000.0
    error = (
        (optimize(model, backend=backend, precision="bf16")(observed) - optimize(model, backend="eager")(observed))
        .abs()
        .max()
    )
    change = (optimize(model, backend="eager")(observed) - observed[:, -1:]).abs().max()
    assert error < 0.1 * change


@pytest.mark.parametrize("name", registry.names())
def test_every_registered_model_is_taken(name: str, cache: Path) -> None:
    narrow: dict[str, Any] = {
        "dmgnn": {"channels": (4,), "decoder_channels": 8, "fusion_levels": 0},
        "simlpe": {"num_blocks": 1},
        "graph-mixer": {"channels": 12, "num_blocks": 1},
        "residual-sup": {"channels": 16},
        "pgbig": {"channels": 4, "num_stages": 2},
        "msrgcn-released": {"channels": (6, 8), "num_blocks": 1, "finest_end_blocks": 1},
        "msrgcn-released-short": {"channels": (6, 8), "num_blocks": 1, "finest_end_blocks": 1, "num_coefficients": 14},
        "msrgcn": {"channels": 6, "num_blocks": 1},
        "traj-gcn": {"channels": 6, "num_blocks": 1},
    }
    key = next((key for key in sorted(narrow, key=len, reverse=True) if name.startswith(key)), None)
    model = registry.build(name, future_frames=5, **(narrow[key] if key else {})).eval()
    fast = optimize(model)
    assert fast.backend in fast.explanation
    assert fast.changes_nothing == (fast.backend == "plain")
    assert (name == "zero-velocity") <= fast.changes_nothing
    observed = observed_poses(model, 2)
    labels = (torch.zeros(2, dtype=torch.int64),) if model.actions else ()
    with torch.no_grad():
        expected = model.predict(observed, *labels)
    assert relative_error(fast.predict(observed, *labels), expected) < 5e-6


def test_the_choice_is_made_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def measure(runs: Any, frames: torch.Tensor) -> dict[str, float]:
        asked.append(tuple(runs))
        assert frames.shape[0] == 3
        return {name: float(index) for index, name in enumerate(reversed(list(runs)))}

    monkeypatch.setattr(choice, "measure", measure)
    model = trained("traj-gcn")
    for _ in range(2):
        fast = optimize(model, batch_size=3)
        assert fast.backend == QUICK[-1]
        assert fast.milliseconds[fast.backend] == 0.0
    assert asked == [("eager", "plain", *QUICK[1:])]
    (file,) = cache.glob("*.json")
    file.write_text('{"milliseconds": {"a backend of tomorrow": 0.1}}')
    assert optimize(model, batch_size=3).backend == QUICK[-1]
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("factor", "why"),
    [
        (1.01, r"backend 'onnx' is left out of the choice: its forecasts are wrong by \de-0\d of the largest value"),
        (float("nan"), "wrong by nan"),
        ("a matrix", "'onnx' is left out of the choice: TypeError: "),
    ],
)
def test_a_candidate_that_is_wrong_or_fails_is_never_chosen(
    factor: Any, why: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(network: Any, shape: Any, precision: Any, device: Any) -> Any:
        return lambda frames: factor * network(frames)

    monkeypatch.setitem(BACKENDS, "onnx", dataclasses.replace(BACKENDS["onnx"], prepare=prepare, packages=()))
    with pytest.warns(RuntimeWarning, match=why):
        fast = optimize(trained("msrgcn-1l"))
    assert "eager" in fast.milliseconds
    assert "onnx" not in fast.milliseconds
    assert dict(optimize(trained("msrgcn-1l")).milliseconds) == dict(fast.milliseconds), "asked once"


def test_what_was_compiled_before_is_measured_too(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []

    def is_kept(network: Any, shape: Any, precision: Any, device: Any) -> bool:
        assert network(torch.zeros(3, 10, 66)).shape == (3, 25, 66)
        return (shape, precision, device.type) in kept

    aot = dataclasses.replace(
        BACKENDS["aot"], prepare=lambda network, *_: network, needs_compiler=False, is_kept=is_kept
    )
    monkeypatch.setitem(BACKENDS, "aot", aot)
    model = trained("msrgcn-1l", channels=4, num_blocks=1)
    assert "aot" not in optimize(model, batch_size=3).milliseconds
    kept.append(((3, 10, 66), "fp32", "cpu"))
    assert "aot" in optimize(model, batch_size=3).milliseconds
    assert "aot" not in optimize(model).milliseconds


def test_it_keeps_the_weights_of_its_time() -> None:
    model = trained("traj-gcn")
    observed = observed_poses(model, 2)
    for backend in ("eager", "plain"):
        fast = optimize(model, backend=backend)
        before = fast(observed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.5)
        assert torch.equal(fast(observed), before)


def test_models_in_training_and_other_number_types() -> None:
    model = trained("msrgcn-1l").train()
    observed = observed_poses(model, 2)
    fast = optimize(model, backend="eager")
    assert model.training
    expected = expected_forecast(model.eval(), observed)
    assert relative_error(fast(observed), expected) < 1e-6
    assert relative_error(fast(observed.double()), expected) < 1e-6
    assert relative_error(optimize(model.double(), backend="eager")(observed), expected) < 1e-6


@pytest.mark.parametrize("backend", ["plain", *QUICK])
@pytest.mark.parametrize("name", ["msrgcn-1l", "graph-mixer"])
def test_eight_threads_may_forecast_at_once(name: str, backend: Any) -> None:
    if name == "graph-mixer" and backend == "static":
        pytest.skip("static: serves layered networks only")
    settings = {"channels": 12, "num_blocks": 1} if name == "graph-mixer" else {"channels": 4, "num_blocks": 1}
    model = registry.build(name, **settings).eval()
    fast = optimize(model, backend=backend)
    inputs = [observed_poses(model, 1 + number % 2, seed=number) for number in range(8)]
    expected = [expected_forecast(model, observed) for observed in inputs]
    start, wrong = Barrier(8), []

    def work(number: int) -> None:
        start.wait()
        results = [fast(inputs[number]) for _ in range(20)]
        wrong.extend(number for result in results if relative_error(result, expected[number]) > 1e-5)

    threads = [Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("backend", QUICK)
def test_another_thread_than_the_one_that_optimised_can_forecast(backend: Any) -> None:
    model = trained("msrgcn-1l")
    fast = optimize(model, backend=backend)
    results: dict[int, torch.Tensor] = {}
    for batch in (1, 3):
        observed = observed_poses(model, batch)
        thread = Thread(target=lambda poses: results.update({len(poses): fast(poses)}), args=[observed])
        thread.start()
        thread.join()
        assert relative_error(results[batch], expected_forecast(model, observed)) < 1e-6


def test_an_empty_batch_gives_an_empty_forecast() -> None:
    model = trained("msrgcn-1l")
    assert optimize(model, backend="eager")(observed_poses(model, 0)).shape == (0, 25, 22, 3)


def test_backends_of_fixed_batches_take_others_too(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[Any] = []

    def prepare(network: Any, shape: Any, precision: Any, device: Any) -> Any:
        def run(frames: torch.Tensor) -> torch.Tensor:
            assert frames.shape == shape
            return network(frames)

        prepared.append(shape)
        return run

    fixed = dataclasses.replace(BACKENDS["aot"], prepare=prepare, needs_compiler=False)
    monkeypatch.setitem(BACKENDS, "aot", fixed)
    model = trained("traj-gcn", channels=4, num_blocks=1)
    fast = optimize(model, backend="aot", batch_size=2)
    for batch in (2, 5, 2, 1, 1):
        observed = observed_poses(model, batch)
        assert relative_error(fast(observed), expected_forecast(model, observed)) < 1e-6
    assert prepared == [(2, 10, 66), (10, 66)]


def test_it_says_what_it_is() -> None:
    assert repr(optimize(trained("traj-gcn"), backend="eager")) == (
        "OptimizedForecaster('traj-gcn', backend='eager', precision='fp32', device='cpu')"
    )


def test_poses_of_another_shape_or_device_are_refused() -> None:
    fast = optimize(trained("traj-gcn"), backend="eager")
    with pytest.raises(ShapeError, match=r"observed poses: expected \(batch, 10 frames, 22 joints, 3\)"):
        fast(torch.zeros(1, 10, 25, 3))
    with pytest.raises(
        ConfigError, match=r"observed poses: expected them on the CPU, got meta. Call `.cpu\(\)` first."
    ):
        fast(torch.zeros(1, 10, 22, 3, device="meta"))


@pytest.mark.parametrize(
    ("cuda", "here"), [(False, "the CPU; not CUDA: there is no CUDA device"), (True, "the CPU and CUDA")]
)
def test_models_on_other_devices_are_refused(cuda: bool, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    with pytest.raises(
        ConfigError,
        match=rf"expected a model on the CPU or a CUDA device, got one on meta. Available here: {here}. Move",
    ):
        optimize(trained("traj-gcn").to("meta"))


@pytest.mark.parametrize("device", ["cpu", "cuda:0"], ids=["on the device", "on the host"])
@pytest.mark.parametrize(("name", "batch_size"), [("traj-gcn", None), ("msrgcn-released", 3)])
def test_recorded_forecasts_are_those_of_the_model(name: str, batch_size: int | None, device: str) -> None:
    """With a recorder that runs again what was recorded, on the CPU."""
    model = trained(name)
    fast = OptimizedForecaster(
        model, backend="graph", precision="fp32", batch_size=batch_size, recorder=CpuRecorder(device)
    )
    assert fast.captured_sizes == (batch_size or 1,)
    kept = []
    for batch in (3, 1, 21, 3):
        observed = observed_poses(model, batch, seed=len(kept))
        kept.append((fast(observed), expected_forecast(model, observed)))
    assert all(relative_error(forecast, expected) < 1e-6 for forecast, expected in kept)
    assert fast.captured_sizes == ((1, 3, 32) if batch_size else (1, 4, 32))
    assert optimize(model, backend="eager").captured_sizes == ()


def test_recorded_backends_that_compile_do_so_for_few_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[Any] = []

    def prepare(network: Any, shape: Any, precision: Any, device: Any) -> Any:
        prepared.append(shape)
        return network

    model = trained("msrgcn-1l", channels=4, num_blocks=1)
    for quick, shapes in ((False, [(3, 10, 66), (10, 66)]), (True, [(3, 10, 66), (4, 10, 66), (10, 66)])):
        prepared.clear()
        monkeypatch.setitem(BACKENDS, "compile", dataclasses.replace(BACKENDS["compile"], prepare=prepare, quick=quick))
        fast = OptimizedForecaster(
            model, backend="compile", precision="fp32", batch_size=3, recorder=CpuRecorder("cpu")
        )
        for batch in (3, 4, 1):
            observed = observed_poses(model, batch)
            assert relative_error(fast(observed), expected_forecast(model, observed)) < 1e-6
        assert prepared == shapes


@pytest.mark.parametrize("backend", ["plain", *QUICK])
def test_what_is_made_in_inference_mode_forecasts_everywhere(backend: Any) -> None:
    model = trained("msrgcn-1l")
    observed = observed_poses(model, 3)
    with torch.inference_mode():
        fast = optimize(model, backend=backend)
        inside = fast(observed)
    assert not any(value.is_inference() for value in fast.model.state_dict().values())
    forecast = fast(observed)
    assert torch.equal(forecast.add_(1), inside + 1)


def test_autocast_has_no_effect() -> None:
    model = trained("msrgcn-1l")
    observed = observed_poses(model, 2)
    fast = optimize(model, backend="eager")
    expected = fast(observed)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fast(observed), expected)


def test_settings_that_cannot_work_are_refused() -> None:
    model, still = trained("traj-gcn"), registry.build("zero-velocity")
    with pytest.raises(ConfigError, match="precision: expected one of 'fp32', 'tf32', 'bf16'; got 'int8'"):
        optimize(model, precision="int8")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="backend: expected one of 'auto', 'plain', 'eager', "):
        optimize(model, backend="tvm")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="batch_size: expected an integer of at least 1, got 0"):
        optimize(model, batch_size=0)
    with pytest.raises(
        ConfigError, match=r"precision: 'tf32' is of CUDA devices, got a model on the CPU. Use 'fp32' or"
    ):
        optimize(model, precision="tf32")
    with pytest.raises(ConfigError, match=r"backend 'graph': works on CUDA devices only.* got a model on the CPU"):
        optimize(model, backend="graph")
    with pytest.raises(ConfigError, match="backend 'plain' computes in the model's own type, got 'bf16'"):
        optimize(model, backend="plain", precision="bf16")
    with pytest.raises(ConfigError, match="backend 'static': expected a layered network, got a model of another kind"):
        optimize(still, backend="static")


def test_models_with_action_labels_keep_their_own_code() -> None:
    model = registry.build("residual-sup", channels=8, actions=("walking", "running")).eval()
    fast = optimize(model)
    assert fast.changes_nothing
    assert fast.explanation == (
        "backend 'plain', the model as it is, no faster: the model takes action labels, which backends do not pass on"
    )
    observed, action = observed_poses(model, 2), torch.tensor([0, 1])
    with torch.no_grad():
        assert torch.equal(fast(observed, action), model.predict(observed, action))
    for settings in ({"backend": "eager"}, {"precision": "bf16"}):
        with pytest.raises(
            ConfigError, match="folded: expected a model of poses alone, got ResidualSup with labels of 2"
        ):
            optimize(model, **settings)


def test_the_explanation_names_times_and_what_was_left_out(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "measure", lambda runs, frames: {name: 1.0 + index for index, name in enumerate(runs)})
    explanation = optimize(trained("traj-gcn"), batch_size=3).explanation
    assert explanation.startswith(
        "backend 'eager', PyTorch, operation by operation: the quickest for 3 windows of eager 1.00 ms, plain 2.00 ms, "
    )
    assert "'compile' compiles for up to a minute, so it runs when asked for" in explanation
    assert "graph" not in explanation, "a backend of another device"
    for name in ("pgbig", "graph-mixer"):
        narrow = {"pgbig": {"channels": 4, "num_stages": 1}, "graph-mixer": {"channels": 12, "num_blocks": 1}}[name]
        fast = optimize(registry.build(name, **narrow).eval())
        assert "'static' serves layered networks only" in fast.explanation
        assert ("'eager' is the same as 'plain'" in fast.explanation) == (name == "pgbig")


@pytest.mark.parametrize(
    ("able", "warns"),
    [
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}, True),
        ({"architecture": "x86_64", "avx512_bf16": True, "amx_bf16": False}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_processors_without_bfloat16_are_named_at_once(able, warns, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        optimize(trained("traj-gcn"), backend="eager", precision="bf16")
    assert any("no instructions for bfloat16" in str(warning.message) for warning in seen) == warns
