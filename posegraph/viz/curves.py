"""Errors against the forecast frame."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posegraph.data import benchmarks
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import Result
from posegraph.viz import _labels, _style
from posegraph.viz._style import CURVES, MARGIN

Panels = Mapping[str, Mapping[str, Sequence[float]]]

_MARKERS = "os^Dv<>"  # one a colour, so that curves can be told apart without colours too
_LINES = ("-", "--", ":", "-.")


def error_curve(
    results: Mapping[str, Sequence[float]],
    path: str | Path,
    *,
    frames: Sequence[int],
    protocol: str,
    fps: float | None = None,
    label_fps: float | None = None,
    title: str | None = None,
    unit: str = "mm",
) -> Path:
    """Write a PNG with the error of several models against the forecast frame.

    For numbers from anywhere, such as those of papers. `error_panels` draws results of `posegraph.evaluation`.

    Args:
        results: Errors by model, one a frame, as in ``Result.errors``.
        path: File to create or replace, ``.png``; missing folders are made.
        frames: Forecast frames that the errors belong to, counted from 0, in rising order.
        protocol: What the errors hold for, drawn with them; ``Protocol.describe()`` gives it.
        fps: Frames a second behind the times of the picture; without it only frames are counted.
        label_fps: Frame rate that published tables assume; where it differs, their label stands beside the time.
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
    path = _style.check_path(path, ".png")
    rate = _labels.Rate(fps, label_fps)
    if not results:
        raise ConfigError("results: expected the errors of at least one model, got none.")
    _labels.check_rising(frames)
    for name, errors in results.items():
        if len(errors) != len(frames):
            raise ConfigError(
                f"results: expected {len(frames)} errors of {name!r}, one a frame, got {len(errors)}. Pass the frames "
                "that they belong to."
            )
    with _style.default_style():
        return _style.save_png(_figure({"": results}, list(frames), [protocol], rate, title, unit), path)


def error_panels(
    results: Mapping[str, Result],
    path: str | Path,
    *,
    actions: Sequence[str] | None = None,
    title: str | None = None,
) -> Path:
    """Write a PNG with a panel for each action: the errors of several models against the forecast frame.

    All panels have one scale. Results of different protocols are refused, since their errors cannot be compared.

    Args:
        results: Results by model, as `posegraph.evaluation.evaluate` gives them.
        path: File to create or replace, ``.png``; missing folders are made.
        actions: Actions to draw, ``"mean"`` for the mean over all actions of the results. By default all of them, and
            the mean if there are several.
        title: Line above the picture.

    Returns:
        The path.

    Raises:
        ConfigError: There are no results, or their protocols differ in more than the number of observed frames, or
            frames do not rise.
        UnknownNameError: The results do not have one of the actions.
        MissingDependencyError: The extra ``viz`` is not installed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from posegraph import data, registry, viz
        >>> from posegraph.evaluation import evaluate
        >>> clips = data.load("cmu", "samples", split="test", actions=["running", "walking"])
        >>> result = evaluate(registry.build("zero-velocity", skeleton="cmu"), clips)
        >>> with TemporaryDirectory() as folder:
        ...     path = viz.error_panels({"zero-velocity": result}, f"{folder}/panels.png")
        ...     path.name
        'panels.png'
    """
    path = _style.check_path(path, ".png")
    if not results:
        raise ConfigError("results: expected that of at least one model, got none.")
    _check_comparable(results)
    first = next(iter(results.values()))
    measured = list(first.actions)
    chosen = list(actions) if actions else [*measured, "mean"] if len(measured) > 1 else measured
    for action in chosen:
        if action not in (*measured, "mean"):
            raise UnknownNameError("action of the results", action, [*measured, "mean"])
    panels = {
        f"mean of {len(measured)}" if action == "mean" else action: {
            name: result.errors if action == "mean" else result.actions[action].errors
            for name, result in results.items()
        }
        for action in chosen
    }
    protocol = first.protocol
    _labels.check_rising(protocol.frames)
    notes = [protocol.describe(), *_observed(results)]
    if first.missing:
        notes.append(f"clips missing, left out of the mean: {', '.join(first.missing)}")
    with _style.default_style():
        figure = _figure(panels, list(protocol.frames), notes, _rate(protocol), title, protocol.unit)
        return _style.save_png(figure, path)


def _rate(protocol: Protocol) -> _labels.Rate:
    """The true rate: a benchmark's own where tables assume another, else that of the labels."""
    label_fps = protocol.label_fps
    if label_fps is None or protocol.dataset not in benchmarks.names():
        return _labels.Rate(label_fps, label_fps)
    known = benchmarks.get(protocol.dataset).benchmark()
    return _labels.Rate(label_fps * known.native_fps / known.assumed_fps, label_fps)


