from __future__ import annotations

import re
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from posegraph import viz
from posegraph.data.clip import Clip
from posegraph.errors import ConfigError, MissingDependencyError, ShapeError, UnknownNameError
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.skeleton import Skeleton
from posegraph.viz import AnimationOptions
from posegraph.viz._style import DARK
from tests.viz.drawing import ANGLES, CMU, RGB, TRUTH, Labels, count, motion, rotations, where
from tests.viz.windows import TRUE, result

STAGE = slice(80, -70)  # rows of an animation that hold no text
ALONE = AnimationOptions(zero_velocity=False)


def draw(path: Path, shown: Any = None, **changes: Any) -> Path:
    options = {"options": ALONE, **changes}
    return viz.animate(result() if shown is None else shown, path, **options)


def images(path: Path) -> list[np.ndarray]:
    """Every picture of a GIF, ``(height, width, 3)``."""
    frames = []
    with Image.open(path) as gif:
        for frame in range(gif.n_frames):  # type: ignore[attr-defined]
            gif.seek(frame)
            frames.append(np.asarray(gif.convert("RGB")).copy())
    return frames


def durations(path: Path) -> list[int]:
    found = []
    with Image.open(path) as gif:
        for frame in range(gif.n_frames):  # type: ignore[attr-defined]
            gif.seek(frame)
            found.append(gif.info["duration"])
    return found


@pytest.fixture(scope="module")
def gif(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("viz") / "new" / "body.gif", title="A body")


@pytest.mark.parametrize("fps", [25.0, 60.0, 120.0, 7.0])
def test_it_takes_as_long_as_the_motion_did(tmp_path: Path, fps: float) -> None:
    times = durations(draw(tmp_path / "a.gif", Clip(TRUE[:20], CMU, fps)))
    assert abs(sum(times[:-1]) - 19 * 1000 / fps) <= 5  # GIF counts in hundredths of a second
    assert times[-1] == 1000
    assert set(times[:-2]) == {40}


def test_slow_motion_takes_longer_and_says_so(tmp_path: Path, drawn: Labels) -> None:
    slow = AnimationOptions(speed=0.25, zero_velocity=False)
    times = durations(draw(tmp_path / "a.gif", Clip(TRUE[:16], CMU, 60.0), options=slow))
    assert sum(times[:-1]) == 1000
    assert "0.25 of true speed" in drawn.texts
    drawn.clear()
    draw(tmp_path / "a.gif")
    assert not any("speed" in text for text in drawn.texts)


def test_poses_between_frames_are_interpolated(tmp_path: Path) -> None:
    """A quarter of 25 frames a second shows three pictures between two frames; a straight way has all on one line."""
    line = torch.zeros(3, 2, 3)
    line[:, 1] = torch.tensor([[0.0, 500, 0], [200, 500, 0], [400, 500, 0]])
    stick = Skeleton("stick", ("a", "b"), (-1, 0))
    options = AnimationOptions(speed=0.25, azimuth=0.0)
    pictures = images(draw(tmp_path / "a.gif", Clip(line, stick, 25.0), options=options))
    assert len(pictures) == 9
    ends = [where(picture[STAGE], RGB["observed"])[1].max() for picture in pictures]
    steps = np.diff(ends)
    assert (np.abs(steps - steps.mean()) <= 2).all()
    assert steps.mean() > 5


def test_the_animation_loops_and_every_picture_differs(gif: Path) -> None:
    pictures = images(gif)
    with Image.open(gif) as opened:
        assert opened.info["loop"] == 0
    assert {picture.shape for picture in pictures} == {(480, pictures[0].shape[1], 3)}
    assert not any(np.array_equal(a, b) for a, b in pairwise(pictures))


def test_colours_tell_observed_from_forecast_and_sides_apart(gif: Path) -> None:
    first, *_, last = (picture[STAGE] for picture in images(gif))
    assert count(first, RGB["observed"]) > 500
    assert not any(count(first, RGB[side]) for side in viz.SIDES)
    assert all(count(last, RGB[side]) > 150 for side in viz.SIDES)
    assert count(last, RGB["observed"]) == 0
    assert count(last, TRUTH) > 5 * count(first, TRUTH)
    # seen from the front, the subject's left is on the right
    assert where(last, RGB["left"])[1].mean() > where(last, RGB["right"])[1].mean()


