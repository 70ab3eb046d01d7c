"""Residual sup.: an independent implementation step by step, sizes, initial values, and labels."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from posegraph import registry
from posegraph.errors import ConfigError, ShapeError
from posegraph.models import ResidualSup
from posegraph.skeleton.skeleton import Skeleton
from posegraph.testing.contract import CONTRACT_CHECKS
from tests.layers.test_gru import numpy_gru

NAMES = ("residual-sup", "residual-sup-untied")
LABELS = ("walking", "eating", "smoking")
OBSERVED, FUTURE = 4, 6


def oracle(model: ResidualSup, observed: np.ndarray, action: np.ndarray | None) -> np.ndarray:
    """The future vectors, coordinates in mm and then labels, one sample and one step after the other."""
    state = {key: value.double().numpy().T for key, value in model.state_dict().items()}
    mean, std = state["normalizer.mean"].T.flatten(), state["normalizer.std"].T.flatten()

    def gru(name: str) -> list[np.ndarray]:
        return [state[f"{name}.{layer}.{part}"] for layer in ("gates", "candidate") for part in ("weight", "bias")]

    encoder = gru("encoder")
    decoder = encoder if model.config.tied else gru("decoder")
    outputs = []
    for i, poses in enumerate(observed):
        label = np.zeros(len(model.actions))
        if action is not None:
            label[action[i]] = 1.0
        hidden = np.zeros(model.config.channels)
        for pose in poses[:-1]:
            hidden = numpy_gru(np.concatenate([(pose.flatten() - mean) / std, label]), hidden, *encoder)
        x = np.concatenate([(poses[-1].flatten() - mean) / std, label])
        steps = []
        for _ in range(model.future_frames):
            hidden = numpy_gru(x, hidden, *decoder)
            y = hidden @ state["head.weight"] + state["head.bias"]
            x = y + x if model.config.residual else y
            steps.append(np.concatenate([x[: len(mean)] * std + mean, x[len(mean) :]]))
        outputs.append(steps)
    return np.array(outputs)


def oracle_loss(model: ResidualSup, window: np.ndarray, action: np.ndarray | None) -> float:
    future = oracle(model, window[:, :OBSERVED], action)
    truth = window[:, OBSERVED:].reshape(len(window), FUTURE, -1)
    std = model.normalizer.std.numpy().flatten()
    errors = [(future[..., : len(std)] - truth) / std]
    if action is not None:
        errors.append(future[..., len(std) :] - np.eye(len(model.actions))[action][:, None])
    return float(np.mean(np.concatenate(errors, axis=-1) ** 2))


def case(name: str, labels: tuple[str, ...] = (), **settings) -> tuple[ResidualSup, torch.Tensor, torch.Tensor | None]:
    """A narrow model in float64 with large weights, a window, and the actions."""
    model = registry.build(
        name,
        skeleton="cmu",
        observed_frames=OBSERVED,
        future_frames=FUTURE,
        channels=7,
        actions=labels,
        **settings,
    ).double()
    assert isinstance(model, ResidualSup)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    window = 300 * torch.randn(3, OBSERVED + FUTURE, 25, 3, dtype=torch.float64, generator=generator)
    model.fit_statistics([window])
    return model, window, torch.tensor([2, 0, 2]) if labels else None


cases = pytest.mark.parametrize(
    ("name", "labels", "settings"),
    [
        *((name, labels, {}) for name in NAMES for labels in ((), LABELS)),
        ("residual-sup", LABELS, {"residual": False}),
    ],
)


@cases
def test_forecasts_match_the_formulas(name, labels, settings):
    model, window, action = case(name, labels, **settings)
    observed = window[:, :OBSERVED]
    expected = oracle(model, observed.numpy(), None if action is None else action.numpy())
    poses, *label_errors = model(observed, action)
    assert torch.equal(poses[:, :OBSERVED], observed)
    future = poses[:, OBSERVED:].flatten(2).detach().numpy()
    assert np.abs(future - expected[..., :75]).max() < 1e-12 * np.abs(expected[..., :75]).max()
    assert torch.equal(model.predict(observed, action), poses[:, OBSERVED:])
    assert len(label_errors) == bool(labels)
    if action is not None:
        carried = label_errors[0].detach().numpy() + np.eye(3)[action][:, None]
        np.testing.assert_allclose(carried, expected[..., 75:], rtol=1e-12, atol=1e-12)


@cases
def test_the_loss_and_its_gradient_match_the_formulas(name, labels, settings):
    """The gradient along a random direction, which passes through the forecasts that are fed back."""
    model, window, action = case(name, labels, **settings)
    indices = None if action is None else action.numpy()
    loss = model.loss(model(window[:, :OBSERVED], action), window)
    assert loss.item() == pytest.approx(oracle_loss(model, window.numpy(), indices), rel=1e-12)

    loss.backward()
    generator = torch.Generator().manual_seed(1)
    directions = [torch.randn(p.shape, dtype=p.dtype, generator=generator) for p in model.parameters()]
    slope = sum(float((p.grad * d).sum()) for p, d in zip(model.parameters(), directions, strict=True))
    step, values = 1e-6, []
    with torch.no_grad():
        for factor in (step, -2 * step):
            for parameter, direction in zip(model.parameters(), directions, strict=True):
                parameter += factor * direction
            values.append(oracle_loss(model, window.numpy(), indices))
    assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-7)


@pytest.mark.parametrize(
    ("name", "skeleton", "labels", "count"),
    [
        ("residual-sup", "h36m", 0, 3_419_202),
        ("residual-sup", "h36m", 15, 3_480_657),
        ("residual-sup", "cmu", 0, 3_456_075),
        ("residual-sup", "cmu", 8, 3_488_851),
        ("residual-sup-untied", "h36m", 0, 6_770_754),
        ("residual-sup-untied", "h36m", 15, 6_878_289),
        ("residual-sup-untied", "cmu", 0, 6_835_275),
        ("residual-sup-untied", "cmu", 8, 6_892_627),
    ],
)
def test_parameter_counts(name, skeleton, labels, count):
    """With D inputs and H = 1024: 3 H (D + H + 1) for each GRU and (H + 1) D for the output layer."""
    model = registry.build(name, skeleton=skeleton, actions=[f"action {i}" for i in range(labels)])
    assert sum(p.numel() for p in model.parameters()) == count


def test_initial_values_of_the_output_layer():
    torch.manual_seed(0)
    head = registry.build("residual-sup").get_submodule("head")
    for parameter in head.parameters():
        assert 0.036 < parameter.detach().abs().max().item() <= 0.04
    assert head.weight.detach().var().item() == pytest.approx(0.04**2 / 3, rel=0.02)


def test_a_silent_network_repeats_the_last_pose():
    model, window, _ = case("residual-sup")
    for parameter in model.head.parameters():
        torch.nn.init.zeros_(parameter)
    predicted = model.predict(window[:, :OBSERVED])
    torch.testing.assert_close(predicted, window[:, OBSERVED - 1 : OBSERVED].expand(-1, FUTURE, -1, -1))


def test_statistics_are_those_of_the_training_frames():
    model, window, _ = case("residual-sup")
    frames = window.numpy().reshape(-1, 25, 3)
    np.testing.assert_allclose(model.normalizer.mean, frames.mean(0), rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(model.normalizer.std, frames.std(0), rtol=1e-12)


def test_the_recipe_is_the_authors():
    for name in NAMES:
        recipe = registry.info(name).recipe
        assert (recipe.optimizer.kind, recipe.optimizer.clip_norm) == ("sgd", 5.0)
        assert (recipe.sampling.kind, recipe.sampling.batch_size) == ("clips", 16)
        assert recipe.schedule.epochs * recipe.sampling.steps_per_epoch == 100_000
        rates = [
            recipe.learning_rate_at(step // recipe.sampling.steps_per_epoch + 1) for step in (0, 9_999, 10_000, 99_999)
        ]
        assert rates == pytest.approx([0.005, 0.005, 0.005 * 0.95, 0.005 * 0.95**9])


def leg_model(**settings) -> ResidualSup:
    """A model of rotations whose knee turns about one axis only."""
    leg = Skeleton(
        "leg", ("hip", "knee", "foot"), (-1, 0, 1), constant=("hip",), holds="rotations", locked={"knee": "xz"}
    )
    model = registry.build(
        "residual-sup", skeleton=leg, observed_frames=3, future_frames=2, channels=5, **settings
    ).double()
    assert isinstance(model, ResidualSup)
    return model


def test_locked_axes_are_no_input_and_stay_as_observed():
    model, observed = leg_model(), torch.randn(2, 3, 2, 3, dtype=torch.float64)
    assert model.encoder.in_channels == model.head.out_features == 4
    predicted, last = model.predict(observed), observed[:, -1:].expand(-1, 2, -1, -1)
    torch.testing.assert_close(predicted[..., 0, ::2], last[..., 0, ::2], rtol=1e-12, atol=1e-12)
    assert not torch.isclose(predicted, last)[..., [0, 1, 1, 1], [1, 0, 1, 2]].any()
    bent = observed.clone()
    bent[:, :, 0, ::2] += 10.0
    assert torch.equal(model.predict(bent)[..., [0, 1, 1, 1], [1, 0, 1, 2]], predicted[..., [0, 1, 1, 1], [1, 0, 1, 2]])


def test_the_loss_leaves_locked_axes_out():
    model, window = leg_model(), torch.randn(2, 5, 2, 3, dtype=torch.float64)
    outputs = model(window[:, :3])
    loss = model.loss(outputs, window)
    window[:, 3:, 0, ::2] += 5.0
    assert torch.equal(model.loss(outputs, window), loss)
    window[:, 3:, 0, 1] += 5.0
    assert not torch.equal(model.loss(outputs, window), loss)


def test_mixed_precision_trains():
    model, window, action = case("residual-sup", LABELS, residual=False)
    model.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model(window[:, :OBSERVED].float(), action)
    loss = model.loss(tuple(output.float() for output in outputs), window.float())
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_labels_change_the_forecast():
    model, window, _ = case("residual-sup", LABELS)
    observed = window[:1, :OBSERVED]
    forecasts = [model.predict(observed, model.action_labels([name])).detach() for name in LABELS]
    assert all(float((forecasts[i] - forecasts[i - 1]).abs().max()) > 1.0 for i in range(3))


@pytest.mark.parametrize("training", [True, False])
def test_targets_have_the_shapes_of_the_outputs(training):
    """Label errors are returned where they are trained, and only there."""
    model, window, action = case("residual-sup", LABELS)
    model.train(training)
    outputs, targets = model(window[:, :OBSERVED], action), model.targets(window)
    assert [output.shape for output in outputs] == [target.shape for target in targets]
    assert len(outputs) == 1 + training
    assert targets[0] is window
    assert not any(target.any() for target in targets[1:])


def test_labels_that_are_kept_are_no_error():
    """With outputs equal to the targets the loss is zero."""
    model, window, _ = case("residual-sup", LABELS)
    assert model.loss(model.targets(window), window).item() == 0.0


def test_settings_survive_json():
    config = registry.config("residual-sup", actions=list(LABELS))
    assert config.actions == LABELS
    assert registry.config("residual-sup", **json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_actions_may_have_any_integer_type(dtype):
    model, window, action = case("residual-sup", LABELS)
    observed = window[:, :OBSERVED]
    assert action is not None
    assert torch.equal(model.predict(observed, action.to(dtype)), model.predict(observed, action))


@pytest.mark.parametrize("actions", ["walking", ("walking", "eating", "walking"), 3])
def test_actions_must_be_different_names(actions):
    with pytest.raises(ConfigError, match="actions: expected a list of different names, such as"):
        registry.build("residual-sup", actions=actions)


def test_too_few_observed_frames_are_refused():
    with pytest.raises(ConfigError, match=r"observed_frames: expected at least 2, one to encode .* got 1"):
        registry.build("residual-sup", observed_frames=1)


@pytest.mark.parametrize("call", ["forward", "predict"])
def test_a_missing_action_is_refused(call):
    model, window, _ = case("residual-sup", LABELS)
    with pytest.raises(ConfigError, match=r"index a sample into walking, eating, smoking; got none.*pass action=model"):
        getattr(model, call)(window[:, :OBSERVED])


def test_an_action_without_labels_is_refused():
    model, window, _ = case("residual-sup")
    with pytest.raises(ConfigError, match=r"expected none, because .* without labels\. Leave it out"):
        model.predict(window[:, :OBSERVED], torch.tensor([0, 1, 2]))


@pytest.mark.parametrize("action", [[0, 1, 3], [-1, 0, 1]])
def test_actions_out_of_range_are_refused(action):
    model, window, _ = case("residual-sup", LABELS)
    with pytest.raises(ConfigError, match=r"indices in 0\.\.2 into walking, .* got .*model.action_labels"):
        model.predict(window[:, :OBSERVED], torch.tensor(action))


@pytest.mark.parametrize(
    ("action", "got"),
    [
        (torch.tensor([0, 1]), r"\(2,\) torch.int64"),
        (torch.tensor([[0], [1], [2]]), r"\(3, 1\) torch.int64"),
        (torch.tensor([0.0, 1.0, 2.0]), r"\(3,\) torch.float32"),
        (torch.tensor([True, True, False]), r"\(3,\) torch.bool"),
        ("walking", "str"),
    ],
)
def test_other_shapes_of_actions_are_refused(action, got):
    model, window, _ = case("residual-sup", LABELS)
    with pytest.raises(ShapeError, match=f"action: expected a tensor of 3 integers, got {got}. Give one action"):
        model.predict(window[:, :OBSERVED], action)


@pytest.mark.parametrize("check", CONTRACT_CHECKS)
def test_the_contract_holds_with_labels(check):
    check("residual-sup", channels=16, actions=LABELS)
