"""CMU Mocap in the 38-joint BVH conversion, 25 joints used.

Offsets are BVH units times 70, as in the published benchmark; that makes "millimetres" about 24 % too long.
A joint's position is where the bone of its name starts: "RightLeg" is the right knee. The subject's left is on the
positive x axis, y points up. The grouping ``"parts"``, ten parts and five bodies, is after DMGNN (Li et al., CVPR
2020); for positions, whose joints are others than DMGNN's, it is our reading.
"""

from __future__ import annotations

from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.presets import register
from posegraph.skeleton.presets.parts import (
    FIVE_OF_10,
    FOUR_OF_7,
    SEVEN_OF_12,
    THREE_OF_5,
    Joints,
    angles,
    first_level,
    mirrored,
    parents,
    ten_parts,
)
from posegraph.skeleton.skeleton import Skeleton

_CMU: Joints = (
    ("Hips", None, (0.0, 0.0, 0.0)),
    ("LHipJoint", "Hips", (0.0, 0.0, 0.0)),
    ("LeftUpLeg", "LHipJoint", (115.9718, -126.1974, 43.7339)),
    ("LeftLeg", "LeftUpLeg", (181.804, -499.5032, 0.0)),
    ("LeftFoot", "LeftLeg", (174.4652, -479.339, 0.0)),
    ("LeftToeBase", "LeftFoot", (13.7928, -37.8952, 150.2067)),
    ("LeftToeBase_Site", "LeftToeBase", (0.0, 0.0, 77.8743)),
    ("RHipJoint", "Hips", (0.0, 0.0, 0.0)),
    ("RightUpLeg", "RHipJoint", (-112.749, -126.1974, 43.7332)),
    ("RightLeg", "RightUpLeg", (-181.6514, -499.0839, 0.0)),
    ("RightFoot", "RightLeg", (-172.746, -474.6168, 0.0)),
    ("RightToeBase", "RightFoot", (-16.1168, -44.2806, 149.3576)),
    ("RightToeBase_Site", "RightToeBase", (0.0, 0.0, 78.0983)),
    ("LowerBack", "Hips", (0.0, 0.0, 0.0)),
    ("Spine", "LowerBack", (1.3727, 143.815, -9.8784)),
    ("Spine1", "Spine", (0.7147, 144.5052, -4.1447)),
    ("Neck", "Spine1", (0.0, 0.0, 0.0)),
    ("Neck1", "Neck", (0.4991, 109.6977, 10.4776)),
    ("Head", "Neck1", (2.4003, 109.2287, -7.0042)),
    ("Head_Site", "Head", (0.9135, 113.792, -3.6855)),
    ("LeftShoulder", "Spine1", (0.0, 0.0, 0.0)),
    ("LeftArm", "LeftShoulder", (247.9435, 63.3052, -12.1548)),
    ("LeftForeArm", "LeftArm", (340.5591, 0.0, 0.0)),
    ("LeftHand", "LeftForeArm", (234.8878, 0.0, 0.0)),
    ("LeftFingerBase", "LeftHand", (0.0, 0.0, 0.0)),
    ("LeftHandIndex1", "LeftFingerBase", (46.2819, 0.0, 0.0)),
    ("LeftHandIndex1_Site", "LeftHandIndex1", (37.3142, 0.0, 0.0)),
    ("LThumb", "LeftHand", (0.0, 0.0, 0.0)),
    ("LThumb_Site", "LThumb", (37.884, 0.0, 37.884)),
    ("RightShoulder", "Spine1", (0.0, 0.0, 0.0)),
    ("RightArm", "RightShoulder", (-244.8614, 53.1958, -22.8312)),
    ("RightForeArm", "RightArm", (-351.8543, 0.0, 0.0)),
    ("RightHand", "RightForeArm", (-235.5017, 0.0, 0.0)),
    ("RightFingerBase", "RightHand", (0.0, 0.0, 0.0)),
    ("RightHandIndex1", "RightFingerBase", (-51.1287, 0.0, 0.0)),
    ("RightHandIndex1_Site", "RightHandIndex1", (-41.2209, 0.0, 0.0)),
    ("RThumb", "RightHand", (0.0, 0.0, 0.0)),
    ("RThumb_Site", "RThumb", (-41.8502, 0.0, 41.8502)),
)

