"""Bodies before a camera."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from posegraph._support.checks import check_choice
from posegraph.skeleton.skeleton import Side, Skeleton
from posegraph.viz._style import GROUND, add_axes, optional
from posegraph.viz.drawing import Drawing


def project(
    points: np.ndarray, *, up: Literal["x", "y", "z"] = "y", azimuth: float = 35.0, elevation: float = 12.0
) -> np.ndarray:
    """Look at points from a direction, without perspective.

    From azimuth 0 a body is seen from the front. For skeletons with y up, the front is +z and the subject's left +x;
    for z up, the front is +x and the left +y.

    Args:
        points: Points ``(..., 3)``.
        up: Axis that points up.
        azimuth: Degrees that the camera is turned about the vertical, towards the subject's left.
        elevation: Degrees that the camera is raised.

    Returns:
        Coordinates ``(..., 3)``: to the right, upwards, and towards the camera.

    Raises:
        ConfigError: ``up`` is not an axis.

    Examples:
        >>> import numpy as np
        >>> from posegraph.viz import project
        >>> left_hand = np.array([700.0, 400.0, 0.0])
        >>> project(left_hand, azimuth=90, elevation=0).round().tolist()
        [0.0, 400.0, 700.0]
    """
    check_choice("up", up, ("x", "y", "z"))
    axis = "xyz".index(up)
    height, front, left = points[..., axis], points[..., (axis + 1) % 3], points[..., (axis + 2) % 3]
    turn, raised = math.radians(azimuth), math.radians(elevation)
    right = math.cos(turn) * left - math.sin(turn) * front
    near = math.sin(turn) * left + math.cos(turn) * front
    return np.stack(
        [
            right,
            math.cos(raised) * height - math.sin(raised) * near,
            math.sin(raised) * height + math.cos(raised) * near,
        ],
        axis=-1,
    )


@dataclass(frozen=True)
class Scene:
    """Poses seen by one camera: what to draw of them and the area that holds them all.

    Args:
        skeleton: What the joints are; its poses are positions.
        poses: Positions ``(frames, joints, 3)``, one array or more.
        azimuth: As in `project`.
        elevation: As in `project`.
        head: Joint to draw a head at; by default the one named "Head", if there is one.
    """

    skeleton: Skeleton
    poses: tuple[np.ndarray, ...]
    azimuth: float
    elevation: float
    head: str | None = None

    @classmethod
    def of(cls, skeleton: Skeleton, poses: tuple[np.ndarray, ...], drawing: Drawing, azimuth: float = 35.0) -> Scene:
        """Poses before the camera of a drawing, at an azimuth where it names none."""
        turned = azimuth if drawing.azimuth is None else drawing.azimuth
        return cls(skeleton, poses, turned, drawing.elevation, drawing.head)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Look at points; see `project`."""
        return project(points, up=self.skeleton.up, azimuth=self.azimuth, elevation=self.elevation)

    @cached_property
    def points(self) -> np.ndarray:
        """All positions ``(points, 3)``."""
        return np.concatenate([poses.reshape(-1, 3) for poses in self.poses])

    @cached_property
    def bones(self) -> list[tuple[int, int]]:
        """Bones that have a length in some frame."""
        smallest = 1e-4 * float(np.ptp(self.points, axis=0).max())
        lengths = {
            (parent, child): max(float(np.linalg.norm(p[:, child] - p[:, parent], axis=-1).max()) for p in self.poses)
            for parent, child in self.skeleton.bones
        }
        return [bone for bone, length in lengths.items() if length > smallest]

    @cached_property
    def head_joints(self) -> tuple[int, ...]:
        """Joints whose mean is the middle of the head: the head's and the one at its end, if there is one."""
        if self.head is not None:
            joint = self.skeleton.index(self.head)
        else:
            named = [j for j, name in enumerate(self.skeleton.joint_names) if name.lower() == "head"]
            if not named:
                return ()
            joint = named[0]
        return (joint, *[child for parent, child in self.bones if parent == joint][:1])

    @cached_property
    def head_radius(self) -> float:
        """Radius of the head, from the extent of the body; never zero, so that a single point can be drawn too."""
        return max(float(np.ptp(p[0], axis=0).max()) for p in self.poses) / 18 or 1.0

    @cached_property
    def area(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of everything, in the unit of the poses."""
        seen = self.project(self.points)
        low, high = seen.min(axis=0), seen.max(axis=0)
        margin = self.head_radius
        return low[0] - margin, high[0] + margin, low[1] - margin, high[1] + margin

    @property
    def width(self) -> float:
        """Width of the area."""
        return self.area[1] - self.area[0]

    @property
    def height(self) -> float:
        """Height of the area."""
        return self.area[3] - self.area[2]

    @cached_property
    def ground(self) -> tuple[np.ndarray, float]:
        """Middle of the ground, below the lowest point, and its radius."""
        axis = "xyz".index(self.skeleton.up)
        middle = (self.points.min(axis=0) + self.points.max(axis=0)) / 2
        middle[axis] = self.points[:, axis].min()
        return middle, self.width * 0.45

    def axes(self, figure: Any, box: tuple[float, float, float, float], *, ground: str = GROUND) -> Any:
        """Bare axes in a box (left, bottom, width, height in pixels) that hold the area to scale, with the ground."""
        patches = optional("matplotlib.patches")
        axes = add_axes(figure, box)
        axes.set_axis_off()
        _, _, width, height = box
        scale = max(self.width / width, self.height / height)
        left, right, bottom, top = self.area
        axes.set_xlim((left + right - width * scale) / 2, (left + right + width * scale) / 2)
        axes.set_ylim((bottom + top - height * scale) / 2, (bottom + top + height * scale) / 2)
        middle, radius = self.ground
        across, along, _ = self.project(middle)
        flat = 2 * radius * math.sin(math.radians(self.elevation))
        axes.add_patch(patches.Ellipse((across, along), 2 * radius, flat, color=ground, linewidth=0, clip_on=False))
        return axes


class Floor:
    """A grid on the ground that stays where it is while the camera follows a body.

    Args:
        axes: Axes that `Scene.axes` made.
        scene: Whose ground it is.
        color: Colour of its lines.
    """

    _STEP = 500.0  # mm

    def __init__(self, axes: Any, scene: Scene, color: str) -> None:
        collections = optional("matplotlib.collections")
        self.scene = scene
        self.lines = collections.LineCollection([], linewidths=1, color=color, clip_on=False, zorder=2)
        axes.add_collection(self.lines, autolim=False)

    def show(self, place: np.ndarray) -> None:
        """Draw the grid as it is seen from above a place ``(3,)`` in the world."""
        middle, radius = self.scene.ground
        up = "xyz".index(self.scene.skeleton.up)
        step = self._STEP * max(1.0, np.ceil(radius / (8 * self._STEP)))
        segments: list[np.ndarray] = []
        for along, across in (((up + 1) % 3, (up + 2) % 3), ((up + 2) % 3, (up + 1) % 3)):
            first = np.ceil((place[across] + middle[across] - radius) / step) * step
            for line in np.arange(first, place[across] + middle[across] + radius, step):
                off = line - place[across] - middle[across]
                half = np.sqrt(max(radius**2 - off**2, 0.0))
                ends = np.repeat(middle[None], 2, axis=0)
                ends[:, across] += off
                ends[:, along] += (-half, half)
                segments.append(self.scene.project(ends)[:, :2])
        self.lines.set_segments(segments)


class Body:
    """The artists of one pose, made once and moved from frame to frame.

    Args:
        axes: Axes that `Scene.axes` made.
        scene: Where the pose is.
        width: Width of a bone in pixels.
        layer: Bodies of higher layers cover those of lower ones.
    """

    def __init__(self, axes: Any, scene: Scene, *, width: float, layer: int) -> None:
        collections = optional("matplotlib.collections")
        patches = optional("matplotlib.patches")
        self.scene = scene
        self.head = patches.Circle((0, 0), scene.head_radius, lw=0, clip_on=False, visible=False, zorder=layer)
        self.bones = collections.LineCollection([], linewidths=width, capstyle="round", clip_on=False, zorder=layer)
        axes.add_artist(self.head)
        axes.add_collection(self.bones, autolim=False)

    def hide(self) -> None:
        """Draw nothing until the next pose."""
        self.bones.set_segments([])
        self.head.set(visible=False)

    def show(self, pose: np.ndarray, colours: Mapping[Side, str]) -> None:
        """Draw a pose ``(joints, 3)``, what is near over what is far."""
        scene = self.scene
        seen = scene.project(pose)
        bones = sorted(scene.bones, key=lambda bone: seen[bone[0], 2] + seen[bone[1], 2])
        self.bones.set_segments([seen[list(bone), :2] for bone in bones])
        self.bones.set_color([colours[scene.skeleton.side(child)] for _, child in bones])
        if scene.head_joints:
            self.head.set(
                center=seen[list(scene.head_joints), :2].mean(axis=0), facecolor=colours["centre"], visible=True
            )
