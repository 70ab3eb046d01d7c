from __future__ import annotations

import numpy as np
import pytest

from posegraph.data import formats
from posegraph.errors import DataError
from tests.data.formats.files import read_damaged
from tests.data.formats.test_csv import NAMES, POINTS


def table(points: np.ndarray = POINTS) -> str:
    keys = "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames"
    lines = ["PathFileType\t4\t(X/Y/Z)\twalk.trc", keys, f"100\t100\t{len(points)}\t{len(NAMES)}\tm\t100\t1\t11"]
    lines.append("Frame#\tTime\t" + "\t\t\t".join(NAMES) + "\t\t")
    lines.append("\t\t" + "\t".join(f"X{k}\tY{k}\tZ{k}" for k in range(1, len(NAMES) + 1)))
    lines.append("")
    for frame, row in enumerate(points / 1000):
        numbers = [f"{value:.6f}" if np.isfinite(value) else "" for value in row.reshape(-1)]
        lines.append("\t".join([str(frame + 1), f"{frame / 100:.3f}", *numbers]))
    return "\n".join(lines) + "\n"


def read(tmp_path, text, **options):
    path = tmp_path / "walk.trc"
    path.write_text(text)
    return formats.read(path, **options)


@pytest.mark.parametrize(
    "text", [table(), table().replace("\n", "\r\n"), table().replace("\t1\t11", "\t1\t11\t").replace("\n\n", "\n")]
)
def test_markers_become_a_clip(tmp_path, text):
    clip = read(tmp_path, text)
    assert clip.root is not None
    np.testing.assert_allclose(clip.root.to_world(clip.poses), POINTS, atol=2e-3)
    assert (clip.fps, clip.skeleton.joint_names, clip.unit) == (100.0, NAMES, "mm")
    assert not any("unit" in note for note in clip.notes)


def test_the_user_may_say_otherwise(tmp_path):
    clip = read(tmp_path, table(), unit="cm", fps=50)
    assert clip.root is not None
    np.testing.assert_allclose(clip.root.to_world(clip.poses), POINTS / 100, atol=1e-3)
    assert "The file says its unit is m; it was read as cm, as told." in clip.notes


def test_empty_fields_are_gaps(tmp_path):
    points = POINTS.copy()
    points[4, 5] = np.nan
    with pytest.raises(DataError, match=r"got 1 gap in 1 joint, the longest of 1 frame .* of RightHand at frame 4"):
        read(tmp_path, table(points))
    clip = read(tmp_path, table(points), gaps="hold")
    assert clip.root is not None
    np.testing.assert_allclose(clip.root.to_world(clip.poses)[4, 5], POINTS[3, 5], atol=1e-2)


WRONG = {
    "line 1: expected a TRC file, which begins with PathFileType": ("PathFileType", "Path"),
    "line 4: expected 7 markers, as line 3 says, got 6": ("\t6\tm", "\t7\tm"),
    "line 3: expected 12 frames as this line says, got 11": ("\t11\t6", "\t12\t6"),
    "line 3: expected a number under numframes, got 'all'": ("\t11\t6", "\tall\t6"),
    "line 3: expected a number, got 'fast'": ("\n100", "\nfast"),
    r"line 8: expected 20 fields \(frame, time, and 3 for each of 6 markers\), got 21": ("0.010\t", "0.010\t1\t"),
    "line 7: expected a number, got 'x'": ("0.000\t", "x\t"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_said_with_its_line(tmp_path, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, table().replace(*WRONG[message], 1))


def test_damage_gives_a_clip_or_an_error(tmp_path):
    path = tmp_path / "walk.trc"
    path.write_text(table())
    assert read_damaged(path, 100) > 30
