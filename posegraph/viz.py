"""Pictures of forecasts: an animation, a strip of poses, and curves of the error.

They need the extra ``viz`` (matplotlib and Pillow), no display, and leave matplotlib's settings alone. Colours can be
told apart with any colour vision (Okabe and Ito, "Color Universal Design", 2008).

Pictures of poses count frames from the last observed one: forecast frame 9 of a table is "+10 frames".
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from posegraph._checks import check_choice, check_poses, check_positive, import_optional
from posegraph._files import replace_file
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.metrics import mpjpe_at
from posegraph.skeleton import Side, Skeleton

__all__ = ["CURVES", "OBSERVED", "SIDES", "TRUTH", "animate", "error_curve", "pose_strip", "project"]

Poses = torch.Tensor | np.ndarray

SIDES: Mapping[Side, str] = {"left": "#0072B2", "right": "#D55E00", "centre": "#009E73"}
"""Colours of a forecast's bones, by side of the body."""
OBSERVED = "#4A4A4A"
"""Colour of observed poses."""
TRUTH = "#C4C4C4"
"""Colour of true poses."""
CURVES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of curves, in the order that they are given out."""

_GROUND, _BACKGROUND, _TEXT, _MUTED = "#F1F1F1", "#FFFFFF", "#222222", "#767676"
_FORECAST = "#7A4FA3"  # label and timeline; not a colour of a side
_PURPOSE = "posegraph.viz"
_DPI = 72  # makes a point, the unit of line widths and font sizes, one pixel of a layout
_SIDE = 480  # width and height of an animation's layout, which is then scaled to size
_LAST_FRAME_MS = 1000
_FPS = (1, 50)  # browsers play frames shorter than 20 ms at 10 a second


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


def animate(
    observed: Poses,
    forecast: Poses,
    truth: Poses | None = None,
    *,
    skeleton: Skeleton,
    path: str | Path,
    fps: float = 25.0,
    label_fps: float | None = None,
    title: str | None = None,
    size: int = 480,
    azimuth: float = 35.0,
    elevation: float = 12.0,
    head: str | None = None,
) -> Path:
    """Write an animated GIF: the observed poses, then the forecast over the true poses.

    Args:
        observed: Observed poses ``(frames, joints, 3)``, all joints of ``skeleton``.
        forecast: Forecast poses ``(frames, joints, 3)``.
        truth: True poses of the forecast's shape, drawn behind it; the error is shown if they are given.
        skeleton: What the joints are; ``skeleton.reduced`` for poses of the used joints alone.
        path: File to create or replace, ``.gif``; missing folders are made.
        fps: Frames to play a second, from 1 to 50.
        label_fps: Frame rate behind millisecond labels; without it only frames are counted.
        title: Line above the picture.
        size: Width and height in pixels.
        azimuth: Degrees that the camera is turned towards the subject's left; see `project`.
        elevation: Degrees that the camera is raised.
        head: Joint to draw a head at; by default the one named "Head", if there is one.

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
    path = _output(path, ".gif")
    check_positive(size=size)
    if not _FPS[0] <= fps <= _FPS[1]:
        raise ConfigError(
            f"fps: expected {_FPS[0]} to {_FPS[1]} frames a second, got {fps!r}. Viewers do not play GIFs faster: play "
            "slower, or draw every second frame."
        )
    _check_label_fps(label_fps)
    past, future, true = _three(observed, forecast, truth, skeleton)
    seen = (past, future) if true is None else (past, future, true)
    frames = _frames(_Scene(skeleton, seen, azimuth, elevation, head), past, future, true, title, size, label_fps)
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


