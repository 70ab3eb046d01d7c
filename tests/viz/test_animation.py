from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from posegraph import viz
from posegraph.errors import ConfigError, MissingDependencyError, ShapeError, UnknownNameError
from posegraph.skeleton.skeleton import Skeleton
from tests.viz.drawing import ANGLES, CMU, RGB, TRUTH, Labels, count, motion, rotations, split_drawing, where

STAGE = slice(80, -60)  # rows of an animation that hold no text


def draw(path: Path, **changes: Any) -> Path:
    arguments = {"observed": motion(4), "forecast": motion(3), "truth": motion(3, 0.2), "skeleton": CMU, "path": path}
    return viz.animate(**split_drawing({**arguments, **changes}))


def images(path: Path) -> list[np.ndarray]:
    """Every frame of a GIF, ``(height, width, 3)``."""
    frames = []
    with Image.open(path) as gif:
        for frame in range(gif.n_frames):  # type: ignore[attr-defined]
            gif.seek(frame)
            frames.append(np.asarray(gif.convert("RGB")).copy())
    return frames


def durations(path: Path) -> list[int]:
    result = []
    with Image.open(path) as gif:
        for frame in range(gif.n_frames):  # type: ignore[attr-defined]
            gif.seek(frame)
            result.append(gif.info["duration"])
    return result


@pytest.fixture(scope="module")
def gif(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("viz") / "new" / "body.gif", title="A body")


def test_the_animation_has_every_frame_and_loops(gif: Path) -> None:
    frames = images(gif)
    assert [frame.shape for frame in frames] == [(480, 480, 3)] * 7
    assert durations(gif) == [40] * 6 + [1000]
    with Image.open(gif) as opened:
        assert opened.info["loop"] == 0
    assert not any(np.array_equal(a, b) for a, b in pairwise(frames))


