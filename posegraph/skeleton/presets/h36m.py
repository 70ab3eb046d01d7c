"""Human3.6M, 32 joints, 22 of them used.

Bone names are the data set's own; ``_Site`` marks end sites.
A joint's position is where the bone of its name starts: "RightLeg" is the right knee. The subject's left is on the
positive x axis, y points up. The grouping ``"parts"``, ten parts and five bodies, is after DMGNN (Li et al., CVPR
2020); for positions, whose joints are others than DMGNN's, it is our reading.
"""

from __future__ import annotations

from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.presets import register
from posegraph.skeleton.presets.landmarks import standing
from posegraph.skeleton.presets.parts import (
    FOUR_OF_7,
    SEVEN_OF_12,
    Joints,
    angles,
    first_level,
    mirrored,
    parents,
    ten_parts,
)
from posegraph.skeleton.skeleton import Skeleton

_H36M: Joints = (
    ("Hips", None, (0.0, 0.0, 0.0)),
    ("RightUpLeg", "Hips", (-132.948591, 0.0, 0.0)),
    ("RightLeg", "RightUpLeg", (0.0, -442.894612, 0.0)),
    ("RightFoot", "RightLeg", (0.0, -454.206447, 0.0)),
    ("RightToeBase", "RightFoot", (0.0, 0.0, 162.767078)),
    ("RightToeBase_Site", "RightToeBase", (0.0, 0.0, 74.999437)),
    ("LeftUpLeg", "Hips", (132.948826, 0.0, 0.0)),
    ("LeftLeg", "LeftUpLeg", (0.0, -442.894413, 0.0)),
    ("LeftFoot", "LeftLeg", (0.0, -454.20659, 0.0)),
    ("LeftToeBase", "LeftFoot", (0.0, 0.0, 162.767426)),
    ("LeftToeBase_Site", "LeftToeBase", (0.0, 0.0, 74.999948)),
    ("Spine", "Hips", (0.0, 0.1, 0.0)),
    ("Spine1", "Spine", (0.0, 233.383263, 0.0)),
    ("Neck", "Spine1", (0.0, 257.077681, 0.0)),
    ("Head", "Neck", (0.0, 121.134938, 0.0)),
    ("Head_Site", "Head", (0.0, 115.002227, 0.0)),
    ("LeftShoulder", "Spine1", (0.0, 257.077681, 0.0)),
    ("LeftArm", "LeftShoulder", (0.0, 151.034226, 0.0)),
    ("LeftForeArm", "LeftArm", (0.0, 278.882773, 0.0)),
    ("LeftHand", "LeftForeArm", (0.0, 251.733451, 0.0)),
    ("LeftHandThumb", "LeftHand", (0.0, 0.0, 0.0)),
    ("LeftHandThumb_Site", "LeftHandThumb", (0.0, 0.0, 99.999627)),
    ("L_Wrist_End", "LeftHand", (0.0, 100.000188, 0.0)),
    ("L_Wrist_End_Site", "L_Wrist_End", (0.0, 0.0, 0.0)),
    ("RightShoulder", "Spine1", (0.0, 257.077681, 0.0)),
    ("RightArm", "RightShoulder", (0.0, 151.031437, 0.0)),
    ("RightForeArm", "RightArm", (0.0, 278.892924, 0.0)),
    ("RightHand", "RightForeArm", (0.0, 251.72868, 0.0)),
    ("RightHandThumb", "RightHand", (0.0, 0.0, 0.0)),
    ("RightHandThumb_Site", "RightHandThumb", (0.0, 0.0, 99.999888)),
    ("R_Wrist_End", "RightHand", (0.0, 137.499922, 0.0)),
    ("R_Wrist_End_Site", "R_Wrist_End", (0.0, 0.0, 0.0)),
)

# Coarse joints and the used joints that each averages. Leg and arm groups exist for either side.
_H36M_12 = {
    "right knee": ("RightLeg",),
    "right foot": ("RightFoot", "RightToeBase", "RightToeBase_Site"),
    "left knee": ("LeftLeg",),
    "left foot": ("LeftFoot", "LeftToeBase", "LeftToeBase_Site"),
    "torso": ("Spine1", "Neck"),
    "head": ("Head", "Head_Site"),
    "left shoulder": ("LeftArm",),
    "left elbow": ("LeftForeArm",),
    "left hand": ("LeftHand", "LeftHandThumb_Site", "L_Wrist_End"),
    "right shoulder": ("RightArm",),
    "right elbow": ("RightForeArm",),
    "right hand": ("RightHand", "RightHandThumb_Site", "R_Wrist_End"),
}

