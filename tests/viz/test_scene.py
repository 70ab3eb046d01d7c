from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from posegraph import viz
from posegraph.errors import ConfigError
from posegraph.skeleton.skeleton import Skeleton
from posegraph.viz._scene import Body, Floor, Scene
from posegraph.viz._style import new_figure
from tests.viz.drawing import CMU, motion


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


def test_bones_without_length_are_not_drawn() -> None:
    scene = Scene(CMU, (motion(3).double().numpy(),), 35, 12)
    drawn = {CMU.joint_names[child] for _, child in scene.bones}
    offsets = np.array(CMU.offsets)
    assert drawn == {CMU.joint_names[j] for _, j in CMU.bones if np.abs(offsets[j]).max() > 0}


def test_near_bones_are_drawn_over_far_ones() -> None:
    poses = motion(3).double().numpy()
    scene = Scene(CMU, (poses,), 90, 0)  # from the subject's left
    body = Body(scene.axes(new_figure(100, 100), (0, 0, 100, 100)), scene, width=1, layer=2)
    body.show(poses[0], viz.SIDES)
    legs = [CMU.index("RightLeg"), CMU.index("LeftLeg")]
    segments = [segment.tolist() for segment in body.bones.get_segments()]
    place = [segments.index(scene.project(poses[0])[[CMU.parents[leg], leg], :2].tolist()) for leg in legs]
    assert place[0] < place[1]


def test_everything_is_inside_and_to_scale() -> None:
    poses = (motion(3).double().numpy(), motion(2, 0.9).double().numpy())
    scene = Scene(CMU, poses, 35, 12)
    axes = scene.axes(new_figure(300, 200), (10, 20, 100, 150))
    seen = axes.transData.transform(scene.project(scene.points)[:, :2])
    assert (seen > [10, 20]).all()
    assert (seen < [110, 170]).all()
    assert np.ptp(seen[:, 0]) > 80  # the width is what limits the size
    across, along = (np.diff(axes.transData.transform([(0, 0), (1, 1)]), axis=0)).ravel()
    assert across == pytest.approx(along)


def test_a_hidden_body_leaves_nothing() -> None:
    scene = Scene(CMU, (motion(1).numpy(),), 0.0, 0.0)
    axes = scene.axes(new_figure(100, 100), (0, 0, 100, 100))
    body = Body(axes, scene, width=3, layer=1)
    body.show(motion(1).numpy()[0], viz.SIDES)
    assert len(body.bones.get_segments()) == len(scene.bones)
    body.hide()
    assert (body.bones.get_segments(), body.head.get_visible()) == ([], False)


def test_the_lines_of_a_floor_stay_where_they_are_in_the_world() -> None:
    """From above, with y up: lines are at whole halves of a metre, at x and at z, wherever the camera is."""
    corners = np.array([[[-1500.0, 0, -1500], [1500, 0, 1500]]])
    skeleton = Skeleton("two", ("a", "b"), (-1, 0))
    scene = Scene(skeleton, (corners,), azimuth=0.0, elevation=90.0)
    floor = Floor(scene.axes(new_figure(100, 100), (0, 0, 100, 100)), scene, "#000000")
    radius = scene.ground[1]
    for place in ([0.0, 0, 0], [130.0, 0, -4321.0]):
        floor.show(np.array(place))
        ends = np.array(floor.lines.get_segments())  # right is x, up is -z
        world = ends * [1, -1] + np.array([place[0], place[2]])
        upright = np.abs(world[:, 0, 0] - world[:, 1, 0]) < 1e-6
        across = np.concatenate([world[upright, 0, 0], world[~upright, 0, 1]])
        np.testing.assert_allclose(across / 500, np.round(across / 500), atol=1e-9)
        assert abs(len(across) - 2 * 2 * radius / 500) <= 4
        assert (np.linalg.norm(ends, axis=-1) <= radius + 1e-6).all()