def pose_strip(
    observed: Poses,
    forecast: Poses,
    truth: Poses | None = None,
    *,
    skeleton: Skeleton,
    path: str | Path,
    frames: Sequence[int] | None = None,
    label_fps: float | None = None,
    title: str | None = None,
    azimuth: float = 35.0,
    elevation: float = 12.0,
    head: str | None = None,
) -> Path:
    """Write a PNG with a row of poses: the last observed one, then forecasts over the true poses.

    Args:
        observed: Observed poses ``(frames, joints, 3)``, all joints of ``skeleton``.
        forecast: Forecast poses ``(frames, joints, 3)``.
        truth: True poses of the forecast's shape, drawn behind it.
        skeleton: What the joints are; ``skeleton.reduced`` for poses of the used joints alone.
        path: File to create or replace, ``.png``; missing folders are made.
        frames: Forecast frames to draw, counted from 0; by default five, evenly spaced, the last one included.
        label_fps: Frame rate behind millisecond labels; without it only frames are counted.
        title: Line above the picture.
        azimuth: Degrees that the camera is turned towards the subject's left; see `project`.
        elevation: Degrees that the camera is raised.
        head: Joint to draw a head at; by default the one named "Head", if there is one.

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
    path = _output(path, ".png")
    _check_label_fps(label_fps)
    past, future, true = _three(observed, forecast, truth, skeleton)
    if frames is None:
        frames = sorted({math.ceil(len(future) * (i + 1) / 5) - 1 for i in range(5)})
    if not frames or any(not 0 <= frame < len(future) for frame in frames):
        raise ConfigError(f"frames: expected forecast frames in 0..{len(future) - 1}, got {list(frames)}.")
    shown = list(frames)
    drawn = (past[-1:], future[shown]) if true is None else (past[-1:], future[shown], true[shown])
    scene = _Scene(skeleton, drawn, azimuth, elevation, head)

    height = 320
    top, bottom = height - (50 if title is None else 82), 36
    column = max(104, round((top - bottom) * scene.width / scene.height) + 8)
    columns = 1 + len(shown)
    with _default_style():
        figure = _figure(column * columns + 32, height)
        if title is not None:
            _text(figure, 16, height - 24, title, size=16, weight="bold")
        for i, frame in enumerate([None, *shown]):
            left = 16 + i * column
            axes = scene.axes(figure, (left, bottom, column, top - bottom))
            body = _Body(axes, scene, width=4, layer=3)
            if frame is None:
                label = "last observed"
                body.show(past[-1], dict.fromkeys(SIDES, OBSERVED))
            else:
                label = _horizon(frame, label_fps).replace(" (", "\n(")
                body.show(future[frame], SIDES)
                if true is not None:
                    _Body(axes, scene, width=6.5, layer=2).show(true[frame], dict.fromkeys(SIDES, TRUTH))
            _text(figure, left + column / 2, top + 22, label, size=13, align="center")
        _legend(figure, 16, 18, with_truth=true is not None)
        return _save_png(figure, path)


def error_curve(
    results: Mapping[str, Sequence[float]],
    path: str | Path,
    *,
    frames: Sequence[int],
    protocol: str,
    label_fps: float | None = None,
    title: str | None = None,
    unit: str = "mm",
) -> Path:
    """Write a PNG with the error of several models against the forecast frame.

    Args:
        results: Errors by model, one a frame, as in ``Result.mpjpe_mm``.
        path: File to create or replace, ``.png``; missing folders are made.
        frames: Forecast frames that the errors belong to, counted from 0, in rising order.
        protocol: What the errors hold for, drawn with them; ``Protocol.describe()`` gives it.
        label_fps: Frame rate behind millisecond labels; without it only frames are counted.
        title: Line above the picture.
        unit: Unit of the errors.

    Returns:
        The path.

    Raises:
        ConfigError: A setting cannot work, or there are no results, or not one for each frame.
        MissingDependencyError: The extra ``viz`` is not installed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from posegraph import viz
        >>> errors = {"zero-velocity": [12.0, 31.0], "mine": [9.0, 25.0]}
        >>> with TemporaryDirectory() as folder:
        ...     path = viz.error_curve(errors, f"{folder}/curve.png", frames=[1, 3], protocol="cmu test, windows: all")
        ...     path.name
        'curve.png'
    """
    path = _output(path, ".png")
    _check_label_fps(label_fps)
    if not results:
        raise ConfigError("results: expected the errors of at least one model, got none.")
    if not frames or list(frames) != sorted(set(frames)) or min(frames) < 0:
        raise ConfigError(f"frames: expected forecast frames from 0 on, in rising order, got {list(frames)}.")
    for name, errors in results.items():
        if len(errors) != len(frames):
            raise ConfigError(
                f"results: expected {len(frames)} errors of {name!r}, one a frame, got {len(errors)}. Pass the frames "
                "that they belong to."
            )
    with _default_style():
        return _save_png(_curves(results, list(frames), protocol, label_fps, title, unit), path)


@dataclass(frozen=True)
class _Scene:
    """Poses seen by one camera: what to draw of them and the area that holds them all."""

    skeleton: Skeleton
    poses: tuple[np.ndarray, ...]
    azimuth: float
    elevation: float
    head: str | None

    def project(self, points: np.ndarray) -> np.ndarray:
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
        return self.area[1] - self.area[0]

    @property
    def height(self) -> float:
        return self.area[3] - self.area[2]

    def axes(self, figure: Any, box: tuple[float, float, float, float]) -> Any:
        """Bare axes in a box (left, bottom, width, height in pixels) that hold the area to scale, with the ground."""
        patches = _matplotlib("patches")
        total_width, total_height = figure.get_size_inches() * _DPI
        x, y, width, height = box
        axes = figure.add_axes((x / total_width, y / total_height, width / total_width, height / total_height))
        axes.set_axis_off()
        scale = max(self.width / width, self.height / height)
        left, right, bottom, top = self.area
        axes.set_xlim((left + right - width * scale) / 2, (left + right + width * scale) / 2)
        axes.set_ylim((bottom + top - height * scale) / 2, (bottom + top + height * scale) / 2)
        axis = "xyz".index(self.skeleton.up)
        middle = (self.points.min(axis=0) + self.points.max(axis=0)) / 2
        middle[axis] = self.points[:, axis].min()
        across, along, _ = self.project(middle)
        diameter = self.width * 0.9
        flat = diameter * math.sin(math.radians(self.elevation))
        axes.add_patch(patches.Ellipse((across, along), diameter, flat, color=_GROUND, linewidth=0, clip_on=False))
        return axes


class _Body:
    """The artists of one pose, made once and moved from frame to frame."""

    def __init__(self, axes: Any, scene: _Scene, *, width: float, layer: int) -> None:
        collections = _matplotlib("collections")
        patches = _matplotlib("patches")
        self.scene = scene
        self.head = patches.Circle((0, 0), scene.head_radius, lw=0, clip_on=False, visible=False, zorder=layer)
        self.bones = collections.LineCollection([], linewidths=width, capstyle="round", clip_on=False, zorder=layer)
        axes.add_artist(self.head)
        axes.add_collection(self.bones, autolim=False)

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


def _frames(
    scene: _Scene,
    past: np.ndarray,
    future: np.ndarray,
    true: np.ndarray | None,
    title: str | None,
    size: int,
    label_fps: float | None,
) -> list[Any]:
    """The images of `animate`, all of one palette."""
    image_module = import_optional("PIL.Image", extra="viz", purpose=_PURPOSE)
    palette = _palette(image_module)
    errors = None if true is None else _errors(future, true)
    total = len(past) + len(future)
    images = []
    with _default_style():
        figure = _figure(_SIDE, _SIDE, zoom=size / _SIDE)
        top, bottom = _SIDE - (48 if title is None else 72), 56
        axes = scene.axes(figure, (20, bottom, _SIDE - 40, top - bottom))
        behind, body = _Body(axes, scene, width=8, layer=2), _Body(axes, scene, width=5, layer=3)
        if title is not None:
            _text(figure, 16, _SIDE - 22, title, size=16, weight="bold")
        phase = _text(figure, 16, top + 24, "observed", size=15, weight="bold", color=OBSERVED)
        error = _text(figure, _SIDE - 16, top + 24, "", size=14, align="right")
        counter = _text(figure, _SIDE - 16, 32, "", size=13, align="right", color=_MUTED)
        _legend(figure, 16, 32, with_truth=true is not None)
        fill_timeline = _timeline(figure, len(past) / total)
        for frame in range(total):
            step = frame - len(past)
            if step < 0:
                body.show(past[frame], dict.fromkeys(SIDES, OBSERVED))
            else:
                body.show(future[step], SIDES)
                phase.set(text=f"forecast {_horizon(step, label_fps)}", color=_FORECAST)
            if step >= 0 and true is not None and errors is not None:
                behind.show(true[step], dict.fromkeys(SIDES, TRUTH))
                error.set_text(f"mean error {errors[step]:.0f} {scene.skeleton.unit}")
            counter.set_text(f"frame {frame + 1}/{total}")
            fill_timeline((frame + 1) / total)
            figure.canvas.draw()
            pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
            images.append(image_module.fromarray(pixels).quantize(palette=palette, dither=image_module.Dither.NONE))
    return images


def _curves(
    results: Mapping[str, Sequence[float]],
    frames: list[int],
    protocol: str,
    label_fps: float | None,
    title: str | None,
    unit: str,
) -> Any:
    """The figure of `error_curve`."""
    width, height = 640, 400
    figure = _figure(width, height)
    lines = textwrap.wrap(protocol, 96)
    top = height - (28 if title is None else 52) - 16 * len(lines)
    axes = figure.add_axes((62 / width, 70 / height, (width - 86) / width, (top - 70) / height))
    if title is not None:
        _text(figure, 16, height - 24, title, size=16, weight="bold")
    for i, line in enumerate(reversed(lines)):
        _text(figure, 16, top + 22 + 16 * i, line, size=12, color=_MUTED)
    for i, (name, errors) in enumerate(results.items()):
        style = ("-", "--", ":", "-.")[i // len(CURVES) % 4]
        color = CURVES[i % len(CURVES)]
        axes.plot(frames, list(errors), color=color, linestyle=style, linewidth=2, marker="o", ms=5, label=name)
    axes.set_ylim(bottom=0)
    axes.set_facecolor(_BACKGROUND)
    ticks = _ticks(frames)
    axes.set_xticks(ticks, [str(tick) if label_fps is None else f"{tick}\n{_ms(tick, label_fps)}" for tick in ticks])
    below = "" if label_fps is None else f"; below it, ms at {label_fps:g} frames a second"
    axes.set_xlabel(f"forecast frame, counted from 0{below}", fontsize=13, color=_TEXT)
    axes.set_ylabel(f"MPJPE ({unit})", fontsize=13, color=_TEXT)
    axes.tick_params(labelsize=12, colors=_TEXT, length=0)
    axes.grid(visible=True, axis="y", color="#E3E3E3", linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#B0B0B0")
    axes.legend(frameon=False, fontsize=13, labelcolor=_TEXT)
    return figure


def _output(path: str | Path, suffix: str) -> Path:
    path = Path(path)
    if path.suffix != suffix:
        raise ConfigError(f"path: expected a file name that ends in {suffix}, got {path.name!r}. Rename it.")
    return path


def _check_label_fps(label_fps: float | None) -> None:
    if label_fps is not None and not label_fps > 0:
        raise ConfigError(f"label_fps: expected frames a second above 0, got {label_fps!r}. Leave it out for no ms.")


def _three(
    observed: Poses, forecast: Poses, truth: Poses | None, skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The three sequences as float64 arrays, checked."""
    past, future = _array("observed", observed, skeleton), _array("forecast", forecast, skeleton)
    if truth is None:
        return past, future, None
    true = _array("truth", truth, skeleton)
    if true.shape != future.shape:
        raise ShapeError("truth", f"the forecast's shape, {future.shape}", true.shape, "Give the frames it forecasts.")
    return past, future, true


