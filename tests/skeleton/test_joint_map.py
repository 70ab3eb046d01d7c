"""Joint maps against tables by hand, and there and back on recorded clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from posegraph import data
from posegraph.errors import DataError, ShapeError, SkeletonError, UnknownNameError
from posegraph.skeleton import presets
from posegraph.skeleton.joint_map import JointMap
from posegraph.skeleton.skeleton import Skeleton

BODIES = [name for name in presets.names() if presets.get(name).holds == "positions"]


@pytest.fixture(scope="module")
def walking() -> torch.Tensor:
    (clip,) = data.load("cmu", "samples").select("test", ["walking"])
    return clip.poses


# Indices of right hip, knee, ankle; left ones; head's; left shoulder, elbow, wrist; right ones.
TO_17 = {
    "cmu": [8, 9, 10, 2, 3, 4, [18], 21, 22, 23, 30, 31, 32],
    "h36m": [1, 2, 3, 6, 7, 8, [14], 17, 18, 19, 25, 26, 27],
    "h36m-17": [1, 2, 3, 4, 5, 6, [9], 11, 12, 13, 14, 15, 16],
    "smpl-22": [2, 5, 8, 1, 4, 7, [15], 16, 18, 20, 17, 19, 21],
    "smpl-24": [2, 5, 8, 1, 4, 7, [15], 16, 18, 20, 17, 19, 21],
    "coco-17": [12, 14, 16, 11, 13, 15, [3, 4], 5, 7, 9, 6, 8, 10],
    "mediapipe-33": [24, 26, 28, 23, 25, 27, [7, 8], 11, 13, 15, 12, 14, 16],
    "body-25": [9, 10, 11, 12, 13, 14, [17, 18], 5, 6, 7, 2, 3, 4],
    "kinect-25": [16, 17, 18, 12, 13, 14, [3], 4, 5, 6, 8, 9, 10],
    "ntu-25": [16, 17, 18, 12, 13, 14, [3], 4, 5, 6, 8, 9, 10],
}


@pytest.mark.parametrize("name", TO_17)
def test_body_17_against_a_loop(name):
    poses = np.random.default_rng(0).normal(size=(3, 4, presets.get(name).num_joints, 3))
    expected = np.zeros((3, 4, 17, 3))
    table = TO_17[name]
    for frame in np.ndindex(3, 4):
        pose, out = poses[frame], expected[frame]
        for place, joint in zip((1, 2, 3, 4, 5, 6), table[:6], strict=True):
            out[place] = pose[joint]
        for place, joint in zip((11, 12, 13, 14, 15, 16), table[7:], strict=True):
            out[place] = pose[joint]
        out[10] = pose[table[6]].mean(axis=0)
        out[0] = (out[1] + out[4]) / 2
        out[8] = (out[11] + out[14]) / 2
        out[7] = (out[0] + out[8]) / 2
        out[9] = (out[8] + out[10]) / 2
        out -= out[0].copy()
    joint_map = JointMap.between(name, "body-17")
    assert joint_map.filled == ()
    np.testing.assert_allclose(joint_map.apply(torch.from_numpy(poses)), expected, atol=1e-12)


def test_the_17_joints_of_human36m_are_those_that_pose_estimation_takes():
    rows = JointMap.between("h36m", "h36m-17").matrix
    taken = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    expected = torch.eye(32).double()[taken]
    expected[0] = 0.5 * torch.eye(32)[1] + 0.5 * torch.eye(32)[6]  # the middle of the hips, which the root is
    assert torch.equal(rows, expected)


@pytest.mark.parametrize("source", BODIES)
@pytest.mark.parametrize("target", BODIES)
def test_all_bodies_map_to_all(source, target):
    joint_map = JointMap.between(source, target)
    torch.testing.assert_close(joint_map.matrix.sum(1), torch.ones(joint_map.target.num_joints).double())
    if source == target:
        assert torch.equal(joint_map.matrix, torch.eye(joint_map.target.num_joints).double())
    for left, right in joint_map.target.mirrored:  # the map treats both sides alike
        mirrored = {joint_map.source.joint_names[joint_map.source.mirror[joint_map.source.index(name)]]: weight
                    for name, weight in joint_map.rows[left].items()}  # fmt: skip
        assert mirrored == pytest.approx(dict(joint_map.rows[right]), abs=0.01)  # CMU rests unevenly
    poses = presets.get(source).rest_pose()
    there = joint_map.apply(poses)
    origin = joint_map.target.origin_of(there)
    torch.testing.assert_close(origin, torch.zeros(3), rtol=0, atol=1e-3)
    back = joint_map.back(there, poses)
    expected = poses - joint_map.source.origin_of(poses)
    torch.testing.assert_close(back, expected, rtol=0, atol=0.1)


def test_missing_joints_lie_between_known_ones():
    to_smpl = JointMap.between("coco-17", "smpl-24")
    sided = [f"{side}_{joint}" for joint in ("foot", "collar", "hand") for side in ("left", "right")]
    assert to_smpl.filled == ("spine1", "spine2", "spine3", *sided)
    assert to_smpl.rows["left_foot"] == {"left_ankle": 1.0}
    heights = [to_smpl.apply(presets.get("coco-17").rest_pose())[to_smpl.target.index(j), 1] for j in
               ("pelvis", "spine1", "spine2", "spine3", "neck")]  # fmt: skip
    assert heights == sorted(heights)
    chain = Skeleton("chain", ("pelvis", "a", "b", "head"), (-1, 0, 1, 2))
    rows = JointMap.between("smpl-22", chain).rows
    assert rows["a"] == pytest.approx({"pelvis": 2 / 3, "head": 1 / 3})
    assert rows["b"] == pytest.approx({"pelvis": 1 / 3, "head": 2 / 3})


def test_unknown_tops_take_what_hangs_on_them():
    top = Skeleton("top", ("thing", "nose", "other"), (-1, 0, 0))
    rows = JointMap.between("smpl-22", top).rows
    assert rows == {"thing": {"head": 1.0}, "nose": {"head": 1.0}, "other": {"head": 1.0}}
    twig = Skeleton("twig", ("thing", "b", "c"), (-1, 0, 0))
    assert JointMap.between("smpl-22", twig, {"b": "head"}).rows["c"] == {"head": 1.0}


def test_a_table_takes_precedence():
    joint_map = JointMap.between("cmu", "body-17", {"head": ("Head", "Head_Site"), "left_knee": "LeftFoot"})
    assert joint_map.rows["head"] == {"Head": 0.5, "Head_Site": 0.5}
    assert joint_map.rows["left_knee"] == {"LeftFoot": 1.0}
    with pytest.raises(UnknownNameError, match="unknown joint 'tail'"):
        JointMap.between("cmu", "body-17", {"tail": "Head"})
    with pytest.raises(UnknownNameError, match="unknown joint 'Tail'"):
        JointMap.between("cmu", "body-17", {"head": "Tail"})


@pytest.mark.parametrize("target", ["body-17", "h36m", "h36m-17", "smpl-22", "coco-17", "mediapipe-33", "kinect-25"])
def test_there_and_back_on_a_clip(walking, target):
    """Each frame as its own template comes back exactly; the first frame's bones are kept in all frames."""
    cmu = presets.get("cmu")
    joint_map = JointMap.between("cmu", target)
    there = joint_map.apply(walking)
    torch.testing.assert_close(joint_map.back(there, walking), walking, rtol=0, atol=1e-2)
    back = joint_map.back(there, walking[0])
    for parent, child in cmu.bones:
        bone = (back[:, child] - back[:, parent]).norm(dim=-1)
        expected = (walking[0, child] - walking[0, parent]).norm()
        torch.testing.assert_close(bone, expected.expand_as(bone), rtol=0, atol=1e-3)
    constant = [cmu.index(joint) for joint in cmu.constant]
    torch.testing.assert_close(back[:, constant], walking[:1, constant].expand(len(back), -1, -1), rtol=0, atol=1e-3)
    for copy, source in cmu.duplicates.items():
        assert torch.equal(back[:, cmu.index(copy)], back[:, cmu.index(source)])
    used = list(cmu.used)
    errors = (back - walking)[:, used].norm(dim=-1).mean()
    still = (walking - walking[:1])[:, used].norm(dim=-1).mean()
    assert errors < 0.08 * still  # joints that the target lacks, such as fingers, do not turn by themselves
    legs = [cmu.index(joint) for joint in ("LeftLeg", "LeftFoot", "RightLeg", "RightFoot")]
    torch.testing.assert_close(back[:, legs], walking[:, legs], rtol=0, atol=1.0)


