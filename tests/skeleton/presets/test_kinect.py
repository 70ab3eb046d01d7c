"""The sensor's joints against its documented bones."""

from __future__ import annotations

from posegraph.skeleton import presets

# fmt: off
BONES = [(0, 1), (1, 20), (20, 2), (2, 3), (20, 4), (4, 5), (5, 6), (6, 7), (20, 8), (8, 9), (9, 10), (10, 11), (0, 12),
         (12, 13), (13, 14), (14, 15), (0, 16), (16, 17), (17, 18), (18, 19), (7, 21), (6, 22), (11, 23), (10, 24)]
# fmt: on


def test_bones_are_the_sensors():
    body = presets.get("kinect-25")
    assert {tuple(sorted(bone)) for bone in body.bones} == {tuple(sorted(bone)) for bone in BONES}
    assert body.fps == 30


def test_ntu_is_the_same_body_by_other_names():
    ntu, kinect = presets.get("ntu-25"), presets.get("kinect-25")
    assert (ntu.parents, ntu.offsets, ntu.mirror, ntu.fps) == (kinect.parents, kinect.offsets, kinect.mirror, 30)
    assert ntu.joint_names[20] == "spine"