def _array(what: str, poses: Poses, skeleton: Skeleton) -> np.ndarray:
    tensor = torch.from_numpy(np.array(poses, order="C")) if isinstance(poses, np.ndarray) else poses.detach().cpu()
    check_poses(
        what,
        tensor,
        frames=None,
        joints=skeleton.num_joints,
        batch=False,
        remedy=f"Draw one window with all joints of skeleton {skeleton.name!r}, or pass skeleton.reduced for the used.",
    )
    if len(tensor) == 0:
        raise ShapeError(what, "at least one frame", tuple(tensor.shape), "There is nothing to draw.")
    if not tensor.isfinite().all():
        raise DataError(f"{what}: expected finite positions, got NaN or infinity. Fill gaps first.")
    return tensor.double().numpy()


def _errors(forecast: np.ndarray, truth: np.ndarray) -> list[float]:
    return mpjpe_at(torch.from_numpy(forecast[None]), torch.from_numpy(truth[None])).tolist()


def _horizon(frame: int, label_fps: float | None) -> str:
    """Label of a forecast frame in pictures of poses."""
    label = f"+{frame + 1} frame" + ("s" if frame else "")
    return label if label_fps is None else f"{label} ({_ms(frame, label_fps)} ms)"


def _ms(frame: int, label_fps: float) -> str:
    """Time from the last observed frame to a forecast frame."""
    return f"{(frame + 1) * 1000 / label_fps:.0f}"


