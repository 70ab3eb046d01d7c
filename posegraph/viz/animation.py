"""Motion and forecasts as animated pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from posegraph._support.checks import check_positive
from posegraph._support.files import replace_file
from posegraph.errors import ConfigError
from posegraph.skeleton.root import RootMotion
from posegraph.viz import _style
from posegraph.viz._scene import Body, Floor, Scene
from posegraph.viz._style import DARK, LIGHT, MARGIN, Theme
from posegraph.viz._timeline import Motion, Timeline, Window, timeline

__all__ = ["AnimationOptions", "animate"]

_STEP = 40  # ms a picture: GIF counts in hundredths of a second, and browsers play less than 20 ms at 10 a second
_HOLD = 1000  # ms, of the last picture
_PANEL = (320, 360)  # width and height of a body's panel in the layout


@dataclass(frozen=True)
class AnimationOptions:
    """How an animation looks.

    Args:
        speed: 1 for true speed; 0.5 takes twice as long, and says so.
        zero_velocity: Show the baseline that holds the last observed pose beside the forecasts.
        dark: Colours for a dark page.
        height: Height in pixels.
        azimuth: Degrees that the camera is turned from the body's front towards its left.
        elevation: Degrees that the camera is raised.
        head: Joint to draw a head at; by default the one named "Head", if there is one.

    Raises:
        ConfigError: A setting cannot work.
    """

    speed: float = 1.0
    zero_velocity: bool = True
    dark: bool = False
    height: int = 480
    azimuth: float = 40.0
    elevation: float = 12.0
    head: str | None = None

    def __post_init__(self) -> None:
        check_positive(height=self.height)
        if not 0 < self.speed <= 100:
            raise ConfigError(f"speed: expected a number above 0, 1 for true speed, got {self.speed!r}.")


def animate(
    motion: Motion,
    path: str | Path,
    *,
    title: str | None = None,
    root: RootMotion | None = None,
    options: AnimationOptions | None = None,
) -> Path:
    """Write an animated GIF that plays at true speed: observed poses, then forecasts over the true poses.

    Models stand side by side, zero velocity beside them. Poses between frames are interpolated, so that the animation
    takes as long as the motion did whatever its frame rate.

    Args:
        motion: A recording, a forecast, or forecasts by model. A model may have several forecasts of one clip, each is
            then shown until the next one begins.
        path: File to create or replace, ``.gif``; missing folders are made.
        title: Line above the picture.
        root: The way of the root over the frames of the clip that was forecast, as in ``clip.root``: the body then
            moves through space, forecasts along the true way too. A recording brings its own.
        options: How it looks.

    Returns:
        The path.

    Raises:
        ConfigError: The file name has another ending, or forecasts do not go together.
        ShapeError: Poses do not fit the skeleton or each other, or ``root`` is too short.
        DataError: A position is not finite, or forecasts are not of one recording.
        UnknownNameError: The skeleton has no joint of the head's name.
        MissingDependencyError: The extra ``viz`` is not installed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from posegraph import data, registry, viz
        >>> from posegraph.forecast import forecast_clip
        >>> walking = data.load("cmu", "samples", split="test", actions=["walking"]).clips["test"][0]
        >>> result = forecast_clip(registry.build("zero-velocity", skeleton="cmu", future_frames=2), walking, start=40)
        >>> with TemporaryDirectory() as folder:
        ...     path = viz.animate({"zero velocity": result}, f"{folder}/walking.gif", root=walking.root)
        ...     path.name
        'walking.gif'
    """
    path = _style.check_path(path, ".gif")
    options = options or AnimationOptions()
    line = timeline(motion, root)
    images = _Film(line.with_zero_velocity() if options.zero_velocity else line, options, title).images()
    # Rounding the times, not the durations, keeps the speed right.
    length = (line.num_frames - 1) / line.fps / options.speed * 1000
    times = [*(min(i * _STEP, round(length / 10) * 10) for i in range(len(images)))]
    durations = [after - before for before, after in pairwise(times)] + [_HOLD]
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(
        path,
        lambda file: images[0].save(
            file, format="GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=False
        ),
    )
    return path


class _Film:
    """The pictures of an animation."""

    def __init__(self, line: Timeline, options: AnimationOptions, title: str | None) -> None:
        self.line, self.options, self.title = line, options, title
        self.theme = DARK if options.dark else LIGHT

    @cached_property
    def frames(self) -> list[float]:
        """The frame of each picture; frames between two are interpolated, and the last one is the motion's last."""
        last = self.line.num_frames - 1
        a_picture = self.line.fps * self.options.speed * _STEP / 1000
        count = int(np.ceil(last / a_picture - 1e-9)) if last else 0
        return [min(i * a_picture, last) for i in range(count + 1)]

    @cached_property
    def way(self) -> np.ndarray:
        """What the camera follows, ``(frames, 3)``: the root over about a second, without its ups and downs."""
        line, skeleton = self.line, self.line.skeleton
        root = line.in_world(line.known, 0)[:, skeleton.root]
        half = max(round(line.fps / 2), 1)
        last = np.repeat(root[-1:], line.num_frames - len(root) + half, axis=0)
        padded = np.concatenate([np.repeat(root[:1], half, axis=0), root, last])
        smooth = np.stack([padded[i : i + 2 * half + 1].mean(axis=0) for i in range(line.num_frames)])
        smooth[:, "xyz".index(skeleton.up)] = 0.0
        return smooth if line.root is not None else np.zeros_like(smooth)

    def placed(self, poses: np.ndarray, start: int) -> np.ndarray:
        """Poses from a frame on as the camera that follows the root sees them."""
        return self.line.in_world(poses, start) - self.way[start : start + len(poses), None]

    def images(self) -> list[Any]:
        """All pictures, of one palette."""
        line, theme = self.line, self.theme
        known = self.placed(line.known, 0)
        windows = {
            name: {window.now: self.placed(window.poses, window.now) for window in own}
            for name, own in line.models.items()
        }
        every = (known, *(poses for own in windows.values() for poses in own.values()))
        options = self.options
        scene = Scene(line.skeleton, every, line.heading + options.azimuth, options.elevation, options.head)
        image_module = _style.optional("PIL.Image")
        palette = _palette(image_module, theme)
        with _style.default_style():
            figure, panels = self._figure(scene)
            bar = _Bar(figure, line, theme)
            images: list[Any] = []
            for frame in self.frames:
                true = _between(known, frame) if frame <= len(known) - 1 else None
                for panel in panels:
                    shown = line.at(panel.name, frame) if panel.name in windows else None
                    pose = None if shown is None else _between(windows[panel.name][shown[0].now], shown[1])
                    panel.show(pose, true, shown)
                    panel.floor.show(_between(self.way[:, None], frame)[0])
                bar.show(frame)
                figure.canvas.draw()
                pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
                images.append(image_module.fromarray(pixels).quantize(palette=palette, dither=image_module.Dither.NONE))
        return images

    def _figure(self, scene: Scene) -> tuple[Any, list[_Panel]]:
        theme, names = self.theme, list(self.line.models) or [""]
        title = 0 if self.title is None else 30
        width, height = max(_PANEL[0] * len(names), 440), _PANEL[1] + 88 + title
        figure = _style.new_figure(width, height, zoom=self.options.height / height)
        figure.set_facecolor(theme.background)
        if self.title is not None:
            _style.draw_text(figure, MARGIN, height - 24, self.title, size=17, weight="bold", color=theme.text)
        column = width / len(names)
        box_height = _PANEL[1] - 30
        panels = [
            _Panel(figure, (i * column, 64, column, box_height), scene, name, theme) for i, name in enumerate(names)
        ]
        colours: dict[str, str] = {}
        if self.line.models:
            has_truth = len(self.line.known) > self.line.now
            colours = {**theme.sides, **({"truth": theme.truth} if has_truth else {})}
        marks = {name: {"color": c, "marker": "o", "ms": 9, "mew": 0, "ls": ""} for name, c in colours.items()}
        _style.Legend(marks, width, color=theme.muted).draw(figure, 46)
        if self.options.speed != 1:
            speed = f"{self.options.speed:g} of true speed"
            _style.draw_text(figure, width - MARGIN, 58, speed, size=12, align="right", color=theme.muted)
        return figure, panels


