"""COCO, 17 keypoints.

The joints and their order are those of "Microsoft COCO: Common Objects in Context" (Lin et al., ECCV 2014) and its
keypoint task. The body has no joint in the middle but the nose, so the nose is the root of the tree: eyes, ears and
shoulders hang from it, arms and hips from the shoulders. Poses are *not* relative to the nose, with which every nod
would move the whole body, but to the middle of the two hips; no joint is constant.
"""

from __future__ import annotations

from posegraph.skeleton.presets import register
from posegraph.skeleton.presets.landmarks import standing
from posegraph.skeleton.skeleton import Skeleton

_COCO = (
    ("nose", None, "nose"),
    ("left_eye", "nose", "eye"),
    ("right_eye", "nose", "eye"),
    ("left_ear", "left_eye", "ear"),
    ("right_ear", "right_eye", "ear"),
    ("left_shoulder", "nose", "shoulder"),
    ("right_shoulder", "nose", "shoulder"),
    ("left_elbow", "left_shoulder", "elbow"),
    ("right_elbow", "right_shoulder", "elbow"),
    ("left_wrist", "left_elbow", "wrist"),
    ("right_wrist", "right_elbow", "wrist"),
    ("left_hip", "left_shoulder", "hip"),
    ("right_hip", "right_shoulder", "hip"),
    ("left_knee", "left_hip", "knee"),
    ("right_knee", "right_hip", "knee"),
    ("left_ankle", "left_knee", "ankle"),
    ("right_ankle", "right_knee", "ankle"),
)


@register("coco-17", summary="COCO keypoints: positions of 17 joints, relative to the middle of the hips.")
def coco_17() -> Skeleton:
    """The body."""
    return standing("coco-17", _COCO, origin=("left_hip", "right_hip"))