def _ticks(frames: Sequence[int]) -> list[int]:
    """The frames that have room for a label."""
    ticks: list[int] = []
    for frame in frames:
        if not ticks or frame - ticks[-1] >= (frames[-1] - frames[0]) / 14:
            ticks.append(frame)
    return ticks


@contextmanager
def _default_style() -> Generator[None]:
    """Matplotlib's own style inside, the program's again outside, so that pictures look the same everywhere."""
    matplotlib = import_optional("matplotlib", extra="viz", purpose=_PURPOSE)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def _matplotlib(module: str) -> Any:
    return import_optional(f"matplotlib.{module}", extra="viz", purpose=_PURPOSE)


def _figure(width: int, height: int, zoom: float = 1.0) -> Any:
    """A figure of a size in pixels, then zoomed; it belongs to no window, so nothing of pyplot is touched."""
    figures = _matplotlib("figure")
    canvases = _matplotlib("backends.backend_agg")
    figure = figures.Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI * zoom, facecolor=_BACKGROUND)
    canvases.FigureCanvasAgg(figure)
    return figure


def _text(
    figure: Any, x: float, y: float, text: str, *, size: float, align: str = "left", color: str = _TEXT, **style: Any
) -> Any:
    """Text at a place in pixels."""
    width, height = figure.get_size_inches() * _DPI
    return figure.text(x / width, y / height, text, fontsize=size, ha=align, va="center", color=color, **style)