def test_bone_lengths_are_the_templates_even_if_the_forecast_shrinks(walking):
    joint_map = JointMap.between("cmu", "body-17")
    back = joint_map.back(0.7 * joint_map.apply(walking), walking[0])
    knee, ankle = (presets.get("cmu").index(joint) for joint in ("LeftLeg", "LeftFoot"))
    shin = (walking[:, ankle] - walking[:, knee]).norm(dim=-1)
    torch.testing.assert_close((back[:, ankle] - back[:, knee]).norm(dim=-1), shin, rtol=0, atol=0.01)


def test_batches_and_templates_broadcast(walking):
    joint_map = JointMap.between("cmu", "body-17")
    windows = walking[:60].view(2, 30, 38, 3)
    there = joint_map.apply(windows)
    assert there.dtype == torch.float32
    back = joint_map.back(there, windows[:, :1])
    assert back.shape == windows.shape
    torch.testing.assert_close(back[1], joint_map.back(there[1], windows[1, 0]))


def test_other_bodies_are_refused():
    cmu = presets.get("cmu")
    with pytest.raises(SkeletonError, match="expected bodies that hold positions, got 'cmu-angles' with rotations"):
        JointMap.between("cmu-angles", "body-17")
    with pytest.raises(SkeletonError, match=r"same unit, up axis and lateral axis, got \('m', 'y', 'x'\) for 'cmu'"):
        JointMap.between(replace(cmu, unit="m"), "body-17")
    with pytest.raises(
        SkeletonError, match=r"expected bodies with common joints, found none in 'cmu' and 'dog'\. Pass"
    ):
        JointMap.between("cmu", Skeleton("dog", ("tail", "paw"), (-1, 0)))


def test_other_poses_are_refused():
    joint_map = JointMap.between("cmu", "body-17")
    full, there = torch.zeros(4, 38, 3), torch.zeros(4, 17, 3)
    with pytest.raises(ShapeError, match=r"poses: expected \(\.\.\., 38 joints, 3\), got \(4, 25, 3\)\. All joints of"):
        joint_map.apply(full[:, :25])
    with pytest.raises(ShapeError, match=r"forecast: expected \(\.\.\., 17 joints, 3\)"):
        joint_map.back(there[:, 1:], full[0])
    with pytest.raises(ShapeError, match=r"template: expected \(\.\.\., 38 joints, 3\)"):
        joint_map.back(there, full[0, 1:])
    with pytest.raises(DataError, match="forecast"):
        joint_map.back(there * torch.nan, full[0])
    with pytest.raises(DataError, match="template"):
        joint_map.back(there, full[0] * torch.inf)
