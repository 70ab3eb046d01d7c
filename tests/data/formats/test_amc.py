from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph.data import formats
from posegraph.data.formats import ReadOptions, amc
from posegraph.data.formats._asf import parse_asf
from posegraph.errors import DataError
from tests.data.formats.files import read_damaged

ASF = """# a leg and a head
:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name lhip
     direction 1 -1 0
     length 2
     axis 0 0 0 XYZ
  end
  begin
     id 2
     name lfemur
     direction 0.3 -0.9 0.1
     length 8
     axis 10 -5 20 XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 3
     name ltoes
     direction 0.1 -0.9 0.2
     length 9
     axis 0 30 20 ZYX
    dof rx rz
  end
  begin
     id 4
     name head
     direction 0 1 0
     length 12
     axis 0 0 0 XYZ
    dof rx
  end
:hierarchy
  begin
    root lhip head
    lhip lfemur
    lfemur ltoes
  end
"""
VALUES = np.random.default_rng(0).uniform(-50, 50, size=(6, 12))
WIDTHS = {"root": 6, "lfemur": 3, "ltoes": 2, "head": 1}


def amc_text(values: np.ndarray = VALUES) -> str:
    lines = [":FULLY-SPECIFIED", ":DEGREES"]
    for frame, row in enumerate(values, start=1):
        lines.append(str(frame))
        at = 0
        for name, width in WIDTHS.items():
            lines.append(f"{name} {' '.join(f'{value:.5f}' for value in row[at : at + width])}")
            at += width
    return "\n".join(lines) + "\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "07.asf.gz").write_bytes(gzip.compress(ASF.encode()))
    path = tmp_path / "07_01.amc"
    path.write_text(amc_text())
    return path


def positions(row: np.ndarray) -> dict[str, np.ndarray]:
    """Bone by bone with SciPy: R = parent C M C^-1, ends at R direction length."""

    def fixed(order: str, angles: list[float]) -> Rotation:
        return Rotation.from_euler(order, angles, degrees=True)  # lower case: about fixed axes, the first one first

    root = fixed("xyz", row[3:6])
    femur_axes, toes_axes = fixed("xyz", [10, -5, 20]), fixed("zyx", [20, 30, 0])
    femur = root * femur_axes * fixed("xyz", row[6:9]) * femur_axes.inv()
    toes = femur * toes_axes * fixed("xyz", [row[9], 0, row[10]]) * toes_axes.inv()
    head = root * fixed("xyz", [row[11], 0, 0])
    at = {"root": row[:3], "lhip": row[:3], "head": row[:3]}
    unit = {
        name: np.array(v) / 1.0 * length
        for name, v, length in (
            ("lhip", (1, -1, 0), 2),
            ("lfemur", (0.3, -0.9, 0.1), 8),
            ("ltoes", (0.1, -0.9, 0.2), 9),
            ("head", (0, 1, 0), 12),
        )
    }
    at["lfemur"] = at["lhip"] + root.apply(unit["lhip"])
    at["ltoes"] = at["lfemur"] + femur.apply(unit["lfemur"])
    at["ltoes_Site"] = at["ltoes"] + toes.apply(unit["ltoes"])
    at["head_Site"] = at["root"] + head.apply(unit["head"])
    return at


def test_positions_are_those_of_scipy(files):
    clip = formats.read(files, up="y")
    assert clip.root is not None
    world = clip.root.to_world(clip.poses)
    scale = 25.4 / 0.45
    for frame, row in enumerate(np.round(VALUES, 5)):
        expected = positions(row)
        assert set(expected) == set(clip.skeleton.joint_names)
        for name, place in expected.items():
            np.testing.assert_allclose(world[frame, clip.skeleton.index(name)], place * scale, atol=2e-3)
    assert clip.fps == 120.0
    assert "The skeleton is that of 07.asf.gz." in clip.notes
    assert clip.skeleton.constant == ("root", "lhip", "head", "lfemur")


def test_the_user_may_say_rate_unit_and_skeleton(files, tmp_path):
    clip = formats.read(files, fps=60, unit="cm", up="y")
    assert clip.fps == 60
    plain = formats.read(files, up="y")
    torch.testing.assert_close(clip.poses * (25.4 / 0.45 / 10), plain.poses)
    other = tmp_path / "elsewhere"
    other.mkdir()
    lonely = other / "08_02.amc"
    lonely.write_text(amc_text())
    with pytest.raises(DataError, match=r"expected its skeleton 08_02\.asf or 08\.asf beside it, got no \.asf"):
        formats.read(lonely)
    assert torch.equal(amc.read(lonely, ReadOptions(up="y"), asf=tmp_path / "07.asf.gz").poses, plain.poses)
    (other / "x.asf").write_text(ASF)
    assert amc.find_skeleton(lonely).name == "x.asf"


WRONG_AMC = {
    r"line 3: expected a frame number, got 'root'\. Does the \.asf belong": ("1\nroot", "root"),
    r"line 5: expected a bone of the skeleton, once a frame \(root, .*\), got 'tail'": ("lfemur", "tail"),
    r"line 3: expected 4 bones in the frame, got no lfemur": ("lfemur", "# lfemur"),
    r"bone head, values, line 1: expected a number, got 'up'": ("head ", "head up #"),
    r"expected frames, got none\. Fetch": (amc_text(), ":DEGREES"),
}


@pytest.mark.parametrize("message", WRONG_AMC)
def test_what_is_wrong_in_a_motion_is_said(message):
    skeleton = parse_asf(ASF.encode(), "07.asf")
    old, new = WRONG_AMC[message]
    text = amc_text().replace(old, new, 1)
    if new == "head up #":
        text = amc_text().replace(f"head {VALUES[0, 11]:.5f}", "head up")
    with pytest.raises(DataError, match=message):
        amc.parse_amc(text.encode(), "07_01.amc", skeleton)


def test_numbers_have_to_be_finite():
    skeleton = parse_asf(ASF.encode(), "07.asf")
    values = VALUES.copy()
    values[2, 3] = np.nan
    with pytest.raises(DataError, match="line 13: expected finite numbers in the frame, got others"):
        amc.parse_amc(amc_text(values).encode(), "07_01.amc", skeleton)


def test_damage_gives_a_clip_or_an_error(files):
    assert read_damaged(files, 60) > 20
    files.write_text(amc_text())
    asf = files.with_name("07.asf")
    files.with_name("07.asf.gz").unlink()
    asf.write_text(ASF)
    assert read_damaged(asf, 60, read=files) > 20
