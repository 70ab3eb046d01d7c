"""siMLPe: the authors' outputs, and every gradient of a second implementation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from posegraph import checkpoint, registry
from posegraph.errors import CheckpointError, ConfigError
from posegraph.layers.losses import joint_distance_loss
from posegraph.models import SiMLPe
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton
from tests.authors import FIXTURES, fixture_input, fixture_json, fixture_state, relative_error
from tests.models import reference, reference_simlpe


def authors_state() -> dict[str, torch.Tensor]:
    return fixture_state(fixture_json("simlpe_h36m")["parameters"])


def as_published(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """In the names of the authors' files, which differ from those of their class."""
    return {key.replace("motion_mlp.mlps.", "motion_transformer.transformer."): value for key, value in state.items()}


def authors_model(skeleton: str | Skeleton = "h36m", **settings) -> SiMLPe:
    model = registry.build("simlpe", skeleton=skeleton, **settings)
    assert isinstance(model, SiMLPe)
    model.load_state_dict(model.convert_authors_state(authors_state()))
    return model


def window(frames: int = 75) -> torch.Tensor:
    """Poses in mm, in float64."""
    return fixture_input(1, (2, frames, 22, 3), 800).double()


def assert_network_is_the_authors(model: SiMLPe) -> None:
    with torch.inference_mode():
        output = model.forward_coefficients(fixture_input(0, (3, 50, 66), 1))
    assert relative_error(output, np.load(FIXTURES / "simlpe_h36m.npz")["output"]) < 1e-6


def test_evaluation_matches_the_authors():
    assert_network_is_the_authors(authors_model().eval())


@pytest.mark.parametrize("future", [4, 10, 25])
def test_forecasts_match_the_reference(future):
    """In one pass, or in three that read each other's frames."""
    model = authors_model(future_frames=future).eval().double()
    observed = window()[:, :50]
    with torch.inference_mode():
        (output,) = model(observed)
        expected = 1000 * reference_simlpe.forecast(reference.trainable(authors_state()), observed / 1000, passes=3)
    assert torch.equal(output[:, :50], observed)
    assert output.shape[1] == 50 + future
    assert relative_error(output[:, 50:], expected[:, :future]) < 1e-12


def test_every_gradient_matches_the_reference():
    model = authors_model().train().double()
    poses = window()
    loss = model.loss(model(poses[:, :50]), poses)

    state = reference.trainable(authors_state())
    forecast = reference_simlpe.forecast(state, poses[:, :50] / 1000, passes=1)
    expected = reference_simlpe.loss(forecast, poses[:, 50:] / 1000)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)

    loss.backward()
    expected.backward()
    converted = model.convert_authors_state(reference.gradients(state))
    ours = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert set(converted) == set(ours)
    for name, gradient in converted.items():
        if name.startswith("blocks") and name.count(".") == 2 and name.endswith("bias"):  # the norm cancels it
            assert float(ours[name].norm()) < 1e-10 * float(converted[name.replace("bias", "weight")].norm()), name
        else:
            assert relative_error(ours[name], gradient) < 1e-11, name


def test_the_loss_ends_with_the_first_pass():
    model = registry.build("simlpe", num_blocks=1, frames_per_pass=6)
    poses = window()
    outputs = torch.randn_like(poses)
    loss = model.loss((outputs,), poses)
    for frames in (slice(50), slice(56, 75)):
        others = outputs.clone()
        others[:, frames] += 100
        assert torch.equal(model.loss((others,), poses), loss)
    outputs[:, 55] += 100
    assert not torch.equal(model.loss((outputs,), poses), loss)


def test_a_single_frame_has_no_velocity_loss():
    poses, outputs = window(), window().flip(0)
    for settings in ({"frames_per_pass": 1}, {"future_frames": 1}):
        model = registry.build("simlpe", num_blocks=1, **settings)
        expected = joint_distance_loss(outputs[:, 50:51] / 1000, poses[:, 50:51] / 1000)
        torch.testing.assert_close(model.loss((outputs,), poses), expected)


def test_a_new_model_repeats_the_last_pose():
    """The authors start near that, with initial weights close to zero."""
    observed = window()[:, :50].float()
    with torch.inference_mode():
        predicted = registry.build("simlpe").eval().predict(observed)
    assert float((predicted - observed[:, -1:]).abs().max()) < 0.01


def test_parameters_do_not_depend_on_the_future():
    longer, shorter = authors_model().eval(), authors_model(future_frames=10).eval()
    observed = window()[:, :50].float()
    with torch.inference_mode():
        torch.testing.assert_close(longer.predict(observed)[:, :10], shorter.predict(observed))


def test_metres_inside():
    """Poses in metres, of a skeleton that says so, give the same forecasts."""
    metres = dataclasses.replace(presets.get("h36m"), unit="m")
    observed = window()[:, :50].float()
    with torch.inference_mode():
        expected = authors_model().eval().predict(observed)
        predicted = authors_model(metres).eval().predict(observed / 1000)
    assert relative_error(1000 * predicted, expected) < 1e-5


@pytest.mark.parametrize(("observed", "asked", "expected"), [(50, None, 10), (8, None, 8), (50, 25, 25), (8, 3, 3)])
def test_frames_of_a_pass(observed, asked, expected):
    model = registry.build("simlpe", observed_frames=observed, num_blocks=1, frames_per_pass=asked)
    assert isinstance(model, SiMLPe)
    assert model.frames_per_pass == expected


def test_a_pass_forecasts_no_more_than_is_observed():
    message = r"frames_per_pass: expected at most 8, the number of observed frames, got 9\. Forecast fewer"
    with pytest.raises(ConfigError, match=message):
        registry.build("simlpe", observed_frames=8, frames_per_pass=9)


@pytest.mark.parametrize("name", ["num_blocks", "frames_per_pass"])
def test_sizes_are_positive(name):
    with pytest.raises(ConfigError, match=f"{name}: expected an integer of at least 1, got 0"):
        registry.build("simlpe", **{name: 0})


def test_the_parameter_count_is_the_published_one():
    assert fixture_json("simlpe_h36m")["num_parameters"] == 137_580
    assert sum(p.numel() for p in registry.build("simlpe").parameters()) == 137_580


@pytest.mark.parametrize("rename", [dict, as_published])
@pytest.mark.parametrize("container", [dict, lambda state: {"state_dict": state}])
def test_published_weights_forecast_as_the_authors_do(tmp_path, rename, container):
    torch.save(container(rename(authors_state())), tmp_path / "weights.pth")
    model = checkpoint.from_authors("simlpe", tmp_path / "weights.pth", skeleton="h36m")
    assert isinstance(model, SiMLPe)
    assert (model.observed_frames, model.future_frames) == (50, 25)
    assert_network_is_the_authors(model)


@pytest.mark.parametrize("key", ["motion_fc.weight", "motion_mlp.mlps.0.fc1.fc.weight", "motion_mlp.0.fc0.fc.weight"])
def test_foreign_keys_are_refused(key):
    with pytest.raises(CheckpointError, match=f"parameter '{key}': expected the authors' names motion_fc_in"):
        SiMLPe.convert_authors_state({key: torch.zeros(1)})


def test_the_last_quarter_trains_slowly():
    recipe = registry.info("simlpe").recipe
    assert recipe.schedule.epochs * (recipe.sampling.steps_per_epoch or 0) == 40_000
    rates = [recipe.learning_rate_at(epoch) for epoch in range(1, 41)]
    assert rates == pytest.approx([3e-4] * 30 + [1e-5] * 10)
