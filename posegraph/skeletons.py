"""The built-in skeletons, by joint name.

Positions are in millimetres and follow the exponential-map files that the field's papers use, with y up and the
subject's left on the positive x axis. A joint's position is where the bone of its name starts: "RightLeg" is the
right knee.

* ``h36m``: Human3.6M, 32 joints, 22 of them used. Bone names are the data set's own; ``_Site`` marks end sites.
* ``cmu``: CMU Mocap in the 38-joint BVH conversion, 25 joints used. Offsets are BVH units times 70, as in the
  published benchmark; that makes "millimetres" about 24 % too long. Frames are every second one of 120 a second.
* ``h36m-angles``, ``cmu-angles``: the same bodies with rotations in place of positions, each joint's exponential map in
  radians. Of the joints that rotate, 20 and 26 are used: all but the root, whose rotation forecasts leave out. Axes
  that never move are locked.

Each has a grouping into 10 parts and 5 bodies, ``"parts"``, after DMGNN (Li et al., CVPR 2020); for positions, whose
joints are others than DMGNN's, it is our reading.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from posegraph.errors import UnknownNameError
from posegraph.grouping import JointGrouping
from posegraph.skeleton import Skeleton, Vector

__all__ = ["get", "names"]

# (joint, parent, offset from the parent in the rest pose)
Joints = tuple[tuple[str, str | None, Vector], ...]

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

# The two coarser levels are given by position in the level before and are the same for both skeletons.
# Forearm groups (7 and 10) count twice on the way to 7, the torso (2) twice on the way to 4.
_7_OF_12 = ((0, 1), (2, 3), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11))
_4_OF_7 = ((0, 2), (1, 2), (3, 4), (5, 6))
_5_OF_10 = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
_3_OF_5 = ((2,), (0, 3), (1, 4))


def _mirrored(joints: Joints) -> tuple[tuple[str, str], ...]:
    """Pairs (left, right): LeftArm and RightArm, LThumb and RThumb."""
    names = [name for name, _, _ in joints]
    pairs = ((n, "Right" + n[4:] if n.startswith("Left") else "R" + n[1:]) for n in names if n.startswith("L"))
    return tuple((left, right) for left, right in pairs if right in names)


def _parents(joints: Joints) -> tuple[int, ...]:
    names = [name for name, _, _ in joints]
    return tuple(-1 if parent is None else names.index(parent) for _, parent, _ in joints)


def _first_level(
    joints: Joints, left_out: set[str], groups: dict[str, tuple[str, ...]], *, allow_unused: bool = False
) -> JointGrouping:
    used = [name for name, _, _ in joints if name not in left_out]
    return JointGrouping.from_names(used, groups, allow_unused=allow_unused)


def _parts(joints: Joints, left_out: set[str], parts: dict[str, tuple[str, ...]]) -> tuple[JointGrouping, ...]:
    """Ten parts, and five bodies of two parts each: the legs, the trunk, the arms."""
    return _first_level(joints, left_out, parts), JointGrouping(_5_OF_10, 10)


def _angles(positions: Skeleton, joints: Joints, parts: dict[str, tuple[str, ...]], locked: dict[str, str]) -> Skeleton:
    """The rotations of a body, those of the joints in ``parts`` used."""
    used = {name for part in parts.values() for name in part}
    unused = tuple(name for name in positions.joint_names if name not in used)
    return replace(
        positions,
        name=f"{positions.name}-angles",
        constant=unused,  # end sites never rotate; the root does, but a forecast takes its rotation as given
        duplicates={},
        groupings={"parts": _parts(joints, set(unused), parts)},
        unit="rad",
        locked=locked,
    )


@cache
def _h36m() -> Skeleton:
    constant = ("Hips", "RightUpLeg", "LeftUpLeg", "Spine")
    duplicates = {
        "LeftShoulder": "Neck",
        "LeftHandThumb": "LeftHand",
        "L_Wrist_End_Site": "L_Wrist_End",
        "RightShoulder": "Neck",
        "RightHandThumb": "RightHand",
        "R_Wrist_End_Site": "R_Wrist_End",
    }
    first = _first_level(_H36M, {*constant, *duplicates}, _H36M_12)
    return Skeleton(
        name="h36m",
        joint_names=tuple(name for name, _, _ in _H36M),
        parents=_parents(_H36M),
        offsets=tuple(offset for _, _, offset in _H36M),
        mirrored=_mirrored(_H36M),
        constant=constant,
        duplicates=duplicates,
        groupings={
            "22-12-7-4": (first, JointGrouping(_7_OF_12, 12), JointGrouping(_4_OF_7, 7)),
            "parts": _parts(_H36M, {*constant, *duplicates}, _H36M_PARTS),
        },
        fps=25.0,
    )


@cache
def _cmu() -> Skeleton:
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
    twelve = _first_level(_CMU, left_out, _CMU_12)
    ten = _first_level(_CMU, left_out, _CMU_10, allow_unused=True)  # the published map leaves the shoulders out
    return Skeleton(
        name="cmu",
        joint_names=tuple(name for name, _, _ in _CMU),
        parents=_parents(_CMU),
        offsets=tuple(offset for _, _, offset in _CMU),
        mirrored=_mirrored(_CMU),
        constant=constant,
        duplicates=duplicates,
        groupings={
            "25-12-7-4": (twelve, JointGrouping(_7_OF_12, 12), JointGrouping(_4_OF_7, 7)),
            "25-10-5-3": (ten, JointGrouping(_5_OF_10, 10), JointGrouping(_3_OF_5, 5)),
            "parts": _parts(_CMU, left_out, _CMU_PARTS),
        },
        fps=60.0,
    )


@cache
def _h36m_angles() -> Skeleton:
    hinges = ("RightLeg", "RightToeBase", "LeftLeg", "LeftToeBase", "LeftForeArm", "RightForeArm")
    return _angles(_h36m(), _H36M, _H36M_ANGLE_PARTS, dict.fromkeys(hinges, "yz"))


@cache
def _cmu_angles() -> Skeleton:
    locked = {"Leg": "z", "ToeBase": "z", "ForeArm": "x", "Hand": "yz", "HandIndex1": "xy"}
    by_side = {f"{side}{joint}": axes for side in ("Left", "Right") for joint, axes in locked.items()}
    return _angles(_cmu(), _CMU, _CMU_ANGLE_PARTS, by_side)


_BUILDERS = {"cmu": _cmu, "cmu-angles": _cmu_angles, "h36m": _h36m, "h36m-angles": _h36m_angles}


def names() -> list[str]:
    """Names of the built-in skeletons."""
    return sorted(_BUILDERS)


def get(skeleton: str | Skeleton) -> Skeleton:
    """A built-in skeleton by name; a `Skeleton` is returned as it is.

    Raises:
        UnknownNameError: There is no built-in skeleton of this name.

    Examples:
        >>> from posegraph import skeletons
        >>> cmu = skeletons.get("cmu")
        >>> cmu.num_joints, cmu.num_used, [level.num_groups for level in cmu.scales(4)]
        (38, 25, [12, 7, 4])
    """
    if isinstance(skeleton, Skeleton):
        return skeleton
    if skeleton not in _BUILDERS:
        raise UnknownNameError("skeleton", skeleton, names())
    return _BUILDERS[skeleton]()
