"""SMPL, 24 joints, and the 22 of them without the hands.

Names and tree are those of "SMPL: A Skinned Multi-Person Linear Model" (Loper et al., SIGGRAPH Asia 2015); SMPL-H and
SMPL-X share the first 22, which motion collections such as AMASS (Mahmood et al., ICCV 2019) are compared on. The rest
pose is not that of the body model, whose files have terms of their own. The y axis points up, as in the model; many
recordings of the collections have z up instead and must be turned first.
"""

from __future__ import annotations

from posegraph.skeleton.presets import register
from posegraph.skeleton.presets.landmarks import standing
from posegraph.skeleton.skeleton import Skeleton

_SMPL = (
    ("pelvis", None, "pelvis"),
    ("left_hip", "pelvis", "hip"),
    ("right_hip", "pelvis", "hip"),
    ("spine1", "pelvis", "lower spine"),
    ("left_knee", "left_hip", "knee"),
    ("right_knee", "right_hip", "knee"),
    ("spine2", "spine1", "upper spine"),
    ("left_ankle", "left_knee", "ankle"),
    ("right_ankle", "right_knee", "ankle"),
    ("spine3", "spine2", "chest"),
    ("left_foot", "left_ankle", "foot"),
    ("right_foot", "right_ankle", "foot"),
    ("neck", "spine3", "neck"),
    ("left_collar", "spine3", "collar"),
    ("right_collar", "spine3", "collar"),
    ("head", "neck", "skull base"),
    ("left_shoulder", "left_collar", "shoulder"),
    ("right_shoulder", "right_collar", "shoulder"),
    ("left_elbow", "left_shoulder", "elbow"),
    ("right_elbow", "right_shoulder", "elbow"),
    ("left_wrist", "left_elbow", "wrist"),
    ("right_wrist", "right_elbow", "wrist"),
    ("left_hand", "left_wrist", "hand"),
    ("right_hand", "right_wrist", "hand"),
)


@register("smpl-22", summary="SMPL without hands: positions of 22 joints, all used but the root.")
def smpl_22() -> Skeleton:
    """The body without its hands."""
    return standing("smpl-22", _SMPL[:22])


@register("smpl-24", summary="SMPL: positions of 24 joints, all used but the root.")
def smpl_24() -> Skeleton:
    """The whole body."""
    return standing("smpl-24", _SMPL)
