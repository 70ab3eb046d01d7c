"""The 25 joints of Kinect v2, under its own names and under those of NTU RGB+D.

Names and order are those of the sensor's JointType, and of "NTU RGB+D: A Large Scale Dataset for 3D Human Activity
Analysis" (Shahroudy et al., CVPR 2016), which was recorded with it: joint n of the paper is index n - 1 here. The bones
are the sensor's: a thumb hangs from its wrist. Recordings are in metres.
"""

from __future__ import annotations

from posegraph.skeleton.presets import register
from posegraph.skeleton.presets.landmarks import standing
from posegraph.skeleton.skeleton import Skeleton

_KINECT = (
    ("SpineBase", None, "mid hips"),
    ("SpineMid", "SpineBase", "mid spine"),
    ("Neck", "SpineShoulder", "neck"),
    ("Head", "Neck", "head"),
    ("ShoulderLeft", "SpineShoulder", "shoulder"),
    ("ElbowLeft", "ShoulderLeft", "elbow"),
    ("WristLeft", "ElbowLeft", "wrist"),
    ("HandLeft", "WristLeft", "hand"),
    ("ShoulderRight", "SpineShoulder", "shoulder"),
    ("ElbowRight", "ShoulderRight", "elbow"),
    ("WristRight", "ElbowRight", "wrist"),
    ("HandRight", "WristRight", "hand"),
    ("HipLeft", "SpineBase", "hip"),
    ("KneeLeft", "HipLeft", "knee"),
    ("AnkleLeft", "KneeLeft", "ankle"),
    ("FootLeft", "AnkleLeft", "foot"),
    ("HipRight", "SpineBase", "hip"),
    ("KneeRight", "HipRight", "knee"),
    ("AnkleRight", "KneeRight", "ankle"),
    ("FootRight", "AnkleRight", "foot"),
    ("SpineShoulder", "SpineMid", "thorax"),
    ("HandTipLeft", "HandLeft", "hand tip"),
    ("ThumbLeft", "WristLeft", "thumb"),
    ("HandTipRight", "HandRight", "hand tip"),
    ("ThumbRight", "WristRight", "thumb"),
)
_NTU = (
    "base of the spine",
    "middle of the spine",
    "neck",
    "head",
    "left shoulder",
    "left elbow",
    "left wrist",
    "left hand",
    "right shoulder",
    "right elbow",
    "right wrist",
    "right hand",
    "left hip",
    "left knee",
    "left ankle",
    "left foot",
    "right hip",
    "right knee",
    "right ankle",
    "right foot",
    "spine",
    "tip of the left hand",
    "left thumb",
    "tip of the right hand",
    "right thumb",
)


@register("kinect-25", summary="Kinect v2: positions of 25 joints, all used but the root, at 30 frames a second.")
def kinect_25() -> Skeleton:
    """The body by the sensor's names."""
    return standing("kinect-25", _KINECT, fps=30.0)


@register("ntu-25", summary="NTU RGB+D: the body of Kinect v2 by the data set's names.")
def ntu_25() -> Skeleton:
    """The body by the data set's names."""
    renamed = {kinect: ntu for (kinect, _, _), ntu in zip(_KINECT, _NTU, strict=True)}
    rows = tuple((renamed[joint], renamed.get(parent or ""), landmark) for joint, parent, landmark in _KINECT)
    return standing("ntu-25", rows, fps=30.0)
