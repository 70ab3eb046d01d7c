from __future__ import annotations

import pytest

from posegraph.skeleton import presets
from posegraph.skeleton.landmarks import landmark_of_joints, weights_of_landmark
from posegraph.skeleton.skeleton import Skeleton

LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
POSITIONS = [name for name in presets.names() if presets.get(name).holds == "positions"]
# Joints of the left limbs in each body, in the order of LIMBS, and that of the head.
EXPECTED = {
    "cmu": ("LeftUpLeg", "LeftLeg", "LeftFoot", "LeftArm", "LeftForeArm", "LeftHand", "Head"),
    "h36m": ("LeftUpLeg", "LeftLeg", "LeftFoot", "LeftArm", "LeftForeArm", "LeftHand", "Head"),
    "h36m-17": ("LHip", "LKnee", "LFoot", "LShoulder", "LElbow", "LWrist", "Neck/Nose"),
    "smpl-24": ("left_hip", "left_knee", "left_ankle", "left_shoulder", "left_elbow", "left_wrist", "head"),
    "kinect-25": ("HipLeft", "KneeLeft", "AnkleLeft", "ShoulderLeft", "ElbowLeft", "WristLeft", "Head"),
    "body-25": ("LHip", "LKnee", "LAnkle", "LShoulder", "LElbow", "LWrist", None),
    "mediapipe-33": ("left_hip", "left_knee", "left_ankle", "left_shoulder", "left_elbow", "left_wrist", None),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_limbs_and_head(name):
    found = {landmark: joint for joint, landmark in landmark_of_joints(presets.get(name)).items()}
    assert tuple(found.get(key) for key in (*(f"left {limb}" for limb in LIMBS), "head")) == EXPECTED[name]


@pytest.mark.parametrize("name", POSITIONS)
def test_mirrored_joints_are_mirrored_landmarks(name):
    body = presets.get(name)
    found = landmark_of_joints(body)
    assert len(set(found.values())) == len(found)
    for left, right in body.mirrored:
        assert found.get(left, "left").replace("left", "right") == found.get(right, "right")
    assert {f"{side} {limb}" for side in ("left", "right") for limb in LIMBS} <= set(found.values())


def test_other_names_of_bvh_files_are_understood():
    names = ("mixamorig:Hips", "mixamorig:LeftUpLeg", "mixamorig:LeftLeg", "mixamorig:RightUpLeg", "mixamorig:RightLeg")
    body = Skeleton.from_parents(names, (-1, 0, 1, 0, 3))
    assert [*landmark_of_joints(body).values()] == ["left hip", "left knee", "right hip", "right knee", "pelvis"]


@pytest.mark.parametrize(
    ("landmark", "joints", "expected"),
    [
        ("mid hip", {"l": "left hip", "r": "right hip", "m": "mid hip"}, {"l": 0.5, "r": 0.5}),
        ("mid hip", {"m": "mid hip"}, {"m": 1.0}),
        ("pelvis", {"l": "left hip", "r": "right hip", "p": "pelvis"}, {"p": 1.0}),
        ("pelvis", {"m": "mid hip"}, {"m": 1.0}),
        ("head", {"n": "nose", "l": "left ear", "r": "right ear"}, {"l": 0.5, "r": 0.5}),
        ("head", {"n": "nose", "l": "left ear"}, {"n": 1.0}),
        ("nose", {"h": "head"}, {"h": 1.0}),
        ("nose", {"k": "left knee"}, None),
        ("left toe base", {"t": "left toe tip", "r": "right toe base"}, {"t": 1.0}),
        ("half neck", {"h": "head", "l": "left shoulder", "r": "right shoulder"}, {"l": 0.25, "r": 0.25, "h": 0.5}),
    ],
)
def test_landmarks_of_what_there_is(landmark, joints, expected):
    assert weights_of_landmark(landmark, joints) == expected
