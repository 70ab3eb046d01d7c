from __future__ import annotations

import math
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from posegraph import skeletons, viz
from posegraph.errors import ConfigError, DataError, MissingDependencyError, ShapeError, UnknownNameError
from posegraph.kinematics import forward_kinematics
from posegraph.skeleton import Skeleton

CMU = skeletons.get("cmu")
RGB = {name: tuple(bytes.fromhex(color[1:])) for name, color in {**viz.SIDES, "observed": viz.OBSERVED}.items()}
TRUTH = tuple(bytes.fromhex(viz.TRUTH[1:]))
STAGE = slice(80, -60)  # rows of an animation that hold no text


def motion(frames: int, sway: float = 0.6) -> torch.Tensor:
    """A body that swings all of its limbs about the x axis."""
    angles = torch.zeros(frames, 38, 3)
    angles[:, :, 0] = sway * torch.sin(torch.arange(frames) / 3.0).unsqueeze(1)
    return forward_kinematics(angles, CMU)


def draw(path: Path, **changes: Any) -> Path:
    arguments = {"observed": motion(4), "forecast": motion(3), "truth": motion(3, 0.2), "skeleton": CMU, "path": path}
    return viz.animate(**{**arguments, **changes})


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


def count(image: np.ndarray, color: tuple[int, ...]) -> int:
    """Pixels of a colour."""
    return int((image == color).all(axis=-1).sum())