_CMU_12 = {
    "left knee": ("LeftLeg",),
    "left foot": ("LeftFoot", "LeftToeBase", "LeftToeBase_Site"),
    "right knee": ("RightLeg",),
    "right foot": ("RightFoot", "RightToeBase", "RightToeBase_Site"),
    "torso": ("Spine", "Spine1"),
    "head": ("Neck1", "Head", "Head_Site"),
    "left shoulder": ("LeftArm",),
    "left forearm": ("LeftForeArm", "LeftHand"),
    "left hand": ("LeftHandIndex1", "LeftHandIndex1_Site", "LThumb_Site"),
    "right shoulder": ("RightArm",),
    "right forearm": ("RightForeArm", "RightHand"),
    "right hand": ("RightHandIndex1", "RightHandIndex1_Site", "RThumb_Site"),
}

_CMU_PARTS = {
    "left upper leg": ("LeftLeg", "LeftFoot"),
    "left lower leg": ("LeftToeBase", "LeftToeBase_Site"),
    "right upper leg": ("RightLeg", "RightFoot"),
    "right lower leg": ("RightToeBase", "RightToeBase_Site"),
    "torso": ("Spine", "Spine1"),
    "head": ("Neck1", "Head", "Head_Site"),
    "left upper arm": ("LeftArm", "LeftForeArm"),
    "left lower arm": ("LeftHand", "LeftHandIndex1", "LeftHandIndex1_Site", "LThumb_Site"),
    "right upper arm": ("RightArm", "RightForeArm"),
    "right lower arm": ("RightHand", "RightHandIndex1", "RightHandIndex1_Site", "RThumb_Site"),
}

_CMU_ANGLE_PARTS = {
    "left upper leg": ("LeftUpLeg", "LeftLeg"),
    "left lower leg": ("LeftFoot", "LeftToeBase"),
    "right upper leg": ("RightUpLeg", "RightLeg"),
    "right lower leg": ("RightFoot", "RightToeBase"),
    "torso": ("LowerBack", "Spine", "Spine1"),
    "head": ("Neck", "Neck1", "Head"),
    "left upper arm": ("LeftArm", "LeftForeArm"),
    "left lower arm": ("LeftHand", "LeftFingerBase", "LeftHandIndex1", "LThumb"),
    "right upper arm": ("RightArm", "RightForeArm"),
    "right lower arm": ("RightHand", "RightFingerBase", "RightHandIndex1", "RThumb"),
}

_CMU_10 = {name: joints for name, joints in _CMU_12.items() if not name.endswith("shoulder")}


@register("cmu", summary="CMU Mocap: positions of 38 joints, 25 used, at 60 frames a second.")
def cmu() -> Skeleton:
    """The positions of the body."""
    constant = ("Hips", "LHipJoint", "LeftUpLeg", "RHipJoint", "RightUpLeg", "LowerBack")
    duplicates = {
        "Neck": "Spine1",
        "LeftShoulder": "Spine1",
        "LeftFingerBase": "LeftHand",
        "LThumb": "LeftHand",
        "RightShoulder": "Spine1",
        "RightFingerBase": "RightHand",
        "RThumb": "RightHand",
    }
    left_out = {*constant, *duplicates}
    twelve = first_level(_CMU, left_out, _CMU_12)
    ten = first_level(_CMU, left_out, _CMU_10, allow_unused=True)  # the published map leaves the shoulders out
    return Skeleton(
        name="cmu",
        joint_names=tuple(name for name, _, _ in _CMU),
        parents=parents(_CMU),
        offsets=tuple(offset for _, _, offset in _CMU),
        mirrored=mirrored(_CMU),
        constant=constant,
        duplicates=duplicates,
        groupings={
            "25-12-7-4": (twelve, JointGrouping(SEVEN_OF_12, 12), JointGrouping(FOUR_OF_7, 7)),
            "25-10-5-3": (ten, JointGrouping(FIVE_OF_10, 10), JointGrouping(THREE_OF_5, 5)),
            "parts": ten_parts(_CMU, left_out, _CMU_PARTS),
        },
        fps=60.0,
    )


@register("cmu-angles", summary="CMU Mocap: rotations of the same joints, 26 used.")
def cmu_angles() -> Skeleton:
    """Its rotations, in radians; axes that never move are locked."""
    locked = {"Leg": "z", "ToeBase": "z", "ForeArm": "x", "Hand": "yz", "HandIndex1": "xy"}
    by_side = {f"{side}{joint}": axes for side in ("Left", "Right") for joint, axes in locked.items()}
    return angles(cmu(), _CMU, _CMU_ANGLE_PARTS, by_side)
