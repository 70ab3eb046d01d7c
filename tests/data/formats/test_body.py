from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posegraph.data.formats import ReadOptions
from posegraph.data.formats._body import Motion, choose_fps, clip_of
from posegraph.errors import ConfigError, DataError

STANDING = np.array([[0, 0, 0], [0, 700, 0], [100, -900, 0], [-100, -900, 0]], dtype=float)


def motion(poses: np.ndarray = STANDING, frames: int = 5, **changes) -> Motion:
    step = np.abs(poses).max() / 1000 * np.array([0, 0, 1, 1])[:, None]
    still = np.tile(poses, (frames, 1, 1)) + np.arange(frames)[:, None, None] * step
    whole = {"names": ("hips", "head", "foot_l", "foot_r"), "parents": (-1, 0, 0, 0), "poses": still, "fps": 30.0}
    return Motion(**{**whole, "root_positions": np.zeros((frames, 3)), **changes})


def clip(own: Motion, **options):
    return clip_of(own, Path("walk.x"), ReadOptions(**options))


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1), ("cm", 10), ("m", 1000), ("inch", 25.4), ("cmu", 25.4 / 0.45)])
def test_the_unit_is_guessed_from_the_body(unit, scale):
    own = clip(motion(STANDING * 1.25 / scale))
    assert any(f"its unit: {unit}, " in note for note in own.notes)
    np.testing.assert_allclose(own.poses[0], STANDING * 1.25, rtol=1e-6)


@pytest.mark.parametrize(("up", "order"), [("y", (0, 1, 2)), ("z", (0, 2, 1)), ("x", (1, 0, 2))])
def test_the_axis_is_found_by_head_and_feet(up, order):
    own = clip(motion(STANDING[:, order]), unit="mm")
    assert any(f"axis points up: {up}, where the head" in note for note in own.notes)
    np.testing.assert_allclose(own.poses[0, 1], [0, 700, 0])
    assert own.up == "y"


def test_what_shows_no_axis_takes_the_usual_one():
    own = clip(motion(names=("a", "b", "c", "d"), usual_up="z"), unit="mm")
    assert any("axis points up: z, which is usual" in note for note in own.notes)
    assert any("upside down" in note for note in clip(motion(-STANDING), unit="mm").notes)
    told = clip(motion(up="z"), unit="mm", up="y")
    assert "The file says z points up; it was read with y up, as told." in told.notes
    with pytest.raises(ConfigError, match="up: expected one of 'x', 'y', 'z'; got 'w'"):
        clip(motion(), unit="mm", up="w")


def test_a_single_frame_is_no_reason_to_leave_joints_out():
    assert clip(motion(frames=1), unit="mm").skeleton.constant == ("hips",)
    assert clip(motion(), unit="mm").skeleton.constant == ("hips", "head")


def test_absurd_places_are_refused():
    with pytest.raises(DataError, match=r"walk\.x: expected joints within 100 km, got some farther away\. Is the unit"):
        clip(motion(STANDING * 1e6), unit="mm")


def test_rates_are_told_or_said():
    assert choose_fps(30.0, None, "x") == 30.0
    assert choose_fps(None, 25, "x") == 25.0
    with pytest.raises(
        DataError, match=r"^x, line 3: expected between 0\.5 and 10000 frames a second, got 0\.1\. Pass"
    ):
        choose_fps(0.1, None, "x", line=3)
    with pytest.raises(ConfigError, match="fps: expected frames a second above 0, got inf"):
        choose_fps(30.0, float("inf"), "x")