def where(image: np.ndarray, color: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a colour."""
    rows, columns = np.nonzero((image == color).all(axis=-1))
    return rows, columns


@pytest.fixture(scope="module")
def gif(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("viz") / "new" / "body.gif", title="A body")


# --- projection ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("azimuth", "elevation", "expected"),
    [
        (0, 0, (1, 2, 3)),  # from the front: x to the right, z to the camera
        (90, 0, (-3, 2, 1)),  # from the subject's left
        (180, 0, (-1, 2, -3)),  # from behind
        (0, 90, (1, -3, 2)),  # from above: the front points down
        (30, 0, (math.sqrt(3) / 2 - 1.5, 2, 0.5 + 1.5 * math.sqrt(3))),
    ],
)
def test_projection_by_hand(azimuth: float, elevation: float, expected: tuple[float, ...]) -> None:
    point = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(viz.project(point, azimuth=azimuth, elevation=elevation), expected, atol=1e-12)


@pytest.mark.parametrize(("up", "shift"), [("x", 2), ("y", 0), ("z", 1)])
def test_projection_knows_which_axis_is_up(up: Any, shift: int) -> None:
    """The same body in other axes looks the same; the axes are permuted cyclically, which keeps handedness."""
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(viz.project(np.roll(points, shift, axis=-1), up=up), viz.project(points))


def test_projection_keeps_lengths() -> None:
    points = np.random.default_rng(0).normal(size=(2, 5, 3))
    seen = viz.project(points, azimuth=51, elevation=17)
    np.testing.assert_allclose(np.linalg.norm(seen, axis=-1), np.linalg.norm(points, axis=-1))


def test_projection_refuses_unknown_axes() -> None:
    with pytest.raises(ConfigError, match=re.escape("up: expected one of 'x', 'y', 'z'; got 'w'.")):
        viz.project(np.zeros(3), up="w")  # type: ignore[arg-type]


# --- animation -------------------------------------------------------------------------------------------------------


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


def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects every text that is drawn from here on."""
    drawn: list[str] = []
    original = matplotlib.text.Text.draw  # type: ignore[attr-defined]

    def record(self: Any, renderer: Any) -> None:
        drawn.append(self.get_text())
        original(self, renderer)

    monkeypatch.setattr(matplotlib.text.Text, "draw", record)  # type: ignore[attr-defined]
    return drawn


def test_labels_count_frames_and_give_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = texts(monkeypatch)
    truth = motion(2)
    forecast = truth.clone()
    forecast[1, :19, 0] += 100.0  # half of the 38 joints, so the mean is 50
    viz.animate(truth, forecast, truth, skeleton=CMU, path=tmp_path / "body.gif", title="A title")
    assert drawn.count("A title") == 4
    assert drawn.count("observed") == 2
    assert [text for text in drawn if text.startswith("forecast")] == ["forecast +1 frame", "forecast +2 frames"]
    assert [text for text in drawn if text.startswith("mean")] == ["mean error 0 mm", "mean error 50 mm"]
    assert [text for text in drawn if text.startswith("frame")] == [f"frame {i}/4" for i in (1, 2, 3, 4)]
    assert {"left", "right", "centre", "truth"} <= set(drawn)
    assert not any("ms" in text for text in drawn)


def test_milliseconds_need_a_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = texts(monkeypatch)
    draw(tmp_path / "body.gif", label_fps=25, truth=None)
    forecasts = [text for text in drawn if text.startswith("forecast")]
    assert forecasts == ["forecast +1 frame (40 ms)", "forecast +2 frames (80 ms)", "forecast +3 frames (120 ms)"]
    assert "truth" not in drawn
    assert not any("error" in text for text in drawn)


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


def test_bones_without_length_are_not_drawn() -> None:
    scene = viz._Scene(CMU, (motion(3).double().numpy(),), 35, 12, None)
    drawn = {CMU.joint_names[child] for _, child in scene.bones}
    offsets = np.array(CMU.offsets)
    assert drawn == {CMU.joint_names[j] for _, j in CMU.bones if np.abs(offsets[j]).max() > 0}


def test_near_bones_are_drawn_over_far_ones() -> None:
    poses = motion(3).double().numpy()
    scene = viz._Scene(CMU, (poses,), 90, 0, None)  # from the subject's left
    body = viz._Body(scene.axes(viz._figure(100, 100), (0, 0, 100, 100)), scene, width=1, layer=2)
    body.show(poses[0], viz.SIDES)
    legs = [CMU.index("RightLeg"), CMU.index("LeftLeg")]
    segments = [segment.tolist() for segment in body.bones.get_segments()]
    place = [segments.index(scene.project(poses[0])[[CMU.parents[leg], leg], :2].tolist()) for leg in legs]
    assert place[0] < place[1]


def test_matplotlib_is_left_alone(tmp_path: Path) -> None:
    with matplotlib.rc_context({"axes.facecolor": "red", "savefig.facecolor": "black", "font.size": 40}):
        before = dict(matplotlib.rcParams)
        draw(tmp_path / "styled.gif")
        strip = viz.pose_strip(motion(1), motion(2), skeleton=CMU, path=tmp_path / "styled.png")
        viz.error_curve({"a": [1.0]}, tmp_path / "curve.png", frames=[0], protocol="none")
        assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []
    assert (tmp_path / "styled.gif").read_bytes() == draw(tmp_path / "plain.gif").read_bytes()
    plain = viz.pose_strip(motion(1), motion(2), skeleton=CMU, path=tmp_path / "plain.png")
    assert strip.read_bytes() == plain.read_bytes()


# --- strip and curves ------------------------------------------------------------------------------------------------


def test_the_strip_shows_the_chosen_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = texts(monkeypatch)
    path = viz.pose_strip(
        motion(4),
        motion(5),
        motion(5, 0.2),
        skeleton=CMU,
        path=tmp_path / "new" / "strip.png",
        frames=[1, 4],
        label_fps=25,
        title="A title",
    )
    assert {"A title", "last observed", "+2 frames\n(80 ms)", "+5 frames\n(200 ms)", "truth"} <= set(drawn)
    image = np.asarray(Image.open(path).convert("RGB"))[170:-80]  # without text
    third = image.shape[1] // 3
    assert count(image[:, :third], RGB["observed"]) > 500
    assert count(image[:, third:], RGB["observed"]) == 0
    for part in (image[:, third : 2 * third], image[:, 2 * third :]):
        assert all(count(part, color) > 200 for color in (RGB["left"], RGB["right"], RGB["centre"], TRUTH))


@pytest.mark.parametrize(("frames", "expected"), [(25, [5, 10, 15, 20, 25]), (3, [1, 2, 3]), (1, [1])])
def test_the_strip_spreads_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int, expected: list[int]
) -> None:
    drawn = texts(monkeypatch)
    viz.pose_strip(motion(1), motion(frames), skeleton=CMU, path=tmp_path / "strip.png")
    labels = [text for text in drawn if text.startswith("+")]
    assert labels == [f"+{n} frame" + ("s" if n > 1 else "") for n in expected]


@pytest.mark.parametrize("frames", [[], [3], [-1]])
def test_the_strip_refuses_frames_that_are_not_there(tmp_path: Path, frames: list[int]) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"frames: expected forecast frames in 0..2, got {frames}.")):
        viz.pose_strip(motion(1), motion(3), skeleton=CMU, path=tmp_path / "strip.png", frames=frames)


def test_curves_show_every_model_and_the_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = texts(monkeypatch)
    path = viz.error_curve(
        {"first": [1.0, 2.0, 4.0], "second": [2.0, 3.0, 5.0]},
        tmp_path / "new" / "curve.png",
        frames=[1, 3, 24],
        protocol="cmu test, windows: all",
        label_fps=25,
        title="A title",
    )
    assert {"first", "second", "A title", "cmu test, windows: all", "MPJPE (mm)"} <= set(drawn)
    assert {"1\n80", "3\n160", "24\n1000"} <= set(drawn)
    assert "forecast frame, counted from 0; below it, ms at 25 frames a second" in drawn
    image = np.asarray(Image.open(path).convert("RGB"))
    assert all((image == tuple(bytes.fromhex(color[1:]))).all(axis=-1).sum() > 200 for color in viz.CURVES[:2])