def _check_comparable(results: Mapping[str, Result]) -> None:
    """Require one protocol and the same actions; models may observe different numbers of frames."""
    name, first = next(iter(results.items()))
    for other, result in results.items():
        ours, theirs = (
            {**dataclasses.asdict(one.protocol), "observed_frames": None, "actions": tuple(one.actions)}
            for one in (first, result)
        )
        different = [f"{key} {theirs[key]} where {name!r} has {ours[key]}" for key in ours if ours[key] != theirs[key]]
        if different:
            raise ConfigError(
                f"results: expected one protocol, but {other!r} has {'; '.join(different)}. Evaluate all models under "
                "the same protocol."
            )


def _observed(results: Mapping[str, Result]) -> list[str]:
    """What to say if models observe different numbers of frames."""
    frames = {name: result.protocol.observed_frames for name, result in results.items()}
    if len(set(frames.values())) == 1:
        return []
    return ["observed frames: " + ", ".join(f"{name} {count}" for name, count in frames.items())]


def _figure(
    panels: Panels, frames: list[int], notes: Sequence[str], rate: _labels.Rate, title: str | None, unit: str
) -> Any:
    """Panels in rows of at most three, of one scale."""
    single = len(panels) == 1
    columns = math.ceil(len(panels) / math.ceil(len(panels) / 3))
    rows = math.ceil(len(panels) / columns)
    width = 640 if single else _style.WIDTH
    models = list(next(iter(panels.values())))
    styles = {name: _curve_style(i) for i, name in enumerate(models)}
    header = _style.Header(title, [*notes, *rate.notes(frames[-1])], width)
    legend = _style.Legend(styles, width, mark=26, color=_style.TEXT)
    left, gap, below = 62, 14, 46 if rate.fps else 32
    across = (width - left - MARGIN - gap * (columns - 1)) / columns
    along = 250 if single else min(170, across)
    row = along + below + (26 if any(panels) else 8)  # with or without names
    height = round(header.height + legend.height + rows * row + 30)
    figure = _style.new_figure(width, height)
    header.draw(figure)
    legend.draw(figure, height - header.height - 2)
    highest = max(max(errors) for panel in panels.values() for errors in panel.values())
    for i, (name, panel) in enumerate(panels.items()):
        x = left + (i % columns) * (across + gap)
        y = height - header.height - legend.height - (i // columns + 1) * row + below
        axes = _style.add_axes(figure, (x, y, across, along))
        for model, errors in panel.items():
            axes.plot(frames, list(errors), label=model, **styles[model])
        axes.set_ylim(0, highest * 1.06 or 1)
        _decorate(axes, frames, rate.fps, across, with_scale=i % columns == 0)
        if name:
            _style.draw_text(figure, x, y + along + 12, name, size=13, weight="bold")
    caption = "forecast frame, counted from 0"
    if rate.fps:
        caption += f"; below it, ms at {rate.fps:g} frames a second"
    _style.draw_text(figure, left + (width - left - MARGIN) / 2, 17, caption, size=13, align="center")
    quantity = "angle error (rad)" if unit == "rad" else f"MPJPE ({unit})"
    middle = height - header.height - legend.height - (rows * row) / 2
    _style.draw_text(figure, MARGIN, middle, quantity, size=13, align="center", rotation=90)
    return figure


def _curve_style(number: int) -> dict[str, Any]:
    """Colour, marker and line of a curve; the line changes once the colours are used up."""
    i = number % len(CURVES)
    line = _LINES[number // len(CURVES) % len(_LINES)]
    return {"color": CURVES[i], "marker": _MARKERS[i], "ls": line, "lw": 2, "ms": 6, "mec": "white", "mew": 0.7}


def _decorate(axes: Any, frames: list[int], fps: float | None, width: float, *, with_scale: bool) -> None:
    """Ticks, grid and frame of a panel that is so many pixels wide."""
    ticks = _labels.ticks(frames, most=int(width / 34))
    texts = [str(t) if fps is None else f"{t}\n{_labels.milliseconds(t, fps)}" for t in ticks]
    axes.set_xticks(ticks, texts)
    axes.set_facecolor(_style.BACKGROUND)
    axes.tick_params(labelsize=12, colors=_style.TEXT, length=0, labelleft=with_scale)
    axes.grid(visible=True, axis="y", color="#E3E3E3", linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#B0B0B0")