def test_the_background_is_white(gif: Path) -> None:
    assert all((frame[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all() for frame in images(gif))


def test_colours_tell_observed_from_forecast_and_sides_apart(gif: Path) -> None:
    frames = [frame[STAGE] for frame in images(gif)]
    for frame in frames[:4]:
        assert count(frame, RGB["observed"]) > 500
        assert not any(count(frame, RGB[side]) for side in viz.SIDES)
    for frame in frames[4:]:
        assert all(count(frame, RGB[side]) > 200 for side in viz.SIDES)
        assert count(frame, RGB["observed"]) == 0
    # edges of observed bones mix to the colour of the truth here and there, so a few pixels prove nothing
    assert count(frames[-1], TRUTH) > 5 * count(frames[0], TRUTH)
    # seen from the front, the subject's left is on the right
    assert where(frames[-1], RGB["left"])[1].mean() > where(frames[-1], RGB["right"])[1].mean()


def test_the_body_stands_upright(tmp_path: Path) -> None:
    image = images(draw(tmp_path / "rest.gif", forecast=motion(1, 0.0), truth=None))[-1][STAGE]
    rows = {side: where(image, RGB[side])[0] for side in viz.SIDES}
    assert rows["centre"].min() < min(rows["left"].min(), rows["right"].min())  # the head
    assert rows["centre"].max() < min(rows["left"].max(), rows["right"].max())  # the feet


def test_the_observed_phase_does_not_depend_on_the_forecast(tmp_path: Path) -> None:
    one = images(draw(tmp_path / "one.gif"))
    other = images(draw(tmp_path / "other.gif", forecast=motion(3, 0.5)))  # less sway: the camera stays where it is
    for a, b in zip(one[:4], other[:4], strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(one[6], other[6])


def test_without_truth_nothing_is_drawn_behind(tmp_path: Path) -> None:
    frames = images(draw(tmp_path / "body.gif", truth=None))
    with_truth = images(draw(tmp_path / "truth.gif"))
    assert len(frames) == 7
    assert 5 * count(frames[-1][STAGE], TRUTH) < count(with_truth[-1][STAGE], TRUTH)


@pytest.mark.parametrize("size", [200, 333])
def test_size_scales_the_picture(tmp_path: Path, size: int) -> None:
    assert {frame.shape for frame in images(draw(tmp_path / "body.gif", size=size))} == {(size, size, 3)}


@pytest.mark.parametrize(("fps", "expected"), [(50, [20] * 6), (30, [30, 40, 30, 30, 40, 30]), (1, [1000] * 6)])
def test_frames_are_shown_as_long_as_the_rate_says(tmp_path: Path, fps: float, expected: list[int]) -> None:
    assert durations(draw(tmp_path / "body.gif", fps=fps)) == [*expected, 1000]


def test_an_animation_of_a_window_is_small(tmp_path: Path) -> None:
    path = draw(tmp_path / "body.gif", observed=motion(10), forecast=motion(25), truth=motion(25, 0.2))
    assert path.stat().st_size < 500_000


def test_labels_count_frames_and_give_the_error(tmp_path: Path, drawn: Labels) -> None:
    truth = motion(2)
    forecast = truth.clone()
    forecast[1, :19, 0] += 100.0  # half of the 38 joints, so the mean is 50
    viz.animate(truth, forecast, truth, skeleton=CMU, path=tmp_path / "body.gif", drawing=viz.Drawing(title="A title"))
    texts = drawn.texts
    assert texts.count("A title") == 4
    assert texts.count("observed") == 2
    assert [text for text in texts if text.startswith("forecast")] == ["forecast +1 frame", "forecast +2 frames"]
    assert [text for text in texts if text.startswith("mean")] == ["mean error 0 mm", "mean error 50 mm"]
    assert [text for text in texts if text.startswith("frame")] == [f"frame {i}/4" for i in (1, 2, 3, 4)]
    assert {"left", "right", "centre", "truth"} <= set(texts)
    assert not any("ms" in text for text in texts)


def test_milliseconds_need_a_rate(tmp_path: Path, drawn: Labels) -> None:
    draw(tmp_path / "body.gif", label_fps=25, truth=None)
    forecasts = [text for text in drawn.texts if text.startswith("forecast")]
    assert forecasts == ["forecast +1 frame (40 ms)", "forecast +2 frames (80 ms)", "forecast +3 frames (120 ms)"]
    assert "truth" not in drawn.texts
    assert not any("error" in text for text in drawn.texts)


def test_the_texts_of_a_frame_can_be_read(tmp_path: Path, drawn: Labels) -> None:
    draw(tmp_path / "body.gif", observed=motion(1), forecast=motion(1), truth=motion(1), label_fps=25, title="A body")
    Labels(drawn[len(drawn) // 2 :]).check_readable()


def test_rotations_look_like_their_positions(tmp_path: Path) -> None:
    turned = {"observed": rotations(4), "forecast": rotations(3), "truth": rotations(3, 0.2), "skeleton": ANGLES}
    for one, other in zip(images(draw(tmp_path / "r.gif", **turned)), images(draw(tmp_path / "p.gif")), strict=True):
        assert (one != other).mean() < 1e-3


def test_numpy_and_torch_look_the_same(tmp_path: Path, gif: Path) -> None:
    arrays = {"observed": motion(4).numpy(), "forecast": motion(3).numpy(), "truth": motion(3, 0.2).numpy()}
    assert draw(tmp_path / "body.gif", title="A body", **arrays).read_bytes() == gif.read_bytes()


def test_used_joints_can_be_drawn_alone(tmp_path: Path) -> None:
    used = CMU.reduce(motion(3))
    path = viz.animate(used, used, skeleton=CMU.reduced, path=tmp_path / "body.gif")
    assert count(images(path)[-1], RGB["left"]) > 200


def test_a_single_point_can_be_drawn(tmp_path: Path) -> None:
    point = Skeleton("point", ("point",), (-1,))
    assert len(images(viz.animate(np.zeros((2, 1, 3)), np.zeros((1, 1, 3)), skeleton=point, path=tmp_path / "p.gif")))


def test_a_head_is_drawn_where_there_is_one(tmp_path: Path) -> None:
    names = tuple("skull" if name == "Head" else name for name in CMU.joint_names)
    unnamed = Skeleton("no head", names, CMU.parents, mirrored=CMU.mirrored)
    with_head = count(images(draw(tmp_path / "head.gif"))[-1], RGB["centre"])
    without = count(images(draw(tmp_path / "none.gif", skeleton=unnamed))[-1], RGB["centre"])
    chosen = count(images(draw(tmp_path / "chosen.gif", skeleton=unnamed, head="skull"))[-1], RGB["centre"])
    assert chosen == with_head > 1.5 * without > 0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"fps": 60}, ConfigError, "fps: expected 1 to 50 frames a second, got 60. Viewers do not play GIFs faster"),
        ({"fps": 0}, ConfigError, "fps: expected 1 to 50 frames a second, got 0."),
        ({"label_fps": 0}, ConfigError, "label_fps: expected frames a second above 0, got 0."),
        ({"size": 0}, ConfigError, "size: expected an integer of at least 1, got 0."),
        ({"head": "Haed"}, UnknownNameError, "unknown joint 'Haed'. Did you mean 'Head'?"),
        ({"observed": torch.zeros(3, 25, 3)}, ShapeError, "observed: expected (frames, 38 joints, 3), got (3, 25, 3)."),
        ({"skeleton": ANGLES.reduced}, ConfigError, "skeleton: expected offsets of 'cmu-angles-used', whose poses are"),
    ],
)
def test_what_cannot_be_drawn_leaves_no_file(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        draw(tmp_path / "body.gif", **changes)
    assert not list(tmp_path.iterdir())


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