def test_curves_pass_through_the_errors() -> None:
    figure = viz._curves({"a": [1.0, 5.0]}, [2, 7], "protocol", None, None, "mm")
    (line,) = figure.axes[0].lines
    assert line.get_xydata().tolist() == [[2.0, 1.0], [7.0, 5.0]]
    assert figure.axes[0].get_ylim()[0] == 0
    assert figure.axes[0].get_xlabel() == "forecast frame, counted from 0"


def test_many_curves_can_be_told_apart() -> None:
    figure = viz._curves({str(i): [1.0] for i in range(20)}, [0], "protocol", None, None, "mm")
    assert len({(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}) == 20


def test_crowded_ticks_are_thinned_out() -> None:
    assert viz._ticks([1, 3, 7, 9, 13, 24]) == [1, 3, 7, 9, 13, 24]
    assert viz._ticks(list(range(25))) == list(range(0, 25, 2))
    assert viz._ticks([4]) == [4]


def test_long_protocols_are_wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = texts(monkeypatch)
    protocol = "cmu test, actions: " + ", ".join(f"action_{i}" for i in range(15))
    viz.error_curve({"a": [1.0]}, tmp_path / "curve.png", frames=[0], protocol=protocol)
    lines = [text for text in drawn if "action_" in text]
    assert len(lines) == 2
    assert " ".join(reversed(lines)) == protocol


@pytest.mark.parametrize(
    ("results", "frames", "message"),
    [
        ({}, [0], "results: expected the errors of at least one model, got none."),
        ({"a": [1.0, 2.0]}, [3, 1], "frames: expected forecast frames from 0 on, in rising order, got [3, 1]."),
        ({"a": [1.0, 2.0]}, [1, 1], "frames: expected forecast frames from 0 on, in rising order, got [1, 1]."),
        ({"a": [1.0]}, [-1], "frames: expected forecast frames from 0 on, in rising order, got [-1]."),
        ({"a": []}, [], "frames: expected forecast frames from 0 on, in rising order, got []."),
        ({"a": [1.0]}, [0, 1], "results: expected 2 errors of 'a', one a frame, got 1. Pass the frames that they"),
    ],
)
def test_curves_refuse_what_does_not_fit(tmp_path: Path, results: Any, frames: list[int], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        viz.error_curve(results, tmp_path / "curve.png", frames=frames, protocol="none")
    assert not list(tmp_path.iterdir())


# --- what cannot be drawn --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"path": "body.mp4"}, ConfigError, "path: expected a file name that ends in .gif, got 'body.mp4'. Rename it."),
        ({"fps": 60}, ConfigError, "fps: expected 1 to 50 frames a second, got 60. Viewers do not play GIFs faster"),
        ({"fps": 0}, ConfigError, "fps: expected 1 to 50 frames a second, got 0."),
        ({"label_fps": 0}, ConfigError, "label_fps: expected frames a second above 0, got 0. Leave it out for no ms."),
        ({"size": 0}, ConfigError, "size: expected an integer of at least 1, got 0."),
        ({"head": "Haed"}, UnknownNameError, "unknown joint 'Haed'. Did you mean 'Head'?"),
        (
            {"observed": torch.zeros(3, 25, 3)},
            ShapeError,
            "observed: expected (frames, 38 joints, 3), got (3, 25, 3). Draw one window with all joints of skeleton "
            "'cmu', or pass skeleton.reduced for the used.",
        ),
        ({"forecast": torch.zeros(1, 3, 38, 3)}, ShapeError, "forecast: expected (frames, 38 joints, 3), got (1, 3,"),
        (
            {"truth": torch.zeros(2, 38, 3)},
            ShapeError,
            "truth: expected the forecast's shape, (3, 38, 3), got (2, 38, 3). Give the frames it forecasts.",
        ),
        (
            {"observed": torch.zeros(0, 38, 3)},
            ShapeError,
            "observed: expected at least one frame, got (0, 38, 3). There is nothing to draw.",
        ),
        (
            {"forecast": torch.full((3, 38, 3), torch.nan)},
            DataError,
            "forecast: expected finite positions, got NaN or infinity. Fill gaps first.",
        ),
    ],
)
def test_what_cannot_be_drawn_leaves_no_file(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        draw(tmp_path / changes.pop("path", "body.gif"), **changes)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = draw(tmp_path / "body.gif")
    before = path.read_bytes()

    def fail(self: Any, file: Any, **options: Any) -> None:
        file.write(b"GIF89a")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        draw(path, title="another")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["body.gif"]


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
