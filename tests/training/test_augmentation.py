from __future__ import annotations

import dataclasses

import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph import data
from posegraph.errors import ConfigError
from posegraph.skeleton import presets
from posegraph.training.augmentation import Mirror, Turn, limbs

CPU = torch.device("cpu")
CMU = presets.get("cmu")


def windows() -> torch.Tensor:
    """Real poses, used joints, as the trainer gathers them for two seeds."""
    clips = data.load("cmu", "samples", split="train", actions=["running"])
    return clips.train_windows(10, 25).batch(torch.arange(8).view(2, 4))


def bones_of(poses: torch.Tensor) -> list[torch.Tensor]:
    """Lengths of the bones between used joints, and from the fixed joints to those below them."""
    used = list(CMU.used)
    lengths = []
    for joint in used:
        parent = CMU.parents[joint]
        if parent in used:
            lengths.append((poses[..., used.index(joint), :] - poses[..., used.index(parent), :]).norm(dim=-1))
    for joints, pivot in limbs(CMU):
        lengths.append((poses[..., joints[0], :] - torch.tensor(pivot)).norm(dim=-1))
    return lengths


def test_limbs_hang_from_the_fixed_joints():
    left, right, trunk = limbs(CMU)
    names = [CMU.joint_names[joint] for joint in CMU.used]
    assert [names[joint] for joint in left[0]] == ["LeftLeg", "LeftFoot", "LeftToeBase", "LeftToeBase_Site"]
    assert {names[joint] for joint in trunk[0]} >= {"Spine", "Head", "LeftHand", "RThumb_Site"}
    assert sorted(joint for joints, _ in (left, right, trunk) for joint in joints) == list(range(25))
    clip = data.load("cmu", "samples", split="test", actions=["walking"]).select("test")[0]
    for (_, pivot), name in zip((left, right, trunk), ("LeftUpLeg", "RightUpLeg", "LowerBack"), strict=True):
        assert clip.poses[7, CMU.index(name)].tolist() == pytest.approx(pivot, abs=1e-3)


def test_turned_windows_are_the_same_body():
    poses = windows()
    torch.manual_seed(0)
    turned = Turn(CMU, 0.3, CPU)(poses)
    assert (turned - poses).norm(dim=-1).mean() > 50
    for before, after in zip(bones_of(poses), bones_of(turned), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-2)


def test_a_limb_turns_alike_in_all_frames_and_by_itself():
    """The rotation that SciPy finds between the poses before and after is one for all frames and joints of a limb."""
    poses = windows()
    torch.manual_seed(0)
    turned = Turn(CMU, 0.3, CPU)(poses)
    found = []
    for joints, pivot in limbs(CMU):
        before, after = ((p[0, 1][:, joints] - torch.tensor(pivot)).flatten(0, 1).numpy() for p in (poses, turned))
        rotation, residual = Rotation.align_vectors(after, before)
        assert residual < 1.0
        found.append(rotation.magnitude())
    assert len({round(angle, 3) for angle in found}) == 3


def test_the_spread_is_that_of_the_angles():
    """Small turns: a joint at distance r from its pivot moves by the angles across its direction, so r s sqrt(2)."""
    poses = windows()[:1, :1].expand(1, 4000, -1, -1, -1)[:, :, :1]
    torch.manual_seed(0)
    moved = (Turn(CMU, 0.01, CPU)(poses) - poses).square().sum(-1).mean(1).sqrt()
    for joints, pivot in limbs(CMU):
        radius = (poses[0, 0, 0, joints] - torch.tensor(pivot)).norm(dim=-1)
        torch.testing.assert_close(moved[0, 0, joints], radius * 0.01 * 2**0.5, rtol=0.06, atol=1e-3)


def test_no_spread_changes_nothing():
    poses = windows()
    torch.testing.assert_close(Turn(CMU, 0.0, CPU)(poses), poses)


def test_mirrors_are_drawn_for_each_window():
    poses = windows()
    assert torch.equal(Mirror(CMU, 0.0, CPU)(poses), poses)
    twice = Mirror(CMU, 1.0, CPU)(Mirror(CMU, 1.0, CPU)(poses))
    torch.testing.assert_close(twice, poses)


@pytest.mark.parametrize(
    "skeleton",
    [
        presets.get("cmu-angles"),
        dataclasses.replace(CMU, offsets=None),
        dataclasses.replace(CMU, constant=(), groupings={}),
    ],
)
def test_skeletons_without_fixed_joints_are_refused(skeleton):
    with pytest.raises(ConfigError, match=r"turn: expected a skeleton of positions with offsets, .* Train with turn=0"):
        Turn(skeleton, 0.1, CPU)