# Ten parts of the body. A limb has an upper and a lower one; the paper's own tables are those of the rotations.
_H36M_PARTS = {
    "right upper leg": ("RightLeg", "RightFoot"),
    "right lower leg": ("RightToeBase", "RightToeBase_Site"),
    "left upper leg": ("LeftLeg", "LeftFoot"),
    "left lower leg": ("LeftToeBase", "LeftToeBase_Site"),
    "torso": ("Spine1", "Neck"),
    "head": ("Head", "Head_Site"),
    "left upper arm": ("LeftArm", "LeftForeArm"),
    "left lower arm": ("LeftHand", "LeftHandThumb_Site", "L_Wrist_End"),
    "right upper arm": ("RightArm", "RightForeArm"),
    "right lower arm": ("RightHand", "RightHandThumb_Site", "R_Wrist_End"),
}

_H36M_ANGLE_PARTS = {
    "right upper leg": ("RightUpLeg", "RightLeg"),
    "right lower leg": ("RightFoot", "RightToeBase"),
    "left upper leg": ("LeftUpLeg", "LeftLeg"),
    "left lower leg": ("LeftFoot", "LeftToeBase"),
    "torso": ("Spine", "Spine1"),
    "head": ("Neck", "Head"),
    "left upper arm": ("LeftShoulder", "LeftArm"),
    "left lower arm": ("LeftForeArm", "LeftHand"),
    "right upper arm": ("RightShoulder", "RightArm"),
    "right lower arm": ("RightForeArm", "RightHand"),
}

_H36M_17 = (
    ("Hip", None, "mid hips"),
    ("RHip", "Hip", "hip"),
    ("RKnee", "RHip", "knee"),
    ("RFoot", "RKnee", "ankle"),
    ("LHip", "Hip", "hip"),
    ("LKnee", "LHip", "knee"),
    ("LFoot", "LKnee", "ankle"),
    ("Spine", "Hip", "mid spine"),
    ("Thorax", "Spine", "thorax"),
    ("Neck/Nose", "Thorax", "skull base"),
    ("Head", "Neck/Nose", "head top"),
    ("LShoulder", "Thorax", "shoulder"),
    ("LElbow", "LShoulder", "elbow"),
    ("LWrist", "LElbow", "wrist"),
    ("RShoulder", "Thorax", "shoulder"),
    ("RElbow", "RShoulder", "elbow"),
    ("RWrist", "RElbow", "wrist"),
)


@register("h36m", summary="Human3.6M: positions of 32 joints, 22 used, at 25 frames a second.")
def h36m() -> Skeleton:
    """The positions of the body."""
    constant = ("Hips", "RightUpLeg", "LeftUpLeg", "Spine")
    duplicates = {
        "LeftShoulder": "Neck",
        "LeftHandThumb": "LeftHand",
        "L_Wrist_End_Site": "L_Wrist_End",
        "RightShoulder": "Neck",
        "RightHandThumb": "RightHand",
        "R_Wrist_End_Site": "R_Wrist_End",
    }
    first = first_level(_H36M, {*constant, *duplicates}, _H36M_12)
    return Skeleton(
        name="h36m",
        joint_names=tuple(name for name, _, _ in _H36M),
        parents=parents(_H36M),
        offsets=tuple(offset for _, _, offset in _H36M),
        mirrored=mirrored(_H36M),
        constant=constant,
        duplicates=duplicates,
        groupings={
            "22-12-7-4": (first, JointGrouping(SEVEN_OF_12, 12), JointGrouping(FOUR_OF_7, 7)),
            "parts": ten_parts(_H36M, {*constant, *duplicates}, _H36M_PARTS),
        },
        fps=25.0,
    )


@register("h36m-angles", summary="Human3.6M: rotations of the same joints, 20 used.")
def h36m_angles() -> Skeleton:
    """Its rotations, in radians; axes that never move are locked."""
    hinges = ("RightLeg", "RightToeBase", "LeftLeg", "LeftToeBase", "LeftForeArm", "RightForeArm")
    return angles(h36m(), _H36M, _H36M_ANGLE_PARTS, dict.fromkeys(hinges, "yz"))


@register("h36m-17", summary="Human3.6M in pose estimation: positions of 17 joints, all used but the root.")
def h36m_17() -> Skeleton:
    """The 17 joints of pose estimation, with a rest pose of our own."""
    return standing("h36m-17", _H36M_17)
