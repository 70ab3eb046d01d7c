from __future__ import annotations

import re

import pytest
import torch

from posegraph import data, registry
from posegraph.data import MotionDataset
from posegraph.errors import ConfigError
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.joints import evaluate_joints
from posegraph.evaluation.protocol import Protocol
from posegraph.forecast.result import forecast_clip
from tests.data.motion import ARM, numbered_clip


@pytest.fixture(scope="module")
def cmu() -> MotionDataset:
    return data.load("cmu", "samples", split="test")


def still(skeleton: str, **frames: int):
    return registry.build("zero-velocity", skeleton=skeleton, **frames)


@pytest.mark.parametrize("metric", ["mpjpe_at", "mpjpe_up_to"])
@pytest.mark.parametrize("joints", ["full", "used"])
def test_the_mean_over_joints_is_the_error_of_evaluate(cmu, metric, joints):
    protocol = Protocol("cmu", windows="8", metric=metric, joints=joints)
    result, whole = evaluate_joints(still("cmu"), cmu, protocol), evaluate(still("cmu"), cmu, protocol)
    assert result.protocol == whole.protocol
    assert list(result.actions) == list(whole.actions)
    for action, errors in result.actions.items():
        assert errors.mean(dim=1).tolist() == pytest.approx(whole.actions[action].errors)
    assert result.errors.mean(dim=1).tolist() == pytest.approx(whole.errors)
    assert result.missing == whole.missing != ()


def test_joints_have_their_own_errors(cmu):
    """Against the distances of one window, computed one by one."""
    walking = data.load("cmu", "samples", split="test", actions=["walking"])
    model = still("cmu", future_frames=len(walking.select("test")[0].poses) - 10)  # one window fits
    result = evaluate_joints(model, walking, Protocol("cmu", future_frames=model.future_frames, frames=(3,)))
    window = forecast_clip(model, walking.select("test")[0])
    expected = [torch.dist(window.forecast[3, j], window.truth[3, j]).item() for j in range(38)]
    assert result.errors[0].tolist() == pytest.approx(expected, abs=1e-3)
    assert result.joint_names == cmu.skeleton.joint_names


def test_used_joints_keep_their_names(cmu):
    result = evaluate_joints(still("cmu"), cmu, Protocol("cmu", windows="8", joints="used"))
    assert result.errors.shape == (6, 25)
    assert result.joint_names == tuple(cmu.skeleton.joint_names[joint] for joint in cmu.skeleton.used)


def test_rotations_are_measured_as_positions(cmu):
    rotations = data.load("cmu-angles", "samples", split="test")
    result = evaluate_joints(still("cmu-angles"), rotations)
    torch.testing.assert_close(result.errors, evaluate_joints(still("cmu"), cmu).errors)
    assert result.protocol.unit == "mm"
    with pytest.raises(ConfigError, match="joints 'used' with metric 'mpjpe_at': positions follow from the rotations"):
        evaluate_joints(still("cmu-angles"), rotations, Protocol("cmu-angles", joints="used"))


def test_a_constant_joint_counts_as_right_even_if_it_moves():
    model = registry.build("zero-velocity", skeleton=ARM, observed_frames=2, future_frames=2)
    arms = MotionDataset("arms", ARM, {"test": [numbered_clip(6, "a")]})
    errors = evaluate_joints(model, arms).errors[0]
    constant = [ARM.index(name) for name in ARM.constant]
    assert errors[constant].tolist() == [0.0] * len(constant) != []
    assert errors.mean().item() == pytest.approx(evaluate(model, arms).errors[0])


def test_progress_counts_windows_whatever_the_batch(cmu):
    seen = []
    protocol = Protocol("cmu", windows="8")
    result = evaluate_joints(still("cmu"), cmu, protocol, batch_size=3, progress=lambda *done: seen.append(done))
    assert seen == [(done, 24) for done in (3, 6, 8, 11, 14, 16, 19, 22, 24)]
    torch.testing.assert_close(result.errors, evaluate_joints(still("cmu"), cmu, protocol).errors, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("skeleton", "protocol", "message"),
    [
        (
            "cmu",
            Protocol("cmu", metric="euler_at"),
            "metric: expected 'mpjpe_at' or 'mpjpe_up_to', got 'euler_at', which has no parts by joint.",
        ),
        (
            "cmu",
            Protocol("h36m", future_frames=10),
            "protocol: expected data set 'h36m', got 'cmu'. Load the one that is named.",
        ),
        (
            "h36m",
            None,
            "skeleton: expected a model of 'cmu' (38 joints, 25 used) as in data set 'cmu', got one of 'h36m",
        ),
    ],
)
def test_what_does_not_fit_is_refused(cmu, skeleton, protocol, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        evaluate_joints(still(skeleton), cmu, protocol)


def test_the_model_moves_to_the_device():
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    model = registry.build("msrgcn-1l", skeleton="cmu", channels=4, num_blocks=1)
    walking = data.load("cmu", "samples", split="test", actions=["walking"])
    result = evaluate_joints(model, walking, Protocol("cmu", windows="8"), device=device)
    assert model.device == device
    assert result.errors.device.type == "cpu"