class _Panel:
    """One model's bodies, its name and its error."""

    def __init__(
        self, figure: Any, box: tuple[float, float, float, float], scene: Scene, name: str, theme: Theme
    ) -> None:
        self.name, self.theme, self.unit = name, theme, scene.skeleton.unit
        axes = scene.axes(figure, (box[0] + 10, box[1], box[2] - 20, box[3]), ground=theme.ground)
        self.floor = Floor(axes, scene, theme.grid)
        self.behind, self.body = Body(axes, scene, width=8, layer=3), Body(axes, scene, width=5, layer=4)
        top = box[1] + box[3] + 14
        _style.draw_text(figure, box[0] + MARGIN, top, name, size=14, weight="bold", color=theme.text)
        self.error = _style.draw_text(
            figure, box[0] + box[2] - MARGIN, top, "", size=14, align="right", color=theme.text
        )

    def show(self, pose: np.ndarray | None, true: np.ndarray | None, shown: tuple[Window, float] | None) -> None:
        """A forecast over the true pose, or what was observed."""
        theme = self.theme
        self.behind.hide()
        self.body.hide()
        if pose is not None:
            self.body.show(pose, theme.sides)
            if true is not None:
                self.behind.show(true, theme.all(theme.truth))
        elif true is not None:
            self.body.show(true, theme.all(theme.observed))
        errors = None if shown is None else shown[0].errors
        text = "" if shown is None or errors is None else f"error {errors[int(shown[1] + 1e-6)]:.0f} {self.unit}"
        self.error.set_text(text)


