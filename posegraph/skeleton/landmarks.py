"""Which point of a body each joint is, whatever its name: "LeftLeg" of CMU Mocap and "L_Knee" are both the left knee.

Names say it but for a few bodies, which are told by joints that no other body has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posegraph.skeleton.sides import split_side
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["landmark_of_joints", "weights_of_landmark"]


@dataclass(frozen=True)
class _Landmark:
    names: tuple[str, ...]
    """Names of joints without their side, in lower case, the surest first."""
    instead: tuple[tuple[str, ...], ...] = ()
    """What to take without such a joint: the mean of landmarks; the first list that a body has counts."""
    derived: bool = False
    """Take the mean even if there is such a joint, so that the landmark is the same for all bodies."""


# The order matters: a joint is the first landmark that fits. So "hand" is a wrist unless the body has "wrist" too.
_LIMBS = {
    "hip": _Landmark(("upleg", "hip", "thigh", "upperleg", "femur")),
    "knee": _Landmark(("knee", "leg", "shin", "lowerleg", "calf", "tibia")),
    "ankle": _Landmark(("ankle", "foot")),
    "toe base": _Landmark(("toebase", "foot", "toe", "toes"), (("toe tip",),)),
    "toe tip": _Landmark(("bigtoe", "footindex", "toebasesite", "toeend"), (("toe base",),)),
    "small toe": _Landmark(("smalltoe",)),
    "heel": _Landmark(("heel",)),
    "shoulder": _Landmark(("arm", "upperarm", "uparm", "shldr", "shoulder", "humerus")),
    "collar": _Landmark(("collar", "clavicle", "shoulder")),
    "elbow": _Landmark(("elbow", "forearm", "lowerarm", "loarm", "radius")),
    "wrist": _Landmark(("wrist", "hand")),
    "index": _Landmark(("index",)),
    "pinky": _Landmark(("pinky",)),
    "hand": _Landmark(("hand", "handindex1"), (("index", "pinky"),)),
    "hand tip": _Landmark(("handtip", "tipofthehand", "wristend", "handindex1site")),
    "thumb": _Landmark(("thumbsite", "handthumbsite", "thumb")),
    "ear": _Landmark(("ear",)),
    "eye": _Landmark(("eye",)),
    "inner eye": _Landmark(("eyeinner",), (("eye",),)),
    "outer eye": _Landmark(("eyeouter",), (("eye",),)),
    "mouth": _Landmark(("mouth",)),
}
_CENTRE = {
    "mid hip": _Landmark(("midhip",), (("left hip", "right hip"),), derived=True),
    "pelvis": _Landmark(("pelvis", "hips", "spinebase", "baseofthespine"), (("mid hip",),)),
    "mid shoulder": _Landmark(("midshoulder",), (("left shoulder", "right shoulder"),), derived=True),
    "neck base": _Landmark(("spineshoulder", "thorax"), (("mid shoulder",),)),
    "half spine": _Landmark(("midspine",), (("mid hip", "mid shoulder"),), derived=True),
    "mid spine": _Landmark(("spinemid", "middleofthespine"), (("half spine",),)),
    "half neck": _Landmark(("midneck",), (("mid shoulder", "head"),), derived=True),
    "neck": _Landmark(("neck1", "neck"), (("half neck",),)),
    "head": _Landmark(("head",), (("left ear", "right ear"), ("nose",))),
    "head top": _Landmark(("headsite", "headtop", "headend")),
    "nose": _Landmark(("nose",), (("head",),)),
}
# Bodies whose names mislead: joints that give the body away, and landmarks of its joints.
_SPECIAL: tuple[tuple[frozenset[str], Mapping[str, str]], ...] = (
    (
        frozenset({"Hip", "Neck/Nose"}),
        {"Hip": "mid hip", "Spine": "mid spine", "Neck/Nose": "head", "Head": "head top"},
    ),
    (
        frozenset({"Hips", "L_Wrist_End"}),
        {"Hips": "mid hip", "Spine1": "mid spine", "Neck": "neck base", "Head": "head"},
    ),
    (frozenset({"MidHip", "LSmallToe"}), {"Neck": "neck base"}),
    (frozenset({"base of the spine"}), {"spine": "neck base"}),
)


def _sided(side: str, landmark: _Landmark) -> _Landmark:
    return _Landmark(landmark.names, tuple(tuple(f"{side} {name}" for name in names) for names in landmark.instead))


_LANDMARKS = {
    **{f"{side} {name}": _sided(side, landmark) for side in ("left", "right") for name, landmark in _LIMBS.items()},
    **_CENTRE,
}


def landmark_of_joints(skeleton: Skeleton) -> dict[str, str]:
    """The landmark of each joint that is known to be one; each landmark once.

    Args:
        skeleton: Any skeleton; its ``mirrored`` pairs tell the sides.

    Returns:
        Joint to landmark, such as "left knee" or "mid hip". Copies of other joints have none.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> from posegraph.skeleton.landmarks import landmark_of_joints
        >>> [landmark_of_joints(presets.get(body))[joint] for body, joint in (("cmu", "LeftLeg"), ("coco-17", "nose"))]
        ['left knee', 'nose']
    """
    known = set(skeleton.joint_names)
    found = next((dict(special) for joints, special in _SPECIAL if joints <= known), {})
    found = {joint: landmark for joint, landmark in found.items() if joint in known}
    joints: dict[tuple[str, str], str] = {}
    for joint in skeleton.joint_names:
        if joint not in skeleton.duplicates and joint not in found:
            side, stem = split_side(joint, skeleton.mirrored)
            joints.setdefault((side, re.sub(r"[^a-z0-9]", "", stem.rpartition(":")[2].lower())), joint)
    for landmark, kind in _LANDMARKS.items():
        side = landmark.partition(" ")[0]
        side = side if side in ("left", "right") else "centre"
        joint = next((joints[side, name] for name in kind.names if (side, name) in joints), None)
        if joint is not None and landmark not in found.values():
            found[joint] = landmark
            joints = {key: other for key, other in joints.items() if other != joint}
    return found


def weights_of_landmark(landmark: str, joints: Mapping[str, str]) -> dict[str, float] | None:
    """How a landmark is made of joints.

    Args:
        landmark: One of those that `landmark_of_joints` gives.
        joints: The joints of a body and their landmarks.

    Returns:
        Weights of joints, which sum to 1; None if the body has nothing to make the landmark of.

    Examples:
        >>> from posegraph.skeleton.landmarks import weights_of_landmark
        >>> weights_of_landmark("mid hip", {"LeftUpLeg": "left hip", "RightUpLeg": "right hip"})
        {'LeftUpLeg': 0.5, 'RightUpLeg': 0.5}
    """
    return _weights(landmark, {landmark: joint for joint, landmark in joints.items()}, ())


def _weights(landmark: str, joint_of: Mapping[str, str], asked: Sequence[str]) -> dict[str, float] | None:
    own = {joint_of[landmark]: 1.0} if landmark in joint_of else None
    kind = _LANDMARKS[landmark]
    if landmark in asked or (own and not kind.derived):
        return own
    for names in kind.instead:
        parts = [_weights(name, joint_of, (*asked, landmark)) for name in names]
        if all(parts):
            mean: dict[str, float] = {}
            for part in parts:
                for joint, weight in (part or {}).items():
                    mean[joint] = mean.get(joint, 0.0) + weight / len(parts)
            return mean
    return own
