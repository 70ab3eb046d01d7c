from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph.data import formats
from posegraph.errors import DataError
from posegraph.skeleton.skeleton import Skeleton
from tests.data.formats.files import read_damaged

NAMES = ("Hips", "LeftFoot", "RightFoot", "Head", "LeftHand", "RightHand")
POINTS = np.array([[0, 900, 0], [120, 50, 0], [-120, 50, 0], [0, 1650, 0], [700, 1400, 0], [-700, 1400, 0]], float)
POINTS = POINTS + 20 * np.random.default_rng(0).normal(size=(11, 6, 3))


def table(points: np.ndarray = POINTS, separator: str = ",", suffix: str = "_{}", time: bool = True) -> str:
    head = [name + suffix.format(axis) for name in NAMES for axis in "xyz"]
    lines = [separator.join(["time"] * time + head)]
    for frame, row in enumerate(points):
        numbers = [f"{value:.3f}" if np.isfinite(value) else "" for value in row.reshape(-1)]
        lines.append(separator.join([f"{frame / 50:.4f}"] * time + numbers))
    return "\n".join(lines) + "\n"


def read(tmp_path, text, **options):
    path = tmp_path / "walk.csv"
    path.write_text(text)
    return formats.read(path, **options)


def test_a_table_becomes_a_clip(tmp_path):
    clip = read(tmp_path, table())
    assert clip.root is not None
    assert clip.root.rotations is None
    torch.testing.assert_close(clip.root.to_world(clip.poses), torch.from_numpy(POINTS).float(), atol=2e-3, rtol=0)
    assert (clip.fps, clip.skeleton.joint_names, clip.skeleton.root) == (50.0, NAMES, 0)
    assert ("LeftFoot", "RightFoot") in clip.skeleton.mirrored
    assert any("unit: mm, guessed" in note for note in clip.notes)
    assert any("keep their heading" in note for note in clip.notes)


@pytest.mark.parametrize(
    "text",
    [
        table(separator=";", suffix=".{}"),
        table(separator="\t", suffix=" {}"),
        table(separator=";").replace(".", ","),
        table().replace("_x", ":X").replace("_y", ":Y"),
        '"' + table().replace("\n", '"\n"').rstrip('"').replace(",", '","'),
        "# exported\n\n" + table().replace("time", "Time"),
        table(POINTS / 10),
        table(POINTS / 1000),
    ],
    ids=["points", "tabs", "decimal commas", "colons", "quotes", "comment", "cm", "m"],
)
def test_spellings_and_units_do_not_matter(tmp_path, text):
    torch.testing.assert_close(read(tmp_path, text).poses, read(tmp_path, table()).poses, atol=1.1, rtol=0)


def test_without_times_the_rate_has_to_be_told(tmp_path):
    with pytest.raises(DataError, match=r"expected between 0\.5 and 10000 frames a second, got none\. Pass fps="):
        read(tmp_path, table(time=False))
    assert read(tmp_path, table(time=False), fps=25).fps == 25
    assert any("says 50 frames a second; it was read at 25" in n for n in read(tmp_path, table(), fps=25).notes)


def test_gaps_are_filled_as_told(tmp_path):
    points = POINTS.copy()
    points[3:5, 2] = np.nan
    with pytest.raises(DataError, match=r"got 1 gap in 1 joint, the longest of 2 frames .* of RightFoot at frame 3"):
        read(tmp_path, table(points))
    clip = read(tmp_path, table(points), gaps="linear")
    assert clip.root is not None
    world = clip.root.to_world(clip.poses)[:, 2]
    torch.testing.assert_close(world[3], world[2] + (world[5] - world[2]) / 3, atol=1e-3, rtol=0)


def test_points_never_seen_are_left_out(tmp_path):
    points = POINTS.copy()
    points[:, 4] = np.nan
    clip = read(tmp_path, table(points))
    assert clip.skeleton.joint_names == (*NAMES[:4], NAMES[5])
    assert "Never seen, left out: LeftHand." in clip.notes


def test_a_skeleton_says_bones_and_root(tmp_path):
    skeleton = Skeleton("head", ("Head", "Hips"), (-1, 0))
    clip = read(tmp_path, table(), skeleton=skeleton)
    assert clip.root is not None
    np.testing.assert_allclose(clip.root.positions, POINTS[:, 3], atol=1e-2)
    np.testing.assert_allclose(clip.poses[:, 1], POINTS[:, 0] - POINTS[:, 3], atol=1e-2)


FIRST = table().splitlines()[1].split(",")[1]
WRONG = {
    "expected a line of names and one line a frame, got 1 lines": (table(), table().splitlines()[0]),
    "line 3: expected 19 fields separated by ',', as in line 1, got 18": ("0.0200,", ""),
    r"line 2: expected a number, got 'here'\. Leave the field empty": ("\n0.0000", "\nhere"),
    "line 1: expected names such as Hips_x, each once, and time or frame, got 'Hips_x'": ("LeftFoot_x", "Hips_x"),
    "each once, and time or frame, got 'speed' in column 2": ("Hips_x", "speed"),
    "line 1: expected Hip_x, Hip_y and Hip_z, got x": ("Hips_x", "Hip_x"),
    "expected names such as Hips_x, got none": (table(), "time,frame\n0,1\n"),
    "expected times in seconds at equal steps, got steps from": ("\n0.0600", "\n0.0200"),
    r"expected numbers of at most 1e\+09, got 1e\+12": (FIRST, "1e12"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_said_with_its_line(tmp_path, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, table().replace(*WRONG[message], 1))


def test_damage_gives_a_clip_or_an_error(tmp_path):
    path = tmp_path / "walk.csv"
    path.write_text(table())
    assert read_damaged(path, 100) > 30
