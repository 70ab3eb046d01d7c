"""Forecasts as rows of poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posegraph.errors import ConfigError, ShapeError
from posegraph.skeleton.skeleton import Side, Skeleton
from posegraph.viz import _poses, _style
from posegraph.viz._scene import Body, Scene
from posegraph.viz._style import MARGIN, OBSERVED, SIDES, TRUTH
from posegraph.viz.drawing import Drawing

_NAMES = 116  # width of the column of names in a comparison
_TALLEST = 200  # height of its bodies, at most


def pose_strip(
    observed: _poses.Poses,
    forecast: _poses.Poses,
    truth: _poses.Poses | None = None,
    *,
    skeleton: Skeleton,
    path: str | Path,
    frames: Sequence[int] | None = None,
    drawing: Drawing | None = None,
) -> Path:
    """Write a PNG with a row of poses: the last observed one, then forecasts over the true poses.

    Args:
        observed: Observed poses ``(frames, joints, 3)``, all joints of ``skeleton``.
        forecast: Forecast poses ``(frames, joints, 3)``.
        truth: True poses of the forecast's shape, drawn behind it.
        skeleton: What the joints are; ``skeleton.reduced`` for poses of the used joints alone.
        path: File to create or replace, ``.png``; missing folders are made.
        frames: Forecast frames to draw, counted from 0; by default five, evenly spaced, the last one included.
        drawing: Title, frame rate and camera.

    Returns:
        The path.

    Raises:
        ConfigError: A setting cannot work.
        ShapeError: Poses do not fit the skeleton or each other.
        DataError: A position is not finite.
        UnknownNameError: The skeleton has no joint named ``head``.
        MissingDependencyError: The extra ``viz`` is not installed.

    Examples:
        >>> import torch
        >>> from tempfile import TemporaryDirectory
        >>> from posegraph import viz
        >>> from posegraph.skeleton import Skeleton
        >>> arm = torch.tensor([[[0.0, 0, 0], [0, 200, 0], [0, 400, 0]], [[0, 0, 0], [0, 200, 0], [140, 340, 0]]])
        >>> skeleton = Skeleton("arm", ("shoulder", "elbow", "hand"), (-1, 0, 1))
        >>> with TemporaryDirectory() as folder:
        ...     path = viz.pose_strip(arm[:1], arm, skeleton=skeleton, path=f"{folder}/arm.png", frames=[0, 1])
        ...     path.name
        'arm.png'
    """
    path = _style.check_path(path, ".png")
    drawing = drawing or Drawing()
    drawn = _poses.drawable(skeleton)
    past, future, true = _poses.window(observed, forecast, truth, skeleton)
    shown = _poses.choose_frames(frames, len(future))
    seen = (past[-1:], future[shown]) if true is None else (past[-1:], future[shown], true[shown])
    scene = Scene.of(drawn, seen, drawing)

    body, bottom = 234, 36
    column = max(104, round(body * scene.width / scene.height) + 8)
    with _style.default_style():
        width = column * (1 + len(shown)) + 2 * MARGIN
        header = _style.Header(drawing.title, drawing.rate.notes(shown[-1]), width)
        top = bottom + body
        figure = _style.new_figure(width, round(top + 42 + header.height))
        header.draw(figure)
        for i, frame in enumerate([None, *shown]):
            box = (MARGIN + i * column, bottom, column, top - bottom)
            if frame is None:
                label = "last observed"
                _draw(figure, box, scene, past[-1], dict.fromkeys(SIDES, OBSERVED))
            else:
                label = drawing.rate.after_observed(frame)
                _draw(figure, box, scene, future[frame], SIDES, None if true is None else true[frame])
            _style.draw_text(figure, box[0] + column / 2, top + 22, label, size=13, align="center")
        _style.side_legend(column * (1 + len(shown)), with_truth=true is not None).draw(figure, 29)
        return _style.save_png(figure, path)


def compare_strips(
    forecasts: Mapping[str, _poses.Poses],
    truth: _poses.Poses,
    *,
    skeleton: Skeleton,
    path: str | Path,
    window: str,
    frames: Sequence[int] | None = None,
    drawing: Drawing | None = None,
) -> Path:
    """Write a PNG with a row of true poses, and below it a row for each model's forecasts over them.

    Below each forecast stands its error at that frame, the mean over all joints; the lowest of a column is bold.

    Args:
        forecasts: Forecast poses ``(frames, joints, 3)`` by model, all joints of ``skeleton``.
        truth: True poses of the same shape.
        skeleton: What the joints are; ``skeleton.reduced`` for poses of the used joints alone.
        path: File to create or replace, ``.png``; missing folders are made.
        window: What was forecast, as in "cmu test, walking_1, forecast from frame 70". It is drawn with the errors.
        frames: Forecast frames to draw, counted from 0; by default five, evenly spaced, the last one included.
        drawing: Title, frame rate and camera.

    Returns:
        The path.

    Raises:
        ConfigError: A setting cannot work, or there are no forecasts.
        ShapeError: Poses do not fit the skeleton or each other.
        DataError: A position is not finite.
        UnknownNameError: The skeleton has no joint named ``head``.
        MissingDependencyError: The extra ``viz`` is not installed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from posegraph import data, registry, viz
        >>> from posegraph.forecast import forecast_clip
        >>> walking = data.load("cmu", "samples", split="test", actions=["walking"]).clips["test"][0]
        >>> result = forecast_clip(registry.build("zero-velocity", skeleton="cmu"), walking, start=60)
        >>> with TemporaryDirectory() as folder:
        ...     path = viz.compare_strips(
        ...         {"zero-velocity": result.forecast},
        ...         result.truth,
        ...         skeleton=result.skeleton,
        ...         path=f"{folder}/walking.png",
        ...         window="cmu test, walking_1, forecast from frame 70",
        ...     )
        ...     path.name
        'walking.png'
    """
    path = _style.check_path(path, ".png")
    drawing = drawing or Drawing()
    if not forecasts:
        raise ConfigError("forecasts: expected those of at least one model, got none.")
    drawn = _poses.drawable(skeleton)
    true = _poses.positions("truth", truth, skeleton)
    futures = {name: _poses.positions(f"forecast of {name!r}", poses, skeleton) for name, poses in forecasts.items()}
    for name, future in futures.items():
        if future.shape != true.shape:
            remedy = "Compare forecasts of the same frames; cut the longer ones."
            raise ShapeError(f"forecast of {name!r}", f"the shape of truth, {true.shape}", future.shape, remedy)
    shown = _poses.choose_frames(frames, len(true))
    seen = tuple(poses[shown] for poses in (true, *futures.values()))
    scene = Scene.of(drawn, seen, drawing)
    with _style.default_style():
        return _style.save_png(_compare(scene, futures, true, shown, window, drawing), path)


def _compare(
    scene: Scene,
    futures: Mapping[str, np.ndarray],
    true: np.ndarray,
    shown: list[int],
    window: str,
    drawing: Drawing,
) -> Any:
    """The figure of `compare_strips`."""
    unit = scene.skeleton.pose_unit
    note = f"{window}; mean error of this window's {scene.skeleton.num_joints} joints at the frame, in {unit}"
    header = _style.Header(drawing.title, [note, *drawing.rate.notes(shown[-1])], _style.WIDTH)
    legend = _style.side_legend(_style.WIDTH, with_truth=True)
    column = (_style.WIDTH - 2 * MARGIN - _NAMES) / max(len(shown), 4)
    size = min(13, column / 7)  # of text that has to fit into a column
    body = min(_TALLEST, column * scene.height / scene.width)
    row = body + 26
    height = round(header.height + 44 + (1 + len(futures)) * row + legend.height + 12)
    figure = _style.new_figure(_style.WIDTH, height)
    header.draw(figure)
    first = height - header.height - 44 - body  # bottom of the first row
    errors = {name: _poses.errors(future, true) for name, future in futures.items()}
    for i, frame in enumerate(shown):
        left, bottom = MARGIN + _NAMES + i * column, first
        centre = left + column / 2
        _style.draw_text(
            figure, centre, first + body + 22, drawing.rate.after_observed(frame), size=size, align="center"
        )
        _draw(figure, (left, bottom, column, body), scene, true[frame], dict.fromkeys(SIDES, TRUTH))
        lowest = min(round(own[frame], 1) for own in errors.values())
        for name, future in futures.items():
            bottom -= row
            _draw(figure, (left, bottom, column, body), scene, future[frame], SIDES, true[frame])
            error = round(errors[name][frame], 1)
            weight = "bold" if error == lowest and len(futures) > 1 else "normal"
            _style.draw_text(figure, centre, bottom - 12, f"{error} {unit}", size=size, align="center", weight=weight)
    for i, name in enumerate(("truth", *futures)):
        lines = _style.wrap(name, _NAMES - 8, 14, weight="bold")
        for k, line in enumerate(lines):
            y = first + body / 2 - i * row + 9 * (len(lines) - 1) - 18 * k
            _style.draw_text(figure, MARGIN, y, line, size=14, weight="bold")
    legend.draw(figure, legend.height + 4)
    return figure


def _draw(
    figure: Any,
    box: tuple[float, float, float, float],
    scene: Scene,
    pose: np.ndarray,
    colours: Mapping[Side, str],
    behind: np.ndarray | None = None,
) -> None:
    """A pose in a box, over a true one if there is one."""
    axes = scene.axes(figure, box)
    Body(axes, scene, width=4, layer=3).show(pose, colours)
    if behind is not None:
        Body(axes, scene, width=6.5, layer=2).show(behind, dict.fromkeys(SIDES, TRUTH))
