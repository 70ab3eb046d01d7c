from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph import data, registry
from posegraph.data import Clip, MotionDataset
from posegraph.errors import ConfigError, DataError, UnknownNameError
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import ActionResult
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton
from tests.data.motion import ARM, numbered_clip
from tests.evaluation.arms import LastPose, arm_model, arms

# Published test protocol, bundled clips, last observed pose repeated: mm at frames 1, 3, 7, 9, 13, 24.
ZERO_VELOCITY = {
    ("basketball", "all", "mpjpe_at"): (22.3593, 42.4109, 78.4577, 94.2671, 121.0253, 162.4251),
    ("basketball", "all", "mpjpe_up_to"): (17.2199, 27.3609, 46.3588, 55.1695, 71.2656, 104.7749),
    ("basketball", "8", "mpjpe_at"): (26.4755, 49.2418, 92.8899, 112.8053, 148.4603, 199.5490),
    ("basketball", "8", "mpjpe_up_to"): (20.4313, 32.2228, 54.6339, 65.2350, 85.3779, 129.5273),
    ("walking", "all", "mpjpe_at"): (18.8754, 36.5831, 69.8942, 85.2759, 113.1837, 165.1721),
    ("walking", "all", "mpjpe_up_to"): (14.4286, 23.3101, 40.4727, 48.6749, 64.2047, 99.6975),
    ("walking", "8", "mpjpe_at"): (20.7266, 39.1915, 73.0494, 88.0705, 113.8583, 154.8916),
    ("walking", "8", "mpjpe_up_to"): (16.0305, 25.3823, 43.0706, 51.3223, 66.4293, 99.2449),
    ("running", "all", "mpjpe_at"): (32.413, 61.892, 113.802, 135.753, 171.363, 210.118),
}


def still_arm(frames: int) -> Clip:
    clip = numbered_clip(frames, "still")
    clip.poses.zero_()
    return clip


@pytest.mark.parametrize(("rule", "metric"), [(r, m) for r in ("all", "8") for m in ("mpjpe_at", "mpjpe_up_to")])
def test_zero_velocity_gives_the_known_errors_on_real_clips(cmu, rule, metric):
    result = evaluate(LastPose(skeleton="cmu"), cmu, Protocol("cmu", windows=rule, metric=metric))
    for (action, *case), expected in ZERO_VELOCITY.items():
        if case == [rule, metric]:
            assert result.actions[action].errors == pytest.approx(expected, abs=1e-3)
    windows = {"all": (255, 48, 146), "8": (8, 8, 8)}[rule]
    assert tuple(action.windows for action in result.actions.values()) == windows


@pytest.mark.parametrize("batch_size", [1, 2, 128])
def test_every_window_counts_once_whatever_the_batch(batch_size):
    """Zero velocity plus a step along x, by hand: windows of one action differ, and so do batches."""
    result = evaluate(arm_model(2.0), arms(), batch_size=batch_size)
    assert result.protocol.frames == (1,)
    moving = math.dist((2, 2, 2), (2, 0, 0))
    assert result.actions["wave"].windows == 5
    assert result.actions["wave"].errors == pytest.approx([moving * 2 / 3])  # one of three joints is constant
    uneven = MotionDataset("arms", ARM, {"test": [numbered_clip(6, "a"), still_arm(4)]})
    expected = (3 * math.dist((2, 2, 2), (2, 0, 0)) + 2.0) / 4 * 2 / 3
    assert evaluate(arm_model(2.0), uneven, batch_size=batch_size).errors == pytest.approx([expected])


def test_full_joints_follow_the_copies_and_keep_the_constant_ones():
    skeleton = Skeleton("s", ("root", "hand", "glove"), (-1, 0, 1), constant=("root",), duplicates={"glove": "hand"})
    poses = torch.zeros(4, 3, 3)
    poses[2:, 1:, 0] = 3.0
    clips = {"test": [Clip(poses, skeleton, 25.0, "wave", "a")]}
    model = LastPose(skeleton=skeleton, observed_frames=2, future_frames=2)
    full, used = (
        evaluate(
            model, MotionDataset("s", skeleton, clips), Protocol("s", joints=joints, observed_frames=2, future_frames=2)
        )
        for joints in ("full", "used")
    )
    assert full.errors == pytest.approx([2.0])
    assert used.errors == pytest.approx([3.0])


