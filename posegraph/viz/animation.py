"""Forecasts in motion."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from posegraph._support.checks import check_positive
from posegraph._support.files import replace_file
from posegraph.errors import ConfigError
from posegraph.skeleton.skeleton import Skeleton
from posegraph.viz import _labels, _poses, _style
from posegraph.viz._scene import Body, Scene
from posegraph.viz._style import MARGIN, OBSERVED, SIDES, TRUTH
from posegraph.viz.drawing import Drawing

_FORECAST = "#7A4FA3"  # label and timeline; not a colour of a side
_SIDE = 480  # width and height of the layout, which is then scaled to size
_LAST_FRAME_MS = 1000
_FPS = (1, 50)  # browsers play frames shorter than 20 ms at 10 a second


def animate(
    observed: _poses.Poses,
    forecast: _poses.Poses,
    truth: _poses.Poses | None = None,
    *,
    skeleton: Skeleton,
    path: str | Path,
    fps: float = 25.0,
    size: int = 480,
    drawing: Drawing | None = None,
) -> Path:
    """Write an animated GIF: the observed poses, then the forecast over the true poses.

    Args:
        observed: Observed poses ``(frames, joints, 3)``, all joints of ``skeleton``.
        forecast: Forecast poses ``(frames, joints, 3)``.
        truth: True poses of the forecast's shape, drawn behind it; the error is shown if they are given.
        skeleton: What the joints are; ``skeleton.reduced`` for poses of the used joints alone.
        path: File to create or replace, ``.gif``; missing folders are made.
        fps: Frames to play a second, from 1 to 50.
        size: Width and height in pixels.
        drawing: Title, millisecond labels and camera.

    Returns:
        The path.

    Raises:
        ConfigError: A setting cannot work.
        ShapeError: Poses do not fit the skeleton or each other.
        DataError: A position is not finite.
        UnknownNameError: The skeleton has no joint named ``head``.
        MissingDependencyError: The extra ``viz`` is not installed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from posegraph import data, registry, viz
        >>> from posegraph.forecast import forecast_clip
        >>> walking = data.load("cmu", "samples", split="test", actions=["walking"]).clips["test"][0]
        >>> result = forecast_clip(registry.build("zero-velocity", skeleton="cmu", future_frames=2), walking, start=40)
        >>> with TemporaryDirectory() as folder:
        ...     path = viz.animate(
        ...         result.observed,
        ...         result.forecast,
        ...         result.truth,
        ...         skeleton=result.skeleton,
        ...         path=f"{folder}/walking.gif",
        ...     )
        ...     path.name
        'walking.gif'
    """
    path = _style.check_path(path, ".gif")
    check_positive(size=size)
    if not _FPS[0] <= fps <= _FPS[1]:
        raise ConfigError(
            f"fps: expected {_FPS[0]} to {_FPS[1]} frames a second, got {fps!r}. Viewers do not play GIFs faster: play "
            "slower, or draw every second frame."
        )
    drawing = drawing or Drawing()
    drawn = _poses.drawable(skeleton)
    past, future, true = _poses.window(observed, forecast, truth, skeleton)
    seen = (past, future) if true is None else (past, future, true)
    frames = _frames(Scene.of(drawn, seen, drawing), past, future, true, size, drawing)
    # GIF counts in hundredths of a second; rounding the times, not the durations, keeps the speed right.
    times = [round(frame * 100 / fps) * 10 for frame in range(len(frames))]
    durations = [after - before for before, after in pairwise(times)] + [_LAST_FRAME_MS]
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(
        path,
        lambda file: frames[0].save(
            file, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=False
        ),
    )
    return path


def _frames(
    scene: Scene,
    past: np.ndarray,
    future: np.ndarray,
    true: np.ndarray | None,
    size: int,
    drawing: Drawing,
) -> list[Any]:
    """The images, all of one palette."""
    image_module = _style.optional("PIL.Image")
    palette = _palette(image_module)
    errors = None if true is None else _poses.errors(future, true)
    total = len(past) + len(future)
    images = []
    with _style.default_style():
        figure = _style.new_figure(_SIDE, _SIDE, zoom=size / _SIDE)
        top, bottom = _SIDE - (48 if drawing.title is None else 72), 56
        axes = scene.axes(figure, (20, bottom, _SIDE - 40, top - bottom))
        behind, body = Body(axes, scene, width=8, layer=2), Body(axes, scene, width=5, layer=3)
        if drawing.title is not None:
            _style.draw_text(figure, MARGIN, _SIDE - 22, drawing.title, size=16, weight="bold")
        phase = _style.draw_text(figure, MARGIN, top + 24, "observed", size=15, weight="bold", color=OBSERVED)
        error = _style.draw_text(figure, _SIDE - MARGIN, top + 24, "", size=14, align="right")
        counter = _style.draw_text(figure, _SIDE - MARGIN, 32, "", size=13, align="right", color=_style.MUTED)
        _style.side_legend(_SIDE, with_truth=true is not None).draw(figure, 43)
        fill_timeline = _timeline(figure, len(past) / total)
        for frame in range(total):
            step = frame - len(past)
            if step < 0:
                body.show(past[frame], dict.fromkeys(SIDES, OBSERVED))
            else:
                body.show(future[step], SIDES)
                phase.set(text=f"forecast {_labels.after_observed(step, drawing.label_fps)}", color=_FORECAST)
            if step >= 0 and true is not None and errors is not None:
                behind.show(true[step], dict.fromkeys(SIDES, TRUTH))
                error.set_text(f"mean error {errors[step]:.0f} {scene.skeleton.unit}")
            counter.set_text(f"frame {frame + 1}/{total}")
            fill_timeline((frame + 1) / total)
            figure.canvas.draw()
            pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
            images.append(image_module.fromarray(pixels).quantize(palette=palette, dither=image_module.Dither.NONE))
    return images


def _timeline(figure: Any, observed: float) -> Callable[[float], None]:
    """A bar along the bottom, observed and forecast part; returns what fills it up to a fraction."""
    patches = _style.optional("matplotlib.patches")
    width, height = figure.get_size_inches() * _style.DPI
    left, full = MARGIN / width, (width - 2 * MARGIN) / width

    def bar(color: str, start: float, end: float) -> Any:
        patch = patches.Rectangle(
            (left + full * start, 11 / height), full * (end - start), 4 / height, color=color, lw=0
        )
        return figure.add_artist(patch)

    bar(_style.GROUND, 0, 1)
    past, future = bar(OBSERVED, 0, 0), bar(_FORECAST, observed, observed)

    def fill(fraction: float) -> None:
        past.set_width(full * min(fraction, observed))
        future.set_width(full * max(fraction - observed, 0))

    return fill


def _palette(image_module: Any) -> Any:
    """The colours of an animation and what anti-aliasing mixes of them with white, the same for every frame."""
    white = np.full(3, 255.0)
    solid = [
        np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
        for color in (*SIDES.values(), OBSERVED, TRUTH, _style.GROUND, _FORECAST, _style.TEXT, _style.MUTED)
    ]
    colours = [white, *solid]
    # Pillow looks colours up in cells of 8 levels: a shade too near to a solid colour would replace it.
    for shade in (white + (rgb - white) * step / 12 for rgb in solid for step in range(1, 12)):
        if min(np.abs(shade - other).max() for other in colours) > 12:
            colours.append(shade)
    image = image_module.new("P", (1, 1))
    image.putpalette(np.array(colours).round().astype(np.uint8).tobytes())
    return image