def test_the_body_stands_upright(tmp_path: Path) -> None:
    rest = replace(result(truth=None), forecast=motion(1, 0.0))
    image = images(draw(tmp_path / "rest.gif", rest))[-1][STAGE]
    rows = {side: where(image, RGB[side])[0] for side in viz.SIDES}
    assert rows["centre"].min() < min(rows["left"].min(), rows["right"].min())  # the head
    assert rows["centre"].max() < min(rows["left"].max(), rows["right"].max())  # the feet


def test_zero_velocity_and_other_models_stand_beside(tmp_path: Path, drawn: Labels) -> None:
    one = images(draw(tmp_path / "one.gif", {"mine": result()}))[-1]
    drawn.clear()
    two = images(draw(tmp_path / "two.gif", {"mine": result()}, options=AnimationOptions()))[-1]
    assert two.shape[1] > 1.3 * one.shape[1]
    assert {"mine", "zero velocity"} <= set(drawn.texts)
    middle = two.shape[1] // 2
    for half in (two[STAGE, :middle], two[STAGE, middle:]):
        assert all(count(half, RGB[side]) > 100 for side in viz.SIDES)


def test_errors_and_times_are_true(tmp_path: Path, drawn: Labels) -> None:
    """At 25 frames a second there is one picture a frame."""
    shown = {"near": result(off=30.0, fps=25.0), "far": result(off=90.0, fps=25.0)}
    draw(tmp_path / "a.gif", shown, title="A title")
    texts = drawn.texts
    assert texts.count("A title") == 10
    assert texts.count("observed") == 4
    assert [text for text in texts if text.startswith("forecast")] == [f"forecast +{40 * i} ms" for i in range(1, 7)]
    assert [text for text in texts if text.startswith("error")] == ["error 30 mm", "error 90 mm"] * 6
    assert {"left", "right", "centre", "truth"} <= set(texts)


def test_several_forecasts_follow_one_another(tmp_path: Path, drawn: Labels) -> None:
    draw(tmp_path / "a.gif", {"mine": [result(0, fps=25.0), result(6, fps=25.0, off=50.0)]})
    assert [text for text in drawn.texts if text.startswith("error")] == ["error 30 mm"] * 6 + ["error 50 mm"] * 6


