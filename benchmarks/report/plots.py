"""Pictures of results: curves on logarithmic axes, and bars, that can be told apart without colours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegraph._support.files import replace_file
from posegraph.viz import _style
from posegraph.viz._style import CURVES, MARGIN

Points = Sequence[tuple[float, float]]
_WIDTH = _style.WIDTH
_STYLES = [("o", "-"), ("s", "--"), ("^", ":"), ("D", "-."), ("v", "-"), (">", "--")]
_HATCHES = {"": "", " (hatched)": "////"}
"""Patterns of bars, by what the legend says of them."""
_ALONG, _BELOW, _LEFT, _GAP = 210, 50, 66, 22  # of curves, in pixels
_ROW, _NAMES, _RIGHT, _SCALE = 32, 170, 60, 44  # of bars


@dataclass(frozen=True)
class Panel:
    """Curves that share their axes."""

    title: str
    x_label: str
    curves: Mapping[str, Points]


def digest(content: Mapping[str, Any]) -> str:
    """What a picture carries to say which results it shows."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def curves(path: Path, panels: Sequence[Panel], *, title: str, notes: Sequence[str], y_label: str, mark: str) -> Path:
    """Write a PNG with panels side by side, of one height and scale, both axes logarithmic."""
    with _style.default_style():
        names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
        styles = {name: _curve(number) for number, name in enumerate(names)}
        figure = _figure(title, notes, _style.Legend(styles, _WIDTH, mark=30, color=_style.TEXT), _ALONG + _BELOW + 34)
        values = [y for panel in panels for points in panel.curves.values() for _, y in points]
        across = (_WIDTH - _LEFT - MARGIN - _GAP * (len(panels) - 1)) / len(panels)
        for number, panel in enumerate(panels):
            left = _LEFT + number * (across + _GAP)
            axes = _style.add_axes(figure, (left, _BELOW, across, _ALONG))
            for name, points in panel.curves.items():
                axes.plot(*zip(*points, strict=True), **styles[name])
            axes.set(xscale="log", yscale="log", ylim=(min(values) / 1.4, max(values) * 1.4))
            _decorate(axes, sorted({x for points in panel.curves.values() for x, _ in points}), with_scale=not number)
            _style.draw_text(figure, left, _BELOW + _ALONG + 14, panel.title, size=13, weight="bold")
            _style.draw_text(figure, left + across / 2, 14, panel.x_label, size=13, align="center")
        _style.draw_text(figure, MARGIN - 2, _BELOW + _ALONG / 2, y_label, size=13, align="center", rotation=90)
        return _save(figure, path, mark)


def bars(
    path: Path, values: Mapping[str, Mapping[str, float]], *, title: str, notes: Sequence[str], x_label: str, mark: str
) -> Path:
    """Write a PNG with a group of one or two horizontal bars for each name, on a logarithmic axis."""
    with _style.default_style():
        series = list(dict.fromkeys(key for group in values.values() for key in group))
        looks = dict(zip(series, zip(CURVES, _HATCHES.items(), strict=False), strict=False))
        meanings = {
            f"{key}{hatched}": {"color": color, "marker": "s", "ms": 9, "ls": ""}
            for key, (color, (hatched, _)) in looks.items()
        }
        along, across = _ROW * len(values), _WIDTH - _NAMES - _RIGHT
        figure = _figure(title, notes, _style.Legend(meanings, _WIDTH, color=_style.TEXT), along + _SCALE + 12)
        axes = _style.add_axes(figure, (_NAMES, _SCALE, across, along))
        thickness = 0.8 / len(series)
        for number, (key, (color, (_, hatch))) in enumerate(looks.items()):
            places = [place for place, group in enumerate(values.values()) if key in group]
            middles = [place + (number - (len(series) - 1) / 2) * thickness for place in places]
            widths = [group[key] for group in values.values() if key in group]
            drawn = axes.barh(middles, widths, thickness, color=color, hatch=hatch, edgecolor="white", linewidth=0)
            axes.bar_label(drawn, [_number(width) for width in widths], padding=4, fontsize=10, color=_style.TEXT)
        least = min(value for group in values.values() for value in group.values())
        axes.set(xscale="log", xlim=(least / 2, None), ylim=(len(values) - 0.5, -0.5))
        axes.set_yticks(range(len(values)), list(values))
        _plain_numbers(axes.xaxis, (1,))
        _look(axes, "x")
        _style.draw_text(figure, _NAMES + across / 2, 12, x_label, size=13, align="center")
        return _save(figure, path, mark)


def _figure(title: str, notes: Sequence[str], legend: _style.Legend, below: float) -> Any:
    """A figure with its title and legend, and room for so many pixels below them."""
    header = _style.Header(title, notes, _WIDTH)
    height = round(header.height + legend.height + below)
    figure = _style.new_figure(_WIDTH, height)
    header.draw(figure)
    legend.draw(figure, height - header.height - 2)
    return figure


def _curve(number: int) -> dict[str, Any]:
    marker, line = _STYLES[number % len(_STYLES)]
    colour = CURVES[number % len(CURVES)]
    return {"color": colour, "marker": marker, "ls": line, "lw": 2, "ms": 6, "mec": "white", "mew": 0.7}


def _decorate(axes: Any, ticks: Sequence[float], *, with_scale: bool) -> None:
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    _plain_numbers(axes.yaxis, (1, 2, 5))
    _look(axes, "y")
    axes.tick_params(labelleft=with_scale)
    axes.tick_params(axis="x", labelsize=10)


def _plain_numbers(axis: Any, multiples: Sequence[int]) -> None:
    """Label a logarithmic axis 10, 100, 1,000 rather than by powers, at these multiples of each."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=multiples))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    axis.set_minor_locator(NullLocator())


def _look(axes: Any, grid: str) -> None:
    axes.set_facecolor(_style.BACKGROUND)
    axes.tick_params(which="both", labelsize=12, colors=_style.TEXT, length=0)
    axes.grid(visible=True, axis=grid, color="#E3E3E3", linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left" if grid == "y" else "bottom"]].set_visible(False)
    axes.spines["bottom" if grid == "y" else "left"].set_color("#B0B0B0")


def _number(value: float) -> str:
    """A few significant digits, thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _save(figure: Any, path: Path, mark: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Description": mark}
    replace_file(path, lambda file: figure.savefig(file, format="png", dpi=2 * _style.DPI, metadata=metadata))
    return path
