"""OpenPose, the 25 points of its BODY_25 model.

The joints, their order and their bones are those of "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part
Affinity Fields" (Cao et al., TPAMI 2021) and its documented output format. The root is the middle of the hips.
"""

from __future__ import annotations

from posegraph.skeleton.presets import register
from posegraph.skeleton.presets.landmarks import standing
from posegraph.skeleton.skeleton import Skeleton

_BODY_25 = (
    ("Nose", "Neck", "nose"),
    ("Neck", "MidHip", "thorax"),
    ("RShoulder", "Neck", "shoulder"),
    ("RElbow", "RShoulder", "elbow"),
    ("RWrist", "RElbow", "wrist"),
    ("LShoulder", "Neck", "shoulder"),
    ("LElbow", "LShoulder", "elbow"),
    ("LWrist", "LElbow", "wrist"),
    ("MidHip", None, "mid hips"),
    ("RHip", "MidHip", "hip"),
    ("RKnee", "RHip", "knee"),
    ("RAnkle", "RKnee", "ankle"),
    ("LHip", "MidHip", "hip"),
    ("LKnee", "LHip", "knee"),
    ("LAnkle", "LKnee", "ankle"),
    ("REye", "Nose", "eye"),
    ("LEye", "Nose", "eye"),
    ("REar", "REye", "ear"),
    ("LEar", "LEye", "ear"),
    ("LBigToe", "LAnkle", "big toe"),
    ("LSmallToe", "LBigToe", "small toe"),
    ("LHeel", "LAnkle", "heel"),
    ("RBigToe", "RAnkle", "big toe"),
    ("RSmallToe", "RBigToe", "small toe"),
    ("RHeel", "RAnkle", "heel"),
)


@register("body-25", summary="OpenPose BODY_25: positions of 25 joints, all used but the root.")
def body_25() -> Skeleton:
    """The body."""
    return standing("body-25", _BODY_25)
