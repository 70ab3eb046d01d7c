from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph.data import formats
from posegraph.data.formats import amass
from posegraph.errors import DataError
from tests.data.formats.files import read_damaged

FRAMES = 6
ANGLES = 0.3 * np.random.default_rng(0).normal(size=(FRAMES, 52, 3))
ANGLES[:, 0] = Rotation.from_euler("x", 90, degrees=True).as_rotvec()  # z up
PLACES = np.random.default_rng(1).normal(size=(FRAMES, 3))


def arrays(**changes):
    whole = {"poses": ANGLES.reshape(FRAMES, -1), "trans": PLACES, "mocap_framerate": np.array(120.0)}
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def read(tmp_path, name="walk_poses.npz", options=None, **changes):
    np.savez(tmp_path / name, **arrays(**changes))
    return formats.read(tmp_path / name, **(options or {}))


def world() -> np.ndarray:
    """In mm with z up, joint by joint with SciPy."""
    turns, places = [], []
    for joint, (_, parent, offset) in enumerate(amass.BODY):
        local = Rotation.from_rotvec(ANGLES[:, joint])
        turns.append(local if parent < 0 else turns[parent] * local)
        places.append(PLACES * 1000 if parent < 0 else places[parent] + turns[parent].apply(np.array(offset)))
    return np.stack(places, axis=1)


def test_positions_are_those_of_scipy(tmp_path):
    clip = read(tmp_path)
    assert clip.root is not None
    x, y, z = world().transpose(2, 0, 1)
    np.testing.assert_allclose(clip.root.to_world(clip.poses), np.stack([x, z, -y], axis=-1), atol=1e-3)
    assert (clip.fps, clip.up, clip.skeleton.num_joints) == (120.0, "y", 22)
    assert clip.skeleton.constant == ("pelvis", "left_hip", "right_hip", "spine1")
    assert "Bone lengths are those of a default body, not the subject's." in clip.notes


def test_the_body_is_symmetric_and_of_ordinary_size():
    by_name = {name: offset for name, _, offset in amass.BODY}
    for name, (x, y, z) in by_name.items():
        if name.startswith("left_"):
            assert by_name[name.replace("left", "right")] == (-x, y, z)
    height = sum(by_name[name][1] for name in ("spine1", "spine2", "spine3", "neck", "head"))
    legs = sum(by_name[f"left_{name}"][1] for name in ("hip", "knee", "ankle", "foot"))
    assert 1400 < height - legs < 1700  # from the base of the toes to that of the skull


def test_other_spellings_and_models_are_read(tmp_path):
    clip = read(tmp_path, mocap_framerate=None, mocap_frame_rate=np.array(60), poses=ANGLES[:, :24].reshape(FRAMES, -1))
    assert clip.fps == 60
    assert torch.equal(clip.poses, read(tmp_path).poses)


def test_the_content_tells_the_format(tmp_path):
    clip = read(tmp_path, "walk.npz")
    assert formats.of(tmp_path / "walk.npz").name == "amass"
    formats.write(clip, tmp_path / "own.npz")
    assert formats.of(tmp_path / "own.npz").name == "npz"
    assert formats.of(tmp_path / "absent.npz").name == "npz"
    assert torch.equal(formats.read(tmp_path / "own.npz").poses, clip.poses)


def test_gaps_are_filled_as_told(tmp_path):
    angles, places = ANGLES.reshape(FRAMES, -1).copy(), PLACES.copy()
    angles[2, 5] = places[4, 0] = np.nan
    with pytest.raises(DataError, match=r"got 1 gap in 1 joint, .* of left_hip at frame 2"):
        read(tmp_path, poses=angles, trans=places)
    clip = read(tmp_path, poses=angles, trans=places, options={"gaps": "linear"})
    assert sum("filled (linear)" in note for note in clip.notes) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": None}, "expected arrays poses and trans, got no poses"),
        (
            {"poses": np.zeros((6, 63))},
            r"expected poses \(frames, 3 \* joints\) of at least 22 joints .*, got \(6, 63\)",
        ),
        ({"trans": np.zeros((5, 3))}, r"and trans \(frames, 3\), got \(6, 156\) float64 and \(5, 3\) float64"),
        ({"poses": np.zeros((0, 66)), "trans": np.zeros((0, 3))}, r"expected frames, got none\. Fetch"),
        ({"poses": np.full((6, 66), 180.0)}, r"expected angles in radians, got 180\. Convert degrees"),
        ({"mocap_framerate": None}, "expected between 0.5 and 10000 frames a second, got none"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, options={"format": "amass"}, **changes)


def test_damage_gives_a_clip_or_an_error(tmp_path):
    path = tmp_path / "walk_poses.npz"
    np.savez_compressed(path, **arrays())
    assert read_damaged(path, 60) > 30
