from __future__ import annotations

import gzip
import re

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph.data import formats
from posegraph.errors import ConfigError, DataError
from posegraph.skeleton.skeleton import Skeleton
from tests.data.formats.files import BODY, bvh_text, channels, random_values, read_damaged

VALUES = random_values(7)
TEXT = bvh_text(VALUES)


def world(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions ``(frames, joints, 3)`` in cm and the root's rotations, joint by joint with SciPy (column vectors)."""
    frames = len(values)
    rotations, places = {}, np.zeros((frames, len(BODY), 3))
    for joint, (_, parent, offset, own) in enumerate(BODY):
        columns = [(name, column) for column, (j, name) in enumerate(channels()) if j == joint]
        turns = [(name[0], column) for name, column in columns if name.endswith("rotation")]
        moves = [column for name, column in columns if name.endswith("position")]
        order, angles = "".join(axis for axis, _ in turns), values[:, [column for _, column in turns]]
        local = Rotation.from_euler(order, angles, degrees=True) if own else Rotation.identity(frames)
        at = values[:, moves] if moves else np.tile(offset, (frames, 1))
        rotations[joint] = rotations[parent] * local if parent >= 0 else local
        places[:, joint] = places[:, parent] + rotations[parent].apply(at) if parent >= 0 else at
    return places, rotations[0].as_matrix()


def read(tmp_path, text, name="walk.bvh", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return formats.read(path, **options)


def test_positions_are_those_of_scipy(tmp_path):
    clip = read(tmp_path, TEXT)
    places, turns = world(np.round(VALUES, 6))
    assert clip.root is not None
    assert clip.root.rotations is not None
    np.testing.assert_allclose(clip.root.to_world(clip.poses), places * 10, atol=1e-3)
    np.testing.assert_allclose(clip.root.rotations, turns.swapaxes(1, 2), atol=1e-6)
    np.testing.assert_allclose(clip.poses, (places - places[:, :1]) @ turns * 10, atol=1e-4)
    assert (clip.fps, clip.name, clip.unit, clip.up) == (120.0, "walk", "mm", "y")
    assert any("Position channels take the place of offsets: Spine" in note for note in clip.notes)
    assert any("unit: cm, guessed" in note for note in clip.notes)


def test_the_body_is_read_from_the_hierarchy(tmp_path):
    skeleton = read(tmp_path, TEXT).skeleton
    assert skeleton.joint_names == tuple(name for name, *_ in BODY)
    assert skeleton.parents == tuple(parent for _, parent, *_ in BODY)
    assert skeleton.offsets is not None
    np.testing.assert_allclose(skeleton.offsets, np.array([offset for _, _, offset, _ in BODY]) * 10)
    assert ("LeftUpLeg", "RightUpLeg") in skeleton.mirrored
    assert skeleton.constant == ("Hips", "LeftUpLeg", "RightUpLeg")
    assert skeleton.duplicates == {"LeftShoulder": "Neck"}
    assert skeleton.lateral == "x"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: "\ufeff".encode() + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(" ", "\t").encode(),
        lambda text: text.replace(".", ",").replace("Frame Time: 0,0", "Frame Time: 0.0").encode(),
        lambda text: text.replace("\n{", " {").replace("End Site", "end  site").replace("Frames:", "FRAMES :").encode(),
        lambda text: re.sub(r"(-?\d+\.\d+) (?=-?\d)", r"\1, ", text).encode(),
        lambda text: text.replace("MOTION\n", "MOTION  \n\n").encode(),
        lambda text: (text + "\n \n").encode(),
        lambda text: re.sub(r"(\d)\.0{6}\b", r"\1", text).encode(),
        lambda text: re.sub(r"(\d\.\d{5})\d\b", r"\g<0>e0", text).encode(),
    ],
    ids=["crlf", "bom", "utf-16", "tabs", "decimal commas", "one line", "commas", "blank", "end", "short", "exponents"],
)
def test_spellings_do_not_matter(tmp_path, change):
    clip = read(tmp_path, change(TEXT))
    torch.testing.assert_close(clip.poses, read(tmp_path, TEXT).poses)
    assert clip.fps == 120.0


