"""The contract of a forecasting model as small checks, for the tests of models of your own.

With pytest, one test a check:

    @pytest.mark.parametrize("check", posegraph.testing.CONTRACT_CHECKS)
    def test_my_model(check):
        check("my-model", channels=8)

Each check takes the registry name and the settings to build with; narrow settings keep it fast. A broken promise is
an `AssertionError` that says what was expected. The checks seed their own random numbers and leave the global
generator as it was.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from posegraph import registry
from posegraph.errors import MissingDependencyError, ShapeError, UnknownNameError
from posegraph.export.program import to_program
from posegraph.folding.forecast import ModelForecast
from posegraph.inference.backends import BACKENDS
from posegraph.inference.prepared import PreparedForecast
from posegraph.models.base import ForecastModel
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["CONTRACT_CHECKS", "Check", "check_model"]

Check = Callable[..., None]
"""A check: called with a registry name and settings, it raises `AssertionError` if the model breaks its promise."""

_FIVE_JOINTS = Skeleton(
    name="five-joints",
    joint_names=("pelvis", "chest", "head", "left hand", "right hand", "right thumb", "tail"),
    parents=(-1, 0, 1, 1, 1, 4, 0),
    mirrored=(("left hand", "right hand"),),
    constant=("pelvis",),
    duplicates={"right thumb": "right hand"},
)
_ELEVEN_FRAMES = {"observed_frames": 8, "future_frames": 3}
_BATCH = 4
_TRAINING_STEPS = 30


def check_model(name: str, **settings: Any) -> None:
    """Run all checks on a model.

    Args:
        name: Registry name.
        settings: Settings to build with, as for `posegraph.registry.build`.

    Raises:
        AssertionError: The model breaks promises; the message lists the failed checks, each with its reason.
        UnknownNameError: There is no model of this name.

    Examples:
        >>> from posegraph.testing import check_model
        >>> check_model("zero-velocity")
        >>> check_model("traj-gcn", channels=8, num_blocks=1)
    """
    registry.info(name)
    failures: dict[str, Exception] = {}
    for check in CONTRACT_CHECKS:
        error = _error(lambda check=check: check(name, **settings))
        if error is not None:
            failures[check.__name__] = error
    if failures:
        reasons = "".join(f"\n- {check}: {type(e).__name__}: {e}" for check, e in failures.items())
        message = f"model {name!r} fails {len(failures)} of {len(CONTRACT_CHECKS)} contract checks:{reasons}"
        raise AssertionError(message) from next(iter(failures.values()))


def check_config(name: str, **settings: Any) -> None:
    """The settings are a frozen dataclass that JSON can hold and give back."""
    config = registry.config(name, **settings)
    assert config.__dataclass_params__.frozen, f"settings: expected a frozen dataclass, got {type(config).__name__}"
    try:
        stored = json.loads(json.dumps(dataclasses.asdict(config)))
    except TypeError as error:
        raise AssertionError(f"settings: expected values that JSON can hold, got {config}: {error}") from error
    restored = registry.config(name, **stored)
    assert restored == config, (
        f"settings: expected JSON to give back {config}, got {restored}; convert in __post_init__"
    )


def check_unknown_setting(name: str, **settings: Any) -> None:
    """A setting that does not exist is refused by name."""
    error = _error(lambda: registry.build(name, **settings, no_such_setting=1))
    assert isinstance(error, UnknownNameError), f"expected UnknownNameError for an unknown setting, got {error!r}"
    assert error.name == "no_such_setting", f"expected the error to name the unknown setting, got: {error}"


def check_build(name: str, **settings: Any) -> None:
    """`registry.build` makes the model for any skeleton and number of frames, and the model knows for which."""
    for skeleton, frames in _cases(name):
        with _seeded():
            model = registry.build(name, skeleton=skeleton, **frames, **settings)
        assert isinstance(model, ForecastModel), f"expected a ForecastModel, got {type(model).__name__}"
        assert model.training, "expected a new model in training mode"
        assert model.config == registry.config(name, **settings), f"expected the settings asked for, got {model.config}"
        asked = (presets.get(skeleton), frames["observed_frames"], frames["future_frames"])
        got = (model.skeleton, model.observed_frames, model.future_frames)
        assert got == asked, f"expected skeleton, observed and future frames {asked}, got {got}"


def check_forward(name: str, **settings: Any) -> None:
    """`forward` returns a tuple of poses, finest scale first, over observed and future frames."""
    for skeleton, frames in _cases(name):
        model = _build(name, settings, skeleton, frames).eval()
        window = _window(model)
        with torch.inference_mode():
            outputs = _forward(model, _observed(model, window))
        assert isinstance(outputs, tuple), f"forward: expected a tuple, got {type(outputs).__name__}"
        assert outputs, "forward: expected at least one output, got none"
        for i, output in enumerate(outputs):
            joints = model.num_joints if i == 0 else output.shape[-2]
            expected = (_BATCH, model.total_frames, joints, 3)
            assert tuple(output.shape) == expected, (
                f"forward, output {i}, skeleton {model.skeleton.name!r}: expected (batch, observed + future frames, "
                f"joints, 3) = {expected}, got {tuple(output.shape)}"
            )
            assert output.dtype == window.dtype, f"forward, output {i}: expected {window.dtype}, got {output.dtype}"
            assert output.isfinite().all(), f"forward, output {i}: expected finite poses"
        joints = [output.shape[-2] for output in outputs]
        assert joints == sorted(joints, reverse=True), f"forward: expected the finest scale first, got {joints} joints"


def check_targets(name: str, **settings: Any) -> None:
    """`targets` has one entry an output, of its shape, and `loss` is a finite scalar."""
    for skeleton, frames in _cases(name):
        model = _build(name, settings, skeleton, frames).eval()
        window = _window(model)
        with torch.inference_mode():
            outputs = _forward(model, _observed(model, window))
            targets = model.targets(window)
            loss = model.loss(outputs, window)
        got, expected = [tuple(t.shape) for t in targets], [tuple(o.shape) for o in outputs]
        assert got == expected, f"targets: expected one an output, of the shapes {expected}, got {got}"
        assert loss.ndim == 0, f"loss: expected a scalar, got shape {tuple(loss.shape)}"
        assert loss.isfinite(), f"loss: expected a finite number, got {loss.item()}"


def check_predict(name: str, **settings: Any) -> None:
    """`predict` is the future part of the finest output, for a batch of one too."""
    model = _build(name, settings).eval()
    observed = _observed(model, _window(model))
    for batch in (observed, observed[:1]):
        with torch.inference_mode():
            predicted, finest = _predict(model, batch), _forward(model, batch)[0]
        future = finest[:, model.observed_frames :]
        assert predicted.shape == future.shape, (
            f"predict: expected (batch, future frames, joints, 3) = {tuple(future.shape)}, got {tuple(predicted.shape)}"
        )
        _assert_same(predicted, future, "predict: expected the future frames of forward's first output")


def check_evaluation_is_deterministic(name: str, **settings: Any) -> None:
    """In evaluation the same input gives the same output, whatever came before, and nothing is stored."""
    model = _build(name, settings).eval()
    observed = _observed(model, _window(model))
    before = copy.deepcopy(model.state_dict())
    with torch.inference_mode():
        first = _predict(model, observed)
        _predict(model, _observed(model, _window(model, seed=2)))
        again = _predict(model, observed)
    _assert_same(again, first, "expected equal forecasts from equal inputs in evaluation; is there hidden state?")
    changed = [key for key, value in model.state_dict().items() if not torch.equal(value, before[key])]
    assert not changed, f"expected evaluation to store nothing, but it changed {changed}"


def check_samples_are_independent(name: str, **settings: Any) -> None:
    """In evaluation the forecast of a sample does not depend on the others in its batch."""
    model = _build(name, settings).eval()
    observed, others = (_observed(model, _window(model, seed=seed)) for seed in (1, 2))
    mixed = torch.cat([observed[:1], others[1:]])
    with torch.inference_mode():
        expected, among_others, alone = (_predict(model, batch)[0] for batch in (observed, mixed, observed[:1]))
    for what, got in (("with other samples in its batch", among_others), ("alone", alone)):
        _assert_same(got, expected, f"expected the same forecast of a sample {what}")


def check_wrong_shapes(name: str, **settings: Any) -> None:
    """Poses of another skeleton or number of frames are refused with a remedy."""
    model = _build(name, settings).eval()
    observed = _observed(model, _window(model))
    full = observed.new_zeros(_BATCH, model.observed_frames, model.skeleton.num_joints, 3)
    wrong = {
        "all joints in place of the used ones": full,
        "a joint too few": observed[:, :, 1:],
        "a frame too few": observed[:, 1:],
        "a frame too many": torch.cat([observed, observed[:, :1]], dim=1),
        "no batch axis": observed[0],
    }
    for what, poses in wrong.items():
        error = _error(lambda poses=poses: _forward(model, poses))
        assert isinstance(error, ShapeError), (
            f"{what} {tuple(poses.shape)}: expected ShapeError, got {error!r}. "
            "Begin forward with self.check_observed(observed)."
        )
        assert error.remedy.strip(), f"{what} {tuple(poses.shape)}: expected a ShapeError with a remedy"


def check_gradients(name: str, **settings: Any) -> None:
    """In training the loss has a finite gradient for every parameter."""
    model = _build(name, settings).train()
    parameters = dict(model.named_parameters())
    if not parameters:
        return
    with _seeded():
        window = _window(model)
        model.loss(_forward(model, _observed(model, window)), window).backward()
    gradients = {key: parameter.grad for key, parameter in parameters.items() if parameter.requires_grad}
    unreached = [key for key, gradient in gradients.items() if gradient is None]
    assert not unreached, f"expected a gradient for every parameter, got none for {unreached}"
    infinite = [key for key, gradient in gradients.items() if gradient is not None and not gradient.isfinite().all()]
    assert not infinite, f"expected finite gradients, got others for {infinite}"
    assert any(gradient is not None and gradient.any() for gradient in gradients.values()), (
        "expected a gradient that is not zero; is the output detached from the parameters?"
    )


def check_weights_round_trip(name: str, **settings: Any) -> None:
    """The state dict, stored as safetensors and loaded into a new model, gives the same forecasts."""
    from safetensors.torch import save_file

    model = _build(name, settings)
    model.fit_statistics(iter([_window(model)]))
    model.eval()
    observed = _observed(model, _window(model))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        save_file(model.state_dict(), file)
        with _seeded(2):
            restored = registry.build(
                name,
                skeleton=model.skeleton,
                observed_frames=model.observed_frames,
                future_frames=model.future_frames,
                weights=file,
                **settings,
            ).eval()
    with torch.inference_mode():
        got, expected = _predict(restored, observed), _predict(model, observed)
    _assert_same(got, expected, "expected equal forecasts from stored weights; does forward need what is not stored?")


def check_copies_are_independent(name: str, **settings: Any) -> None:
    """`copy.deepcopy` gives a model that forecasts the same and shares nothing with the original."""
    model = _build(name, settings).eval()
    observed = _observed(model, _window(model))
    with torch.inference_mode():
        expected = _predict(model, observed)
        other = copy.deepcopy(model)
        _assert_same(_predict(other, observed), expected, "expected a deep copy to forecast the same")
        for parameter in other.parameters():
            parameter.add_(1.0)
        _assert_same(_predict(model, observed), expected, "expected a deep copy to share nothing with its original")


def check_dtype_and_device(name: str, **settings: Any) -> None:
    """The model computes in the type and on the device it is moved to; a GPU is tried where there is one."""
    for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
        model = _build(name, settings).to(device=device, dtype=torch.float64).eval()
        window = _window(model).to(device=device, dtype=torch.float64)
        with torch.inference_mode():
            outputs = (*_forward(model, _observed(model, window)), *model.targets(window))
        for output in outputs:
            assert output.dtype == torch.float64, f"expected float64 after model.double(), got {output.dtype}"
            assert output.device == window.device, f"expected outputs on {window.device}, got {output.device}"


def check_fit_statistics(name: str, **settings: Any) -> None:
    """`fit_statistics` takes an iterable that can be read only once, and the model still works afterwards."""
    model = _build(name, settings)
    result = model.fit_statistics(_window(model, seed=seed) for seed in (1, 2, 3))
    assert result is None, f"fit_statistics: expected None, got {result!r}"
    model.eval()
    with torch.inference_mode():
        predicted = _predict(model, _observed(model, _window(model)))
    assert predicted.isfinite().all(), "expected finite forecasts after fit_statistics"


def check_training_reduces_the_loss(name: str, **settings: Any) -> None:
    """A few optimiser steps on one small batch reduce the loss."""
    model = _build(name, settings)
    if not model.is_trainable:
        return
    window = _window(model)
    model.fit_statistics(iter([window]))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses: list[float] = []
    with _seeded():
        for _ in range(_TRAINING_STEPS):
            optimizer.zero_grad()
            loss = model.loss(_forward(model, _observed(model, window)), window)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    # Means over a few steps, because dropout makes single losses noisy.
    first, last = sum(losses[:5]) / 5, sum(losses[-5:]) / 5
    assert last < first, f"expected {_TRAINING_STEPS} steps to reduce the loss on one batch, {first:.4g} -> {last:.4g}"


def check_fast(name: str, **settings: Any) -> None:
    """The folded form and the exported network forecast the same, one of it for every batch size; so does ONNX Runtime.

    ONNX Runtime is tried where it is installed. Models with action labels do without.
    """
    model = _build(name, settings).eval()
    if model.actions:
        return
    observed = _observed(model, _window(model))
    folded = model.folded().to(observed.dtype)
    plain = ModelForecast(copy.deepcopy(model), (model.observed_frames, model.num_joints, 3))
    if isinstance(folded, ModelForecast) and folded.is_plain:  # the same, so it is exported once
        plain = folded
    program: list[torch.export.ExportedProgram] = []
    error = _error(lambda: program.append(to_program(plain.network, plain.input_shape(None))))
    assert error is None, (
        f"expected predict to be exported for every batch size, got {type(error).__name__}: {error}. Take sizes from "
        "tensor.shape[0], not from len(tensor), and decide nothing by values."
    )
    runs: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "the folded form": folded,
        "the exported network": program[0].module(),
    }
    if BACKENDS["onnx"].missing() is None and model.is_trainable:
        with suppress(MissingDependencyError):  # an operation that only PyTorch's exporter knows, which needs more
            runs["ONNX Runtime"] = PreparedForecast(folded, BACKENDS["onnx"], "fp32", batch_size=None)
    with torch.inference_mode():
        for size in (_BATCH, 1):
            expected = _predict(model, observed[:size])
            for what, run in runs.items():
                got = run(observed[:size])
                _assert_same(got, expected, f"batch of {size}: expected {what} to forecast as predict does")


CONTRACT_CHECKS: tuple[Check, ...] = (
    check_config,
    check_unknown_setting,
    check_build,
    check_forward,
    check_targets,
    check_predict,
    check_evaluation_is_deterministic,
    check_samples_are_independent,
    check_wrong_shapes,
    check_gradients,
    check_weights_round_trip,
    check_copies_are_independent,
    check_dtype_and_device,
    check_fit_statistics,
    check_training_reduces_the_loss,
    check_fast,
)
"""All checks, in the order in which to read their failures."""


def _cases(name: str) -> list[tuple[str | Skeleton, Mapping[str, int]]]:
    """Skeletons and frames to build for: the published ones, and others that no model can have built in."""
    spec = registry.info(name)
    default = {"observed_frames": spec.observed_frames, "future_frames": spec.future_frames}
    return [("h36m", default), ("cmu", default), (_FIVE_JOINTS, _ELEVEN_FRAMES)]


def _build(
    name: str,
    settings: dict[str, Any],
    skeleton: str | Skeleton = _FIVE_JOINTS,
    frames: Mapping[str, int] = _ELEVEN_FRAMES,
) -> ForecastModel:
    with _seeded():
        return registry.build(name, skeleton=skeleton, **frames, **settings)


def _window(model: ForecastModel, seed: int = 1) -> torch.Tensor:
    """Smooth motion of the used joints in mm, about as large as people move."""
    with _seeded(seed):
        rest, swing, phase = torch.randn(3, _BATCH, 1, model.num_joints, 3).unbind()
    time = torch.arange(model.total_frames).view(1, -1, 1, 1)
    return 400 * rest + 80 * swing * torch.sin(0.2 * time + phase)


def _observed(model: ForecastModel, window: torch.Tensor) -> torch.Tensor:
    return window[:, : model.observed_frames]


def _labels(model: ForecastModel, batch: int) -> tuple[torch.Tensor, ...]:
    """What a model takes besides the poses: nothing, or the label of an action for each sample."""
    return (torch.arange(batch, device=model.device) % len(model.actions),) if model.actions else ()


def _forward(model: ForecastModel, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return model(observed, *_labels(model, len(observed)))


def _predict(model: ForecastModel, observed: torch.Tensor) -> torch.Tensor:
    return model.predict(observed, *_labels(model, len(observed)))


def _error(call: Callable[[], object]) -> Exception | None:
    try:
        call()
    except Exception as error:
        return error
    return None


def _assert_same(actual: torch.Tensor, expected: torch.Tensor, message: str) -> None:
    """Up to rounding: kernels may sum in another order for another batch size or memory address."""
    error = float((actual - expected).abs().max())
    assert error <= 1e-4 * float(expected.abs().max()), f"{message}; poses differ by up to {error:.3g} mm"


@contextmanager
def _seeded(seed: int = 1) -> Generator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