def test_frames_and_means():
    protocol = Protocol("arms", frames=(0, 1), observed_frames=2, future_frames=2, joints="used")
    result = evaluate(arm_model(), arms(), protocol)
    root3 = math.sqrt(3)
    assert result.actions["bow"] == ActionResult(1, pytest.approx((root3, 2 * root3)))
    assert result.errors == pytest.approx((root3, 2 * root3))
    assert result.mean == pytest.approx(1.5 * root3)


def test_the_mean_weighs_actions_not_windows():
    clips = [numbered_clip(9, "a"), numbered_clip(4, "b", action="rest")]
    clips[1].poses.zero_()
    result = evaluate(arm_model(), MotionDataset("arms", ARM, {"test": clips}))
    assert result.errors == pytest.approx([result.actions["wave"].errors[0] / 2])


def test_actions_without_clips_are_listed_and_left_out():
    result = evaluate(arm_model(), arms(("bow", "jump", "wave")))
    assert (list(result.actions), result.missing) == (["bow", "wave"], ("jump",))
    assert result.protocol.actions == ("bow", "jump", "wave")
    assert result.to_json()["mean"]["actions"] == ["bow", "wave"]
    assert result.table().splitlines()[-1] == "clips missing, left out of the mean: jump"
    with pytest.raises(DataError, match="got none of actions jump"):
        evaluate(
            arm_model(), arms(("bow", "jump")), Protocol("arms", observed_frames=2, future_frames=2, actions=("jump",))
        )


def test_modes_come_back_and_no_gradient_is_kept():
    model = arm_model().train()
    model.frozen.eval()
    seen: list[tuple[int, bool, bool]] = []
    model.register_forward_pre_hook(
        lambda module, inputs: seen.append((len(inputs[0]), module.training, torch.is_inference_mode_enabled()))
    )
    evaluate(model, arms(), batch_size=4)
    assert seen == [(4, False, True), (1, False, True), (1, False, True)]
    assert (model.training, model.frozen.training) == (True, False)


def test_modes_come_back_after_an_error():
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    model = arm_model().train()
    with pytest.raises(KeyboardInterrupt):
        evaluate(model, arms(), progress=stop)
    assert model.training


def test_progress_counts_windows():
    seen = []
    evaluate(arm_model(), arms(), batch_size=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 6), (5, 6), (6, 6)]


def test_the_model_moves_to_the_device():
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    model = arm_model()
    assert evaluate(model, arms(), device=device).errors == pytest.approx(evaluate(arm_model(), arms()).errors)
    assert model.step.device == device


def test_a_model_without_tensors_runs_on_the_cpu():
    model = arm_model()
    del model.step
    model.step = 0.0
    assert evaluate(model, arms()).errors == pytest.approx(evaluate(arm_model(), arms()).errors)


def test_a_result_tells_where_the_weights_come_from():
    model = arm_model()
    model.registry_name = "arm"
    model.record = {"training": {"seed": 3, "epoch": 7, "recipe": {}}, "selection": "last epoch"}
    result = evaluate(model, arms())
    assert result.to_json()["protocol"]["model"] == {"name": "arm", "seed": 3, "epoch": 7, "selection": "last epoch"}
    assert result.table().splitlines()[1] == "model: arm, seed 3, epoch 7, last epoch"


def test_model_data_set_and_protocol_must_fit(cmu):
    model = LastPose(skeleton="cmu")
    with pytest.raises(
        ConfigError, match=r"protocol: expected data set 'h36m', got 'cmu'\. Load the one that is named"
    ):
        evaluate(model, cmu, Protocol("h36m"))
    with pytest.raises(
        ConfigError,
        match=r"expected a model of 10 observed and 10 future frames, got one of 10 and 25\. Set the protocol's",
    ):
        evaluate(model, cmu, Protocol("cmu", future_frames=10))
    with pytest.raises(
        ConfigError,
        match=r"skeleton: expected a model of 'cmu' \(38 joints, 25 used\) .* got one of 'h36m' \(32 joints, 22",
    ):
        evaluate(LastPose(skeleton="h36m"), cmu)


def test_other_groupings_of_the_same_joints_fit(cmu):
    skeleton = presets.get("cmu").with_groupings("none", [])
    protocol = Protocol("cmu", windows="8", actions=("running",))
    assert list(evaluate(LastPose(skeleton=skeleton), cmu, protocol).actions) == ["running"]