def test_names_may_have_spaces_repeat_and_be_of_any_alphabet(tmp_path):
    text = TEXT.replace("LeftArm", "Left Arm").replace("RightLeg", "LeftLeg").replace("Neck", "Gen\u00ed")
    clip = read(tmp_path, text.encode("latin-1"))
    assert {"Left Arm", "Left Arm_Site", "LeftLeg", "LeftLeg_2", "Gen\u00ed"} <= set(clip.skeleton.joint_names)
    assert any("LeftLeg_2 (LeftLeg)" in note for note in clip.notes)


def test_compressed_files_are_read(tmp_path):
    clip = read(tmp_path, gzip.compress(TEXT.encode()), "walk.bvh.gz")
    assert torch.equal(clip.poses, read(tmp_path, TEXT).poses)


def test_position_channels_near_zero_are_added(tmp_path):
    values = VALUES.copy()
    for column, (joint, name) in enumerate(channels()):
        if joint == 9 and name.endswith("position"):
            values[:, column] -= BODY[9][2]["XYZ".index(name[0])]
    clip = read(tmp_path, bvh_text(values))
    torch.testing.assert_close(clip.poses, read(tmp_path, TEXT).poses, atol=1e-3, rtol=0)
    assert any("are added to offsets: Spine" in note for note in clip.notes)


@pytest.mark.parametrize(
    ("text", "fps"),
    [("0.0083333", 120), ("0.033", 30), ("0.033333", 30), ("0.04", 25), ("0.017", 60), ("0.0333667", 1 / 0.0333667)],
)
def test_the_rate_is_the_one_that_was_printed(tmp_path, text, fps):
    assert read(tmp_path, bvh_text(VALUES, text)).fps == pytest.approx(fps, rel=1e-12)


def test_the_user_may_say_rate_unit_and_axis(tmp_path):
    clip = read(tmp_path, TEXT.replace("Frame Time: 0.0083333", "Frame Time: 0"), fps=30, unit="inch", up="z")
    assert clip.fps == 30.0
    plain = read(tmp_path, TEXT)
    torch.testing.assert_close(clip.poses, plain.poses * 2.54)
    assert clip.root is not None
    assert plain.root is not None
    x, y, z = (plain.root.positions * 2.54).unbind(1)
    torch.testing.assert_close(clip.root.positions, torch.stack([x, z, -y], dim=1))
    assert any("says 0 frames a second; it was read at 30" in note for note in clip.notes)
    without = re.sub("Frame Time.*\n", "", TEXT)
    assert any("does not say its frame rate; it was read at 50" in n for n in read(tmp_path, without, fps=50).notes)


def test_files_with_z_up_are_turned(tmp_path):
    values = VALUES.copy()
    values[:, 3:6] = [0, 90, 0]  # z x y: the body is built with y up, and stands along z
    values[:, :3] = [5, 7, 90]
    clip = read(tmp_path, bvh_text(values))
    assert any("axis points up: z, where the head is above the feet" in note for note in clip.notes)
    assert clip.root is not None
    torch.testing.assert_close(clip.root.positions, torch.tensor([50.0, 900.0, -70.0]).expand(7, 3))
    head = clip.skeleton.index("Neck_Site")
    assert float(clip.root.to_world(clip.poses)[:, head, 1].min()) > 1300


def test_a_skeleton_selects_joints_by_name(tmp_path):
    leg = Skeleton("leg", ("LeftFoot", "LeftLeg", "LeftUpLeg"), (1, 2, -1))
    clip, whole = read(tmp_path, TEXT, skeleton=leg), read(tmp_path, TEXT)
    assert clip.skeleton is leg
    assert clip.root is not None
    assert whole.root is not None
    assert bool((clip.poses[:, 2] == 0).all())
    torch.testing.assert_close(
        clip.root.to_world(clip.poses), whole.root.to_world(whole.poses)[:, [3, 2, 1]], atol=1e-3, rtol=0
    )
    with pytest.raises(DataError, match="expected the joints of skeleton 'arm', got no Wing among Hips"):
        read(tmp_path, TEXT, skeleton=Skeleton("arm", ("Hips", "Wing"), (-1, 0)))


