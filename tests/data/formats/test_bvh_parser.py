from __future__ import annotations

import pytest

from posegraph.data.formats._bvh_parser import parse
from posegraph.errors import DataError
from tests.data.formats.files import bvh_text, random_values

TEXT = bvh_text(random_values(7))


def test_several_end_sites_are_numbered():
    text = TEXT.replace(
        "End Site\n{\nOFFSET 0.000000 -6", "End Site\n{\nOFFSET 1 1 1\n}\nEnd Site\n{\nOFFSET 0.000000 -6"
    )
    names = [node.name for node in parse(text.encode(), "walk.bvh").nodes]
    assert names.count("LeftFoot_Site") == names.count("LeftFoot_Site2") == 1


WRONG = {
    "expected a BVH file with a line HIERARCHY, got none": ("", "\n"),
    "expected a BVH file with a line MOTION, got none": ("MOTION", "MOTIN"),
    r"line 1: expected HIERARCHY, got 'HIERARKY'\. Is it a BVH file": ("HIERARCHY", "HIERARKY"),
    r"line 3: expected OFFSET, CHANNELS, JOINT, End Site or '}', got 'ROTATE'": ("{\nOFFSET", "{ ROTATE\nOFFSET"),
    r"line 2: expected '{' after ROOT Hips, got none": ("Hips\n{", "Hips\n"),
    r"expected '}' for Hips, got none\. Brackets have to be balanced": ("}\nMOTION", "MOTION"),
    r"expected ROOT or MOTION, got '}'\. Brackets": ("}\nMOTION", "}\n}\nMOTION"),
    r"line 6: expected CHANNELS of LeftUpLeg, got none": (
        "CHANNELS 3 Zrotation Yrotation Xrotation\nJOINT LeftLeg",
        "JOINT LeftLeg",
    ),
    r"line 2: expected an OFFSET of Hips, got none": ("OFFSET 0.000000 0.000000 0.000000\n", ""),
    r"line 4: expected three numbers after OFFSET, once a joint, got 2": (
        "OFFSET 0.000000 0.000000 0.000000",
        "OFFSET 0 0",
    ),
    r"line 4: expected finite numbers after OFFSET, got 0\.0, inf, 0\.0": (
        "OFFSET 0.000000 0.000000 0.000000",
        "OFFSET 0 inf 0",
    ),
    r"line 5: expected CHANNELS with a number of up to 6, once a joint, got '7'": ("CHANNELS 6", "CHANNELS 7"),
    r"line 5: expected 6 channels such as Xposition or Zrotation, each once, got Wposition": ("Xposition", "Wposition"),
    r"line 2: expected a name after ROOT, got none": ("ROOT Hips", "ROOT"),
    r"expected one ROOT, got another\. Split the file": ("JOINT Neck", "ROOT Neck"),
    r"line 2: expected JOINT and End Site below ROOT, got JOINT outside of it": ("ROOT Hips", "JOINT Hips"),
    r"expected a number of frames, got 'many'\. Correct it": ("Frames: 7", "Frames: many"),
    r"expected 8 frames as this line says, got 7\. If the file was cut off": ("Frames: 7", "Frames: 8"),
    r"expected at most [\d,]+ frames of 35 channels, got 1,000,000,000": ("Frames: 7", "Frames: 1000000000"),
    r"expected a number, got 'fast'\. Correct the line, as in Frame Time": ("Time: 0.0083333", "Time: fast"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_said_with_its_line(message):
    old, new = WRONG[message]
    text = TEXT.replace(old, new, 1) if old else new
    with pytest.raises(DataError, match=rf"walk\.bvh.*{message}"):
        parse(text.encode(), "walk.bvh")


def test_lines_of_another_length_are_named():
    lines = TEXT.splitlines()
    lines[-2] += " 1"
    with pytest.raises(DataError, match=rf"walk\.bvh, line {len(lines) - 1}: expected 35 numbers, got 36\. The hier"):
        parse("\n".join(lines).encode(), "walk.bvh")
    lines[-2] = " ".join([*lines[-2].split()[:-2], "1_0"])
    with pytest.raises(DataError, match=rf"line {len(lines) - 1}: expected a number, got '1_0'\. Fetch"):
        parse("\n".join(lines).encode(), "walk.bvh")
