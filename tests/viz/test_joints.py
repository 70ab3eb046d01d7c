from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib.colors
import numpy as np
import pytest
import torch

from posegraph import viz
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton
from posegraph.viz import _style, joints
from tests.viz.drawing import ANGLES, CMU, Labels, motion, pixels, rotations, split_drawing

H36M = presets.get("h36m")


def errors(frames: int = 2, joints: int = 38, scale: float = 100.0) -> torch.Tensor:
    """As large as the number of the joint."""
    return scale * torch.arange(joints).expand(frames, joints) / joints


def draw(path: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {
        "errors": {"mine": errors()},
        "skeleton": CMU,
        "frames": [9, 24],
        "protocol": "cmu test, windows: all",
        **changes,
    }
    return viz.joint_error_map(arguments.pop("errors"), path, **split_drawing(arguments))


def test_the_worst_joints_are_listed_and_numbered(tmp_path: Path, drawn: Labels) -> None:
    own = torch.zeros(2, 38)
    for name, error in {"LeftFoot": 80.0, "Head": 70.04, "RightHand": 60.0, "RThumb": 60.0, "Spine": 9.0}.items():
        own[1, CMU.index(name)] = error
    draw(tmp_path / "new" / "joints.png", errors={"mine": own[1:]}, frames=[24], fps=60, label_fps=25, title="A title")
    drawn.check_readable()
    texts = drawn.texts
    assert {
        "A title",
        "cmu test, windows: all",
        "mine",
        "frame 24, 417 ms (labelled 1000 ms)",
        "mean error of the joint, in mm",
    } <= set(texts)
    listed = texts[texts.index("mean of 38 joints") - 1 :][:8]
    # the thumb's start is a copy of the hand
    assert sorted(listed) == sorted(
        ["mean of 38 joints", "7.3", "1  LeftFoot", "80.0", "2  Head", "70.0", "3  RightHand", "60.0"]
    )
    assert {"1", "2", "3"} <= set(texts)


def test_ranks_stand_beside_their_joints(tmp_path: Path, drawn: Labels) -> None:
    own = torch.zeros(1, 38)
    own[0, [CMU.index("LeftFoot"), CMU.index("RightHand")]] = torch.tensor([80.0, 60.0])
    draw(tmp_path / "joints.png", errors={"mine": own}, frames=[24], worst=2)
    (foot,) = (label.box for label in drawn if label.text == "1")
    (hand,) = (label.box for label in drawn if label.text == "2")
    assert foot[0] > hand[0]  # seen from the front, the subject's left is on the right
    assert foot[1] < hand[1]


@pytest.mark.parametrize(
    ("frames", "models", "shape"), [(1, 3, (1, 3)), (2, 3, (2, 3)), (6, 1, (2, 3)), (6, 2, (4, 3)), (1, 5, (2, 3))]
)
def test_panels_lie_in_rows(frames: int, models: int, shape: tuple[int, int]) -> None:
    panels = {
        str(m): [joints._Panel(str(m), str(f), (0,), (1.0,), 1.0, 1) for f in range(frames)] for m in range(models)
    }
    rows = joints._rows(panels)
    assert (len(rows), len(rows[0])) == shape
    assert sorted((p.model, p.frame) for row in rows for p in row) == [
        (str(m), str(f)) for m in range(models) for f in range(frames)
    ]


@pytest.mark.parametrize(("models", "frames"), [(1, [24]), (4, [24]), (2, [1, 3, 7, 9, 13])])
def test_texts_can_be_read(tmp_path: Path, drawn: Labels, models: int, frames: list[int]) -> None:
    names = ("zero-velocity", "msrgcn-released-short", "a model with quite a long name", "4")[:models]
    own = {name: errors(len(frames), scale=9999) for name in names}
    draw(tmp_path / "joints.png", errors=own, frames=frames, fps=60, label_fps=25, worst=8, title="A title")
    drawn.check_readable()


def test_one_scale_holds_for_all_panels() -> None:
    with _style.default_style():
        scale = joints._Scale(80.0)
        axes = _style.add_axes(_style.new_figure(100, 100), (0, 0, 100, 100))
        scale.circles(axes, np.zeros((3, 2)), [0.0, 20.0, 80.0])
    (circles,) = axes.collections
    diameters = np.sqrt(circles.get_sizes())
    assert diameters == pytest.approx([4.0, 9.0, 14.0])  # the area beyond the smallest grows with the error
    shades = [matplotlib.colors.rgb_to_hsv(color[:3])[2] for color in circles.get_facecolors()]
    assert shades == sorted(shades, reverse=True)


def test_darkness_grows_with_the_error_in_grey_as_well() -> None:
    with _style.default_style():
        colours = joints._Scale(1.0).colours.to_rgba(np.linspace(0, 1, 50))
    grey = colours[:, :3] @ [0.299, 0.587, 0.114]
    assert (np.diff(grey) < 0).all()
    assert grey[0] - grey[-1] > 0.5


def test_no_error_at_all_can_be_drawn(tmp_path: Path) -> None:
    assert draw(tmp_path / "joints.png", errors={"mine": np.zeros((2, 38))}).exists()


def test_errors_of_used_joints_are_drawn_alone(tmp_path: Path, drawn: Labels) -> None:
    draw(tmp_path / "joints.png", errors={"mine": errors(joints=25)})
    assert "mean of 25 joints" in drawn.texts
    assert "1  RThumb_Site" in drawn.texts


def test_ranks_are_moved_apart() -> None:
    assert joints._apart([50.0, 48.0, 20.0], 15, 0, 99) == pytest.approx([54 + 1 / 3, 39 + 1 / 3, 24 + 1 / 3])
    assert joints._apart([50.0, 20.0], 15, 0, 99) == [50, 20]
    assert joints._apart([10.0, 9.0], 15, 4, 99) == [19, 4]
    assert joints._apart([98.0, 97.0], 15, 4, 99) == [99, 84]
    assert joints._apart([], 15, 4, 99) == []


def test_joints_at_the_place_of_another_are_drawn_once() -> None:
    names = [CMU.joint_names[joint] for joint in joints._sites(CMU, CMU)]
    assert len(names) == 38 - 7 - 3  # copies; hips and lower back sit at the root
    assert not {"Neck", "LeftShoulder", "RThumb", "LHipJoint", "LowerBack"} & set(names)
    bare = Skeleton("bare", ("a", "b", "c"), (-1, 0, 1), duplicates={"c": "b"})
    assert joints._sites(bare, bare) == [0, 1]


def test_the_pose_with_joints_farthest_apart_is_drawn_on() -> None:
    sites = joints._sites(H36M, H36M)
    poses = torch.stack([torch.eye(32)[:, :3] * size for size in (10.0, 1.0, 5.0)])
    pose = joints._pose(H36M, H36M, sites, poses, viz.Drawing())
    np.testing.assert_array_equal(pose, poses[0])
    rest = joints._pose(CMU, CMU, joints._sites(CMU, CMU), motion(5) * 0.1, viz.Drawing())
    np.testing.assert_allclose(rest, motion(1, 0.0)[0], rtol=1e-5)


def test_rotations_are_drawn_as_positions(tmp_path: Path) -> None:
    one = draw(tmp_path / "r.png", skeleton=ANGLES, poses=rotations(9))
    other = draw(tmp_path / "p.png", poses=motion(9))
    assert (pixels(one) != pixels(other)).mean() < 1e-3


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"errors": {}}, ConfigError, "errors: expected those of at least one model, got none."),
        ({"frames": [24, 9]}, ConfigError, "frames: expected forecast frames from 0 on, in rising order, got [24, 9]."),
        ({"label_fps": -1}, ConfigError, "label_fps: expected frames a second above 0, got -1."),
        ({"worst": 0}, ConfigError, "worst: expected one of 1, 2, 3, 4, 5, 6, 7, 8; got 0."),
        (
            {"errors": {"mine": errors(frames=3)}},
            ShapeError,
            "errors of 'mine': expected (2 frames, 38 joints or the 25 used ones), got (3, 38). Give a row for each of "
            "`frames`, with the joints of skeleton 'cmu'.",
        ),
        ({"errors": {"mine": errors(joints=32)}}, ShapeError, "or the 25 used ones), got (2, 32)."),
        (
            {"errors": {"mine": -errors()}},
            DataError,
            "errors of 'mine': expected finite numbers from 0 on, got others. Check the poses compared.",
        ),
        ({"errors": {"mine": errors() * torch.inf}}, DataError, "errors of 'mine': expected finite numbers from 0 on"),
        ({"poses": torch.zeros(2, 25, 3)}, ShapeError, "poses: expected (frames, 38 joints, 3), got (2, 25, 3)."),
        (
            {"skeleton": H36M, "errors": {"mine": errors(joints=32)}},
            ConfigError,
            "poses: expected some to draw on, got none. Skeleton 'h36m' has no rest pose, or one in which joints hide "
            "one another: give the poses of a clip.",
        ),
        (
            {"skeleton": CMU.reduced, "errors": {"mine": errors(joints=25)}},
            ConfigError,
            "poses: expected some to draw on, got none. Skeleton 'cmu-used' has no rest pose",
        ),
    ],
)
def test_what_cannot_be_drawn_leaves_no_file(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        draw(tmp_path / "joints.png", **changes)
    assert not list(tmp_path.iterdir())