def test_gaps_are_refused_or_filled(tmp_path):
    values = VALUES.copy()
    values[2:4, 7] = values[5, 0] = np.nan
    text = bvh_text(values)
    first = len(TEXT.splitlines()) - len(VALUES) + 1
    with pytest.raises(DataError, match=rf"frame 2 \(line {first + 2} or later\): expected finite numbers, got nan in"):
        read(tmp_path, text)
    clip = read(tmp_path, text, gaps="linear")
    assert clip.root is not None
    whole = read(tmp_path, TEXT)
    seen = [0, 1, 4, 6]
    torch.testing.assert_close(clip.poses[seen], whole.poses[seen])
    moved = clip.root.positions
    torch.testing.assert_close(moved[5, 1:], moved[4:7:2, 1:].mean(0))
    ours = world(np.round(VALUES, 6))[0]
    assert not np.allclose(clip.root.to_world(clip.poses)[2], ours[2] * 10, atol=1)
    assert sum("filled (linear)" in note for note in clip.notes) == 2
    assert not torch.equal(read(tmp_path, text, gaps="hold").poses, clip.poses)


def test_bodies_that_are_no_person_need_a_unit(tmp_path):
    text = bvh_text(VALUES).replace("000000", "0")
    hand = re.sub(r"OFFSET (.*)", lambda m: "OFFSET " + " ".join(str(float(v) / 300) for v in m[1].split()), text)
    with pytest.raises(
        DataError, match=r"expected a person, whose longest way along the bones is some 2\.3 m, to guess"
    ):
        read(tmp_path, hand)
    with pytest.raises(ConfigError, match="unit: expected one of 'mm', 'cm', 'm', 'inch', 'cmu'; got 'ell'"):
        read(tmp_path, TEXT, unit="ell")
    with pytest.raises(ConfigError, match="fps: expected frames a second above 0, got -1"):
        read(tmp_path, TEXT, fps=-1)


def test_absurd_rates_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"line 75: expected between 0\.5 and 10000 frames a second, got 0\. Pass fps="):
        read(tmp_path, TEXT.replace("Time: 0.0083333", "Time: -1"))
    with pytest.raises(DataError, match=r"expected between 0\.5 and 10000 frames a second, got none\. Pass fps="):
        read(tmp_path, TEXT.replace("Frame Time: 0.0083333\n", ""))


def test_no_frames_and_no_channels_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected frames, got none\. Export the motion again"):
        read(tmp_path, bvh_text(VALUES[:0]))
    still = b"HIERARCHY\nROOT a\n{ OFFSET 0 0 0 CHANNELS 0 }\nMOTION\nFrames: 0\nFrame Time: 0.1\n"
    with pytest.raises(DataError, match="expected CHANNELS that move the body, got none"):
        read(tmp_path, still)
    many = "JOINT a { OFFSET 0 0 0 CHANNELS 0 " * 1001
    with pytest.raises(DataError, match="expected at most 1000 joints, got more"):
        read(tmp_path, f"HIERARCHY\nROOT a {{ OFFSET 0 0 0 CHANNELS 0\n{many}\nMOTION\n")
    with pytest.raises(
        DataError, match=r"expected a BVH file, which begins with HIERARCHY, got bytes that are no text"
    ):
        read(tmp_path, b"\x00\x01\x02")


def test_damage_gives_a_clip_or_an_error(tmp_path):
    path = tmp_path / "walk.bvh"
    path.write_text(TEXT)
    assert read_damaged(path, 150) > 75
    for wrong, message in (("1e300", "expected numbers of at most"), ("inf", "got inf in column")):
        with pytest.raises(DataError, match=message):
            read(tmp_path, TEXT.rpartition(" ")[0] + " " + wrong)
