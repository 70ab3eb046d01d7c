"""Errors of single joints, on the body."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posegraph._support.checks import check_choice
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.skeleton.kinematics import forward_kinematics
from posegraph.skeleton.skeleton import Skeleton
from posegraph.viz import _labels, _poses, _style
from posegraph.viz._scene import Body, Scene
from posegraph.viz._style import MARGIN, SIDES
from posegraph.viz.drawing import Drawing

_COLOURS = "viridis_r"  # pale is low and dark is high, in grey as well
_BONE, _LEADER = "#D8D8D8", "#8A8A8A"
_RADII = (2.0, 7.0)  # pixels, of joints without error and with the highest
_MOST_COLUMNS = 4
_AZIMUTH = 25.0
_GAP = 20  # between panels
_EDGE = 18  # on either side of a body, for the ranks of joints


def joint_error_map(
    errors: Mapping[str, torch.Tensor | np.ndarray],
    path: str | Path,
    *,
    skeleton: Skeleton,
    frames: Sequence[int],
    protocol: str,
    poses: _poses.Poses | None = None,
    worst: int = 3,
    unit: str = "mm",
    drawing: Drawing | None = None,
) -> Path:
    """Write a PNG with the error of every joint, drawn on the body, for several models and frames.

    A joint is the larger and darker the larger its error; one scale holds for the whole picture. The worst joints of
    each body are numbered and listed below it. Copies of a joint are drawn and listed once.

    Args:
        errors: Errors ``(frames, joints)`` by model, of all joints of ``skeleton`` or of its used joints;
            `posegraph.evaluation.joints.evaluate_joints` gives them.
        path: File to create or replace, ``.png``; missing folders are made.
        skeleton: What the joints are.
        frames: Forecast frames that the errors belong to, counted from 0, in rising order.
        protocol: What the errors hold for, drawn with them; ``Protocol.describe()`` gives it.
        poses: Poses ``(frames, joints, 3)`` of all joints. The errors are drawn on that of them, or on the rest pose,
            whose joints are farthest apart. Needed where joints of the rest pose hide one another, as those of h36m.
        worst: Number of joints to list, from 1 to 8.
        unit: Unit of the errors.
        drawing: Title, frame rates and camera.

    Returns:
        The path.

    Raises:
        ConfigError: A setting cannot work, or there are no errors, or poses to draw on are needed.
        ShapeError: Errors or poses do not fit the frames or the skeleton.
        DataError: An error is negative or not finite, or a position is not finite.
        MissingDependencyError: The extra ``viz`` is not installed.

    Examples:
        >>> import torch
        >>> from tempfile import TemporaryDirectory
        >>> from posegraph.skeleton import presets
        >>> from posegraph import viz
        >>> errors = {"mine": torch.rand(2, 38, generator=torch.Generator().manual_seed(0)) * 100}
        >>> with TemporaryDirectory() as folder:
        ...     path = viz.joint_error_map(
        ...         errors,
        ...         f"{folder}/joints.png",
        ...         skeleton=presets.get("cmu"),
        ...         frames=[9, 24],
        ...         protocol="made up",
        ...     )
        ...     path.name
        'joints.png'
    """
    path = _style.check_path(path, ".png")
    drawing = drawing or Drawing()
    _labels.check_rising(frames)
    check_choice("worst", worst, range(1, 9))
    if not errors:
        raise ConfigError("errors: expected those of at least one model, got none.")
    drawn = _poses.drawable(skeleton)
    sites = _sites(drawn, skeleton)
    panels = {
        name: _panels(name, _checked(name, own, skeleton, len(frames)), skeleton, sites, frames, drawing.rate)
        for name, own in errors.items()
    }
    scene = Scene.of(drawn, (_pose(skeleton, drawn, sites, poses, drawing)[None],), drawing, azimuth=_AZIMUTH)
    with _style.default_style():
        header = _style.Header(drawing.title, [protocol, *drawing.rate.notes(frames[-1])], _style.WIDTH)
        return _style.save_png(_figure(scene, _rows(panels), header, worst, unit), path)


@dataclass(frozen=True)
class _Panel:
    """The errors of a model at a frame: those of the joints to draw, worst first, and the mean of all."""

    model: str
    frame: str
    joints: tuple[int, ...]
    errors: tuple[float, ...]
    mean: float
    averaged: int


def _checked(name: str, errors: torch.Tensor | np.ndarray, skeleton: Skeleton, frames: int) -> np.ndarray:
    """Errors ``(frames, joints)`` as float64."""
    values = np.asarray(errors.detach().cpu() if isinstance(errors, torch.Tensor) else errors, dtype=np.float64)
    if values.ndim != 2 or len(values) != frames or values.shape[1] not in (skeleton.num_joints, skeleton.num_used):
        raise ShapeError(
            f"errors of {name!r}",
            f"({frames} frames, {skeleton.num_joints} joints or the {skeleton.num_used} used ones)",
            values.shape,
            f"Give a row for each of `frames`, with the joints of skeleton {skeleton.name!r}.",
        )
    if not np.isfinite(values).all() or values.min() < 0:
        raise DataError(f"errors of {name!r}: expected finite numbers from 0 on, got others. Check the poses compared.")
    return values


def _panels(
    name: str,
    errors: np.ndarray,
    skeleton: Skeleton,
    sites: Sequence[int],
    frames: Sequence[int],
    rate: _labels.Rate,
) -> list[_Panel]:
    """One panel a frame."""
    joints = range(skeleton.num_joints) if errors.shape[1] == skeleton.num_joints else skeleton.used
    panels = []
    for frame, row in zip(frames, errors.tolist(), strict=True):
        by_joint = dict(zip(joints, row, strict=True))
        shown = sorted((joint for joint in sites if joint in by_joint), key=lambda joint: -by_joint[joint])
        worst_first = tuple(by_joint[joint] for joint in shown)
        label = rate.as_in_tables(frame)
        panels.append(_Panel(name, label, tuple(shown), worst_first, sum(row) / len(row), len(row)))
    return panels


def _rows(panels: Mapping[str, list[_Panel]]) -> list[list[_Panel]]:
    """Rows of panels: models side by side, a row or more for each frame; or the other way round if that is shorter."""
    by_model = list(panels.values())
    by_frame = [list(same) for same in zip(*by_model, strict=True)]
    return min(_folded(by_frame), _folded(by_model), key=len)


def _folded(groups: list[list[_Panel]]) -> list[list[_Panel]]:
    """Groups in rows of at most four, as equal as can be; none shares a row with another."""
    longest = len(groups[0])
    columns = math.ceil(longest / math.ceil(longest / _MOST_COLUMNS))
    return [group[i : i + columns] for group in groups for i in range(0, longest, columns)]


def _sites(drawn: Skeleton, skeleton: Skeleton) -> list[int]:
    """Joints that have a place of their own; the others are copies of one of these or sit on their parent."""
    copies = {drawn.index(copy) for copy in skeleton.duplicates}
    if drawn.offsets is not None:
        copies |= {j for _, j in drawn.bones if not any(drawn.offsets[j])}
    return [j for j in range(drawn.num_joints) if j not in copies]


def _pose(
    skeleton: Skeleton,
    drawn: Skeleton,
    sites: Sequence[int],
    poses: _poses.Poses | None,
    drawing: Drawing,
) -> np.ndarray:
    """The pose ``(joints, 3)`` to draw on; ``drawn`` is the skeleton of its positions."""
    candidates = _rest_pose(drawn, sites)
    if poses is not None:
        candidates = np.concatenate([candidates, _poses.positions("poses", poses, skeleton)])
    elif len(candidates) == 0:
        raise ConfigError(
            f"poses: expected some to draw on, got none. Skeleton {drawn.name!r} has no rest pose, or one in which "
            "joints hide one another: give the poses of a clip."
        )
    seen = Scene.of(drawn, (candidates,), drawing, azimuth=_AZIMUTH).project(candidates[:, sites])[..., :2]
    return candidates[max(range(len(seen)), key=lambda frame: _spread(seen[frame]))]


def _rest_pose(drawn: Skeleton, sites: Sequence[int]) -> np.ndarray:
    """The pose without any rotation, ``(1, joints, 3)``; ``(0, joints, 3)`` if joints of it are in one place."""
    if drawn.offsets is None:
        return np.empty((0, drawn.num_joints, 3))
    rest = forward_kinematics(torch.zeros(1, drawn.num_joints, 3, dtype=torch.float64), drawn).numpy()
    places = rest[0, sites]
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1) + np.diag(np.full(len(sites), np.inf))
    return rest if distances.min() > 1e-4 * np.ptp(rest) else rest[:0]


def _spread(seen: np.ndarray) -> float:
    """Mean distance between joints in their places ``(joints, 2)``."""
    return float(np.linalg.norm(seen[:, None] - seen[None], axis=-1).mean())


def _figure(scene: Scene, rows: list[list[_Panel]], header: _style.Header, worst: int, unit: str) -> Any:
    """All panels, and below them the scale."""
    columns = max(map(len, rows))
    width = min(250.0, (_style.WIDTH - 2 * MARGIN - (columns - 1) * _GAP) / columns)
    body = min(240.0, (width - 2 * _EDGE) * scene.height / scene.width)
    names = {panel.model: _style.wrap(panel.model, width, 14, weight="bold") for row in rows for panel in row}
    head = 18 * max(map(len, names.values())) + 22
    row_height = head + body + 17 * (worst + 1) + 26
    bar = 54
    height = round(header.height + len(rows) * row_height + bar)
    figure = _style.new_figure(_style.WIDTH, height)
    header.draw(figure)
    scale = _Scale(max(panel.errors[0] for row in rows for panel in row))
    for i, row in enumerate(rows):
        for k, panel in enumerate(row):
            left, top = MARGIN + k * (width + _GAP), height - header.height - i * row_height - 6
            for line, text in enumerate(names[panel.model]):
                _style.draw_text(figure, left, top - 9 - 18 * line, text, size=14, weight="bold")
            size = min(13.0, 13 * width / _style.text_width(panel.frame, 13))
            _style.draw_text(figure, left, top - head + 13, panel.frame, size=size, color=_style.MUTED)
            box = (left + _EDGE, top - head - body, width - 2 * _EDGE, body)
            _draw_body(figure, box, scene, panel, scale, worst)
            _draw_list(figure, left, width, box[1] - 14, panel, scene.skeleton, worst)
    scale.draw(figure, f"mean error of the joint, in {unit}")
    return figure


def _draw_body(
    figure: Any, box: tuple[float, float, float, float], scene: Scene, panel: _Panel, scale: _Scale, worst: int
) -> None:
    """The body in its box, with a circle for each joint and the rank of the worst ones at the edges."""
    lines = _style.optional("matplotlib.lines")
    axes = scene.axes(figure, box)
    (pose,) = scene.poses[0]
    Body(axes, scene, width=4, layer=2).show(pose, dict.fromkeys(SIDES, _BONE))
    seen = scene.project(pose)[list(panel.joints), :2]
    scale.circles(axes, seen, panel.errors)
    places = axes.transData.transform(seen[:worst])
    total = figure.get_size_inches() * _style.DPI
    for at_left in (True, False):
        ranks = [i for i, joint in enumerate(panel.joints[:worst]) if _is_left(scene, pose, joint) == at_left]
        ranks.sort(key=lambda i: -places[i][1])
        edge = box[0] - _EDGE / 2 if at_left else box[0] + box[2] + _EDGE / 2
        heights = _apart([places[i][1] for i in ranks], 15, box[1] + 4, box[1] + box[3] - 4)
        for i, y in zip(ranks, heights, strict=True):
            near = edge + (7 if at_left else -7)
            ends = np.array([(near, y), places[i]]) / total
            figure.add_artist(lines.Line2D(ends[:, 0], ends[:, 1], color=_LEADER, lw=0.9, zorder=6))
            _style.draw_text(figure, edge, y, str(i + 1), size=13, align="center", weight="bold")


def _is_left(scene: Scene, pose: np.ndarray, joint: int) -> bool:
    """Whether a joint is left of its mirror image in the picture, or of the middle if it has none."""
    mirror = scene.skeleton.mirror[joint]
    left, right, *_ = scene.area
    seen = scene.project(pose)[:, 0]
    return bool(seen[joint] < (seen[mirror] if mirror != joint else (left + right) / 2))


def _apart(heights: Sequence[float], least: float, lowest: float, highest: float) -> list[float]:
    """Falling heights moved apart, about as much up as down, but none out of bounds."""
    moved: list[float] = []
    for height in heights:
        moved.append(min(height, moved[-1] - least) if moved else height)
    if not moved:
        return []
    shift = sum(before - after for before, after in zip(heights, moved, strict=True)) / len(moved)
    shift = min(max(shift, lowest - moved[-1]), highest - moved[0])
    return [height + shift for height in moved]


def _draw_list(
    figure: Any, left: float, width: float, top: float, panel: _Panel, skeleton: Skeleton, worst: int
) -> None:
    """The mean, and the names and errors of the worst joints, downwards."""
    rows = [(f"mean of {panel.averaged} joints", panel.mean, "bold")]
    worst_first = zip(panel.joints[:worst], panel.errors[:worst], strict=True)
    rows += [
        (f"{rank}  {skeleton.joint_names[joint]}", error, "normal")
        for rank, (joint, error) in enumerate(worst_first, start=1)
    ]
    for line, (text, error, weight) in enumerate(rows):
        y = top - 17 * line
        number = _style.draw_text(figure, left + width, y, f"{error:.1f}", size=13, align="right", weight=weight)
        room = width - number.get_window_extent().width - 8
        size = min(13.0, 13 * room / _style.text_width(text, 13, weight=weight))
        _style.draw_text(figure, left, y, text, size=size, weight=weight)


class _Scale:
    """Size and colour of errors, the same ones in the whole picture.

    Args:
        highest: Largest error.
    """

    def __init__(self, highest: float) -> None:
        cm = _style.optional("matplotlib.cm")
        colors = _style.optional("matplotlib.colors")
        self.highest = highest or 1.0
        self.colours = cm.ScalarMappable(colors.Normalize(0, self.highest), _COLOURS)

    def circles(self, axes: Any, places: np.ndarray, errors: Sequence[float]) -> None:
        """Draw a circle for each error, large ones first, so that small ones are seen."""
        smallest, largest = _RADII
        radii = smallest + (largest - smallest) * np.sqrt(np.asarray(errors) / self.highest)
        colours = self.colours.to_rgba(np.asarray(errors))
        axes.scatter(*places.T, s=(2 * radii) ** 2, c=colours, ec=_style.TEXT, lw=0.6, zorder=4, clip_on=False)

    def draw(self, figure: Any, meaning: str) -> None:
        """Draw the colours and their errors along the bottom."""
        width = 300
        axes = _style.add_axes(figure, (MARGIN, 28, width, 12))
        figure.colorbar(self.colours, cax=axes, orientation="horizontal")
        axes.tick_params(labelsize=12, colors=_style.TEXT, length=3)
        for spine in axes.spines.values():
            spine.set(color=_LEADER, linewidth=0.8)
        _style.draw_text(figure, MARGIN + width + 24, 34, meaning, size=13)