def _legend(figure: Any, x: float, y: float, *, with_truth: bool) -> None:
    """Coloured dots with their meaning, in a row."""
    lines = _matplotlib("lines")
    width, height = figure.get_size_inches() * _DPI
    for name, color in {**SIDES, **({"truth": TRUTH} if with_truth else {})}.items():
        figure.add_artist(lines.Line2D([(x + 4) / width], [y / height], marker="o", ms=9, mew=0, color=color))
        label = _text(figure, x + 13, y, name, size=13, color=_MUTED)
        x += 13 + label.get_window_extent().width * _DPI / figure.dpi + 14


def _timeline(figure: Any, observed: float) -> Callable[[float], None]:
    """A bar along the bottom, observed and forecast part; returns what fills it up to a fraction."""
    patches = _matplotlib("patches")
    width, height = figure.get_size_inches() * _DPI
    left, full = 16 / width, (width - 32) / width

    def bar(color: str, start: float, end: float) -> Any:
        patch = patches.Rectangle(
            (left + full * start, 11 / height), full * (end - start), 4 / height, color=color, lw=0
        )
        return figure.add_artist(patch)

    bar(_GROUND, 0, 1)
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
        for color in (*SIDES.values(), OBSERVED, TRUTH, _GROUND, _FORECAST, _TEXT, _MUTED)
    ]
    colours = [white, *solid]
    # Pillow looks colours up in cells of 8 levels: a shade too near to a solid colour would replace it.
    for shade in (white + (rgb - white) * step / 12 for rgb in solid for step in range(1, 12)):
        if min(np.abs(shade - other).max() for other in colours) > 12:
            colours.append(shade)
    image = image_module.new("P", (1, 1))
    image.putpalette(np.array(colours).round().astype(np.uint8).tobytes())
    return image


def _save_png(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda file: figure.savefig(file, format="png", dpi=2 * _DPI))
    return path