def test_without_truth_nothing_is_drawn_behind(tmp_path: Path, drawn: Labels) -> None:
    last = images(draw(tmp_path / "body.gif", result(truth=None)))[-1]
    assert 5 * count(last[STAGE], TRUTH) < count(images(draw(tmp_path / "t.gif"))[-1][STAGE], TRUTH)
    assert "truth" not in drawn.texts[: len(drawn) // 3]
    assert not any("error" in text for text in drawn.texts[: len(drawn) // 3])


def test_a_recording_alone_is_shown_with_its_time(tmp_path: Path, drawn: Labels) -> None:
    draw(tmp_path / "a.gif", Clip(TRUE[:3], CMU, 25.0))
    assert [text for text in drawn.texts if text.endswith(" s")] == ["0.00 s", "0.04 s", "0.08 s"]
    assert "left" not in drawn.texts


def test_the_floor_passes_below_a_body_that_moves(tmp_path: Path) -> None:
    still = Clip(motion(1, 0.0).expand(30, -1, -1), CMU, 25.0)
    way = torch.zeros(30, 3)
    way[:, 2] = torch.arange(30) * 40.0
    walking = images(draw(tmp_path / "a.gif", replace(still, root=RootMotion(way))))
    standing = images(draw(tmp_path / "b.gif", still))
    floor = slice(-150, -80)
    assert (walking[14][floor] != walking[18][floor]).any(axis=-1).sum() > 100
    assert not (standing[14][floor] != standing[18][floor]).any()
    # the camera follows: the body stays about where it is
    columns = [where(picture[STAGE], RGB["observed"])[1].mean() for picture in walking[14:18]]
    assert np.ptp(columns) < 10


def test_dark_colours_have_a_dark_background(tmp_path: Path) -> None:
    dark = images(draw(tmp_path / "a.gif", options=AnimationOptions(dark=True)))[-1]
    rgb = tuple(bytes.fromhex(DARK.background[1:]))
    assert (dark[[0, 0, -1, -1], [0, -1, 0, -1]] == rgb).all()
    assert all(count(dark[STAGE], tuple(bytes.fromhex(color[1:]))) > 150 for color in DARK.sides.values())


def test_the_background_is_white(gif: Path) -> None:
    assert all((picture[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all() for picture in images(gif))


@pytest.mark.parametrize("height", [200, 333])
def test_height_scales_the_picture(tmp_path: Path, height: int) -> None:
    options = AnimationOptions(height=height, zero_velocity=False)
    assert {picture.shape[0] for picture in images(draw(tmp_path / "a.gif", options=options))} == {height}


def test_an_animation_of_a_window_is_small(tmp_path: Path) -> None:
    path = viz.animate(result(observed=10, future=25), tmp_path / "body.gif")
    assert path.stat().st_size < 300_000


@pytest.mark.parametrize("models", [1, 2, 4])
def test_the_texts_can_be_read(tmp_path: Path, drawn: Labels, models: int) -> None:
    shown = {f"a model {i}": replace(result(), observed=TRUE[3:4], start=3) for i in range(models)}
    draw(tmp_path / "a.gif", shown, title="A body")
    last = len(drawn) - drawn.texts[::-1].index("A body") - 1
    Labels(drawn[last:]).check_readable()


def test_rotations_look_like_their_positions(tmp_path: Path) -> None:
    turned = replace(result(), observed=rotations(4), forecast=rotations(6), truth=rotations(6, 0.2), skeleton=ANGLES)
    placed = replace(result(), observed=motion(4), forecast=motion(6), truth=motion(6, 0.2))
    pairs = zip(images(draw(tmp_path / "r.gif", turned)), images(draw(tmp_path / "p.gif", placed)), strict=True)
    assert all((one != other).mean() < 1e-3 for one, other in pairs)


def test_a_single_point_can_be_drawn(tmp_path: Path) -> None:
    point = Clip(np.zeros((2, 1, 3), dtype=np.float32), Skeleton("point", ("point",), (-1,)), 25.0)
    assert len(images(draw(tmp_path / "p.gif", point))) == 2
    single = replace(point, poses=point.poses[:1])
    assert durations(draw(tmp_path / "p.gif", single)) in ([1000], [0])


def test_a_head_is_drawn_where_there_is_one(tmp_path: Path) -> None:
    names = tuple("skull" if name == "Head" else name for name in CMU.joint_names)
    unnamed = Skeleton("no head", names, CMU.parents, mirrored=CMU.mirrored)
    with_head = count(images(draw(tmp_path / "head.gif"))[-1], RGB["centre"])
    without = count(images(draw(tmp_path / "none.gif", result(skeleton=unnamed)))[-1], RGB["centre"])
    options = AnimationOptions(head="skull", zero_velocity=False)
    chosen = count(images(draw(tmp_path / "own.gif", result(skeleton=unnamed), options=options))[-1], RGB["centre"])
    assert chosen == with_head > 1.5 * without > 0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"options": AnimationOptions(head="Haed")}, UnknownNameError, "unknown joint 'Haed'. Did you mean 'Head'?"),
        ({"shown": replace(result(), observed=torch.zeros(4, 25, 3))}, ShapeError, "expected (frames, 38 joints, 3)"),
        ({"root": RootMotion(torch.zeros(3, 3))}, ShapeError, "root: expected at least 10 frames, got 3."),
    ],
)
def test_what_cannot_be_drawn_leaves_no_file(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        draw(tmp_path / "body.gif", **changes)
    assert not list(tmp_path.iterdir())


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape("path: expected a file name that ends in .gif, got 'a.mp4'.")):
        draw(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 0}, "speed: expected a number above 0, 1 for true speed, got 0."),
        ({"speed": float("nan")}, "speed: expected a number above 0, 1 for true speed, got nan."),
        ({"height": 0}, "height: expected an integer of at least 1, got 0."),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        AnimationOptions(**options)


@pytest.mark.parametrize("package", ["matplotlib", "PIL"])
def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image" if package == "PIL" else package, None)
    message = (
        f"posegraph.viz needs the package {package!r}, which is not installed. Install it with: pip install "
        "'posegraph[viz]'"
    )
    with pytest.raises(MissingDependencyError, match=re.escape(message)):
        draw(tmp_path / "body.gif")
