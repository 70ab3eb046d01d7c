"""MediaPipe Pose, 33 landmarks.

Names and order are those of the documented pose landmark model, after "BlazePose: On-device Real-time Body Pose
Tracking" (Bazarevsky et al., 2020). No joint is in the middle but the nose, which is the root of the tree; shoulders
and mouth hang from it, hips from the shoulders. Poses are relative to the middle of the hips, as MediaPipe's world
landmarks are, and no joint is constant. World landmarks are in metres with y down: multiply by (1000, -1000, -1000) for
millimetres with y up.
"""

from __future__ import annotations

from posegraph.skeleton.presets import register
from posegraph.skeleton.presets.landmarks import standing
from posegraph.skeleton.skeleton import Skeleton

_MEDIAPIPE = (
    ("nose", None, "nose"),
    ("left_eye_inner", "nose", "inner eye"),
    ("left_eye", "left_eye_inner", "eye"),
    ("left_eye_outer", "left_eye", "outer eye"),
    ("right_eye_inner", "nose", "inner eye"),
    ("right_eye", "right_eye_inner", "eye"),
    ("right_eye_outer", "right_eye", "outer eye"),
    ("left_ear", "left_eye_outer", "ear"),
    ("right_ear", "right_eye_outer", "ear"),
    ("mouth_left", "nose", "mouth"),
    ("mouth_right", "nose", "mouth"),
    ("left_shoulder", "nose", "shoulder"),
    ("right_shoulder", "nose", "shoulder"),
    ("left_elbow", "left_shoulder", "elbow"),
    ("right_elbow", "right_shoulder", "elbow"),
    ("left_wrist", "left_elbow", "wrist"),
    ("right_wrist", "right_elbow", "wrist"),
    ("left_pinky", "left_wrist", "pinky"),
    ("right_pinky", "right_wrist", "pinky"),
    ("left_index", "left_wrist", "index"),
    ("right_index", "right_wrist", "index"),
    ("left_thumb", "left_wrist", "thumb"),
    ("right_thumb", "right_wrist", "thumb"),
    ("left_hip", "left_shoulder", "hip"),
    ("right_hip", "right_shoulder", "hip"),
    ("left_knee", "left_hip", "knee"),
    ("right_knee", "right_hip", "knee"),
    ("left_ankle", "left_knee", "ankle"),
    ("right_ankle", "right_knee", "ankle"),
    ("left_heel", "left_ankle", "heel"),
    ("right_heel", "right_ankle", "heel"),
    ("left_foot_index", "left_ankle", "big toe"),
    ("right_foot_index", "right_ankle", "big toe"),
)


@register("mediapipe-33", summary="MediaPipe Pose: positions of 33 joints, relative to the middle of the hips.")
def mediapipe_33() -> Skeleton:
    """The body."""
    return standing("mediapipe-33", _MEDIAPIPE, origin=("left_hip", "right_hip"))
