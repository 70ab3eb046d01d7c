from __future__ import annotations

import pytest

from posegraph.skeleton import presets
from posegraph.skeleton.sides import mirrored_pairs, split_side


@pytest.mark.parametrize(
    ("left", "right", "stem"),
    [
        ("LeftUpLeg", "RightUpLeg", "UpLeg"),
        ("left_hip", "right_hip", "_hip"),
        ("HIP LEFT", "HIP RIGHT", "HIP "),
        ("ShoulderLeft", "ShoulderRight", "Shoulder"),
        ("mixamorig:LeftArm", "mixamorig:RightArm", "mixamorig:Arm"),
        ("L_Hip", "R_Hip", "_Hip"),
        ("L_Wrist_End", "R_Wrist_End", "_Wrist_End"),
        ("LThumb", "RThumb", "Thumb"),
        ("LASI", "RASI", "ASI"),
        ("lShldr", "rShldr", "Shldr"),
        ("lfemur", "rfemur", "femur"),
        ("hand.L", "hand.R", "hand."),
        ("hand.L.001", "hand.R.001", "hand..001"),
        ("upperarm_l", "upperarm_r", "upperarm_"),
        ("Bip01 L Thigh", "Bip01 R Thigh", "Bip01  Thigh"),
        ("kneeL", "kneeR", "knee"),
        ("J_Bip_L_UpperArm", "J_Bip_R_UpperArm", "J_Bip__UpperArm"),
        ("tip of left hand", "tip of right hand", "tip of  hand"),
    ],
)
def test_sides_of_names(left, right, stem):
    assert mirrored_pairs([right, "Head", left]) == ((left, right),)
    assert split_side(left, [(left, right)]) == ("left", stem)
    assert split_side(right, [(left, right)]) == ("right", stem)
    assert split_side("Head", [(left, right)]) == ("centre", "Head")


@pytest.mark.parametrize("names", [["leg", "reg"], ["left_hip"], ["Hips", "Spine", "lumbar"], ["L1", "R1"], []])
def test_other_names_have_no_side(names):
    expected = (("leg", "reg"),) if "reg" in names else ()  # nothing else tells them from lfoot and rfoot
    assert mirrored_pairs(names) == expected


def test_names_are_in_one_pair_at_most():
    pairs = mirrored_pairs(["left_L", "right_L", "left_R", "right_R"])
    assert pairs == (("left_L", "right_L"), ("left_R", "right_R"))


@pytest.mark.parametrize("name", presets.names())
def test_mirrored_joints_of_all_bodies_are_found_by_name(name):
    body = presets.get(name)
    assert set(mirrored_pairs(body.joint_names)) == set(body.mirrored)


def test_pairs_that_names_do_not_show_keep_their_names():
    assert split_side("a", [("a", "b")]) == ("left", "a")
    assert split_side("b", [("a", "b")]) == ("right", "b")


def test_names_of_markers_and_ends():
    assert mirrored_pairs(("LThumb_Site", "RThumb_Site")) == (("LThumb_Site", "RThumb_Site"),)
    assert mirrored_pairs(("LHIP", "RHIP")) == (("LHIP", "RHIP"),)
