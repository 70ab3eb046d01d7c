"""Seventeen joints that pose estimators, body models and motion captures share.

Order and tree are those of ``h36m-17``, the joints that pose estimation knows from Human3.6M (Ionescu et al., TPAMI
2014). Their places are this library's own choice, such that each follows from joints that COCO, MediaPipe, SMPL,
Human3.6M and CMU Mocap all have: the limbs' joints, and the head at the height of the ears. The other four lie between:
``mid_hip`` and ``mid_shoulder`` in the middle of a pair, ``mid_spine`` in the middle of these two, ``mid_neck`` between
``mid_shoulder`` and ``head``. `posegraph.skeleton.JointMap` makes poses of this body from those of others.
"""

from __future__ import annotations

from posegraph.skeleton.presets import register
from posegraph.skeleton.presets.landmarks import standing
from posegraph.skeleton.skeleton import Skeleton

_BODY_17 = (
    ("mid_hip", None, "mid hips"),
    ("right_hip", "mid_hip", "hip"),
    ("right_knee", "right_hip", "knee"),
    ("right_ankle", "right_knee", "ankle"),
    ("left_hip", "mid_hip", "hip"),
    ("left_knee", "left_hip", "knee"),
    ("left_ankle", "left_knee", "ankle"),
    ("mid_spine", "mid_hip", "half spine"),
    ("mid_shoulder", "mid_spine", "thorax"),
    ("mid_neck", "mid_shoulder", "half neck"),
    ("head", "mid_neck", "ear height"),
    ("left_shoulder", "mid_shoulder", "shoulder"),
    ("left_elbow", "left_shoulder", "elbow"),
    ("left_wrist", "left_elbow", "wrist"),
    ("right_shoulder", "mid_shoulder", "shoulder"),
    ("right_elbow", "right_shoulder", "elbow"),
    ("right_wrist", "right_elbow", "wrist"),
)


@register("body-17", summary="Positions of 17 joints that other bodies can be brought to, all used but the root.")
def body_17() -> Skeleton:
    """The body."""
    return standing("body-17", _BODY_17)