class _Bar:
    """The time line along the bottom, and the time above it."""

    def __init__(self, figure: Any, line: Timeline, theme: Theme) -> None:
        self.line, self.theme = line, theme
        width, height = figure.get_size_inches() * _style.DPI
        self.left, self.full = MARGIN / width, (width - 2 * MARGIN) / width
        self.height = height
        self.figure = figure
        self._part(theme.ground, 0, line.num_frames)
        self.seen = self._part(theme.observed, 0, 0)
        self.ahead = self._part(theme.accent, line.now, line.now)
        starts = {window.now for own in line.models.values() for window in own}
        for now in sorted(starts)[1:]:
            self._part(theme.background, now, now + 0.004 * line.num_frames, layer=3)
        self.time = _style.draw_text(figure, width - MARGIN, 35, "", size=13, align="right", color=theme.muted)

    def _part(self, color: str, start: float, end: float, layer: int = 1) -> Any:
        patches = _style.optional("matplotlib.patches")
        place = (self.left + self.full * start / self.line.num_frames, 10 / self.height)
        size = self.full * (end - start) / self.line.num_frames, 5 / self.height
        return self.figure.add_artist(patches.Rectangle(place, *size, color=color, lw=0, zorder=layer))

    def show(self, frame: float) -> None:
        """Fill the line up to a frame and say its time."""
        line = self.line
        done, unit = frame + 1, self.full / line.num_frames
        self.seen.set_width(unit * min(done, line.now))
        self.ahead.set_width(unit * max(done - line.now, 0))
        shown = line.at(next(iter(line.models)), frame) if line.models else None
        if shown is not None:
            lead = (int(shown[1] + 1e-6) + 1) * 1000 / line.fps
            self.time.set(text=f"forecast +{lead:.0f} ms", color=self.theme.accent)
        else:
            text = f"{frame / line.fps:.2f} s" if not line.models else "observed" if frame < line.now else ""
            self.time.set(text=text, color=self.theme.observed)


def _between(poses: np.ndarray, frame: float) -> np.ndarray:
    """The pose at a frame that may have a fraction."""
    first = int(frame)
    second = min(first + 1, len(poses) - 1)
    return poses[first] + (poses[second] - poses[first]) * (frame - first)


def _palette(image_module: Any, theme: Theme) -> Any:
    """The colours of an animation and what anti-aliasing mixes of them with the background, the same throughout."""
    background = _rgb(theme.background)
    solid = [_rgb(color) for color in theme.colours]
    colours = [background, *solid]
    # Pillow looks colours up in cells of 8 levels: a shade too near to a solid colour would replace it.
    for shade in (background + (rgb - background) * step / 12 for rgb in solid for step in range(1, 12)):
        if len(colours) < 256 and min(np.abs(shade - other).max() for other in colours) > 12:
            colours.append(shade)
    image = image_module.new("P", (1, 1))
    image.putpalette(np.array(colours).round().astype(np.uint8).tobytes())
    return image


def _rgb(color: str) -> np.ndarray:
    return np.array([float(int(color[i : i + 2], 16)) for i in (1, 3, 5)])