def test_unknown_names_are_answered_with_the_list(cmu):
    model = LastPose(skeleton="cmu")
    with pytest.raises(UnknownNameError, match=r"unknown window rule '9'\. Known: all, 8, 256"):
        evaluate(model, cmu, Protocol("cmu", windows="9"))
    with pytest.raises(UnknownNameError, match=r"unknown split 'val'\. Known: test"):
        evaluate(model, cmu, Protocol("cmu", split="val"))
    with pytest.raises(UnknownNameError, match=r"unknown action 'walk'\. Did you mean 'walking'"):
        evaluate(model, cmu, Protocol("cmu", actions=("walk",)))


@pytest.fixture(scope="module")
def angles() -> MotionDataset:
    return data.load("cmu-angles", "samples", split="test", actions=["running"])


def test_rotations_are_compared_by_their_euler_angles(angles):
    model = registry.build("zero-velocity", skeleton="cmu-angles")
    result = evaluate(model, angles)
    assert (result.protocol.metric, result.protocol.unit) == ("euler_at", "rad")
    windows = angles.test_windows("all", 10, 25)["running"].batch(range(48))
    last, later = window_pair(windows, frame=13)
    turned = [Rotation.from_rotvec(x.reshape(-1, 3).double()).as_matrix().transpose(0, 2, 1) for x in (last, later)]
    euler = [Rotation.from_matrix(rotation).as_euler("xyz").reshape(48, 38, 3) for rotation in turned]
    used = list(angles.skeleton.used)  # the root turns too, but is no part of the forecast
    expected = np.linalg.norm((euler[0] - euler[1])[:, used].reshape(48, -1), axis=1).mean()
    assert result.errors[4] == pytest.approx(expected, rel=1e-4)
    assert result.to_json()["mean"]["mean_rad"] == pytest.approx(result.mean)
    assert "euler_rad" in result.to_json()["actions"]["running"]


def window_pair(windows: torch.Tensor, frame: int) -> tuple[torch.Tensor, torch.Tensor]:
    return windows[:, 9], windows[:, 10 + frame]


def test_positions_of_rotations_are_measured_by_kinematics(angles, cmu):
    """Repeating the last rotations is repeating the last positions."""
    of_angles = evaluate(registry.build("zero-velocity", skeleton="cmu-angles"), angles, Protocol("cmu-angles"))
    running = data.load("cmu", "samples", split="test", actions=["running"])
    expected = evaluate(registry.build("zero-velocity", skeleton="cmu"), running)
    assert of_angles.errors == pytest.approx(expected.errors, rel=1e-5)


def test_metrics_must_fit_what_poses_hold(angles, cmu):
    with pytest.raises(ConfigError, match=r"metric 'euler_at': expected a data set of rotations, got the positions"):
        evaluate(registry.build("zero-velocity", skeleton="cmu"), cmu, Protocol("cmu", metric="euler_at"))
    model = registry.build("zero-velocity", skeleton="cmu-angles")
    with pytest.raises(ConfigError, match=r"joints 'used' with metric 'mpjpe_at': positions follow from the rotations"):
        evaluate(model, angles, Protocol("cmu-angles", joints="used"))


class Labelled(LastPose):
    """Moves by as many millimetres as the number of the action."""

    actions = ("bow", "wave")

    def predict(self, observed: torch.Tensor, action: torch.Tensor | None = None) -> torch.Tensor:
        assert action is not None
        assert action.shape == (len(observed),)
        return super().predict(observed) + action[:, None, None, None]


def test_models_with_labels_are_told_the_action():
    model = Labelled(skeleton=ARM, observed_frames=2, future_frames=2)
    result = evaluate(model, arms(), Protocol("arms", observed_frames=2, future_frames=2, joints="used"), batch_size=3)
    assert result.actions["wave"].errors == pytest.approx([3**0.5])  # two frames later, one millimetre ahead
    assert result.actions["bow"].errors == pytest.approx([2 * 3**0.5])
    unknown = MotionDataset("arms", ARM, {"test": [numbered_clip(6, "a", action="jump")]})
    with pytest.raises(UnknownNameError, match=r"unknown action label of the model 'jump'\. Known: bow, wave"):
        evaluate(model, unknown)
