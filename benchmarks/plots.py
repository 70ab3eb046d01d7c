"""Pictures of results: curves on logarithmic axes, and bars, that can be told apart without colours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegraph._files import replace_file
from posegraph.viz import _style
from posegraph.viz._style import CURVES, MARGIN

Points = Sequence[tuple[float, float]]
_STYLES = [("o", "-"), ("s", "--"), ("^", ":"), ("D", "-."), ("v", "-"), (">", "--")]
_HATCHES = ("", "////")
_ALONG, _BELOW, _LEFT, _GAP = 210, 50, 66, 22


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
        width = _style.WIDTH
        names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
        styles = {name: _curve(number) for number, name in enumerate(names)}
        header, legend = _style.Header(title, notes, width), _style.Legend(styles, width, mark=30, color=_style.TEXT)
        height = round(header.height + legend.height + _ALONG + _BELOW + 34)
        figure = _style.new_figure(width, height)
        header.draw(figure)
        legend.draw(figure, height - header.height - 2)
        values = [y for panel in panels for points in panel.curves.values() for _, y in points]
        across = (width - _LEFT - MARGIN - _GAP * (len(panels) - 1)) / len(panels)
        for number, panel in enumerate(panels):
            x = _LEFT + number * (across + _GAP)
            axes = _style.add_axes(figure, (x, _BELOW, across, _ALONG))
            for name, points in panel.curves.items():
                axes.plot(*zip(*points, strict=True), **styles[name])
            axes.set(xscale="log", yscale="log", ylim=(min(values) / 1.4, max(values) * 1.4))
            _decorate(axes, sorted({x for points in panel.curves.values() for x, _ in points}), with_scale=not number)
            _style.draw_text(figure, x, _BELOW + _ALONG + 14, panel.title, size=13, weight="bold")
            _style.draw_text(figure, x + across / 2, 14, panel.x_label, size=13, align="center")
        _style.draw_text(figure, MARGIN - 2, _BELOW + _ALONG / 2, y_label, size=13, align="center", rotation=90)
        return _save(figure, path, mark)


def bars(
    path: Path, values: Mapping[str, Mapping[str, float]], *, title: str, notes: Sequence[str], x_label: str, mark: str
) -> Path:
    """Write a PNG with a group of horizontal bars for each name, one a series, on a logarithmic axis."""
    with _style.default_style():
        width, row, left = _style.WIDTH, 32, 170
        series = list(dict.fromkeys(key for group in values.values() for key in group))
        legend = _style.Legend(
            {
                f"{key} (hatched)" if _HATCHES[i] else key: {"color": CURVES[i], "marker": "s", "ms": 9, "ls": ""}
                for i, key in enumerate(series)
            }, width,
            color=_style.TEXT,
        )  # fmt: skip
        header = _style.Header(title, notes, width)
        along = row * len(values)
        height = round(header.height + legend.height + along + 56)
        figure = _style.new_figure(width, height)
        header.draw(figure)
        legend.draw(figure, height - header.height - 2)
        axes = _style.add_axes(figure, (left, 44, width - left - 60, along))
        thickness = 0.8 / len(series)
        for i, key in enumerate(series):
            for place, group in enumerate(values.values()):
                if key not in group:
                    continue
                y = place + (i - (len(series) - 1) / 2) * thickness
                axes.barh(y, group[key], thickness, color=CURVES[i], hatch=_HATCHES[i], edgecolor="white", linewidth=0)
                axes.annotate(_number(group[key]), (group[key], y), (4, 0), textcoords="offset points", fontsize=10,
                              va="center", color=_style.TEXT)  # fmt: skip
        lowest = min(value for group in values.values() for value in group.values())
        axes.set(xscale="log", xlim=(lowest / 2, None), ylim=(len(values) - 0.5, -0.5))
        axes.set_yticks(range(len(values)), list(values))
        _plain_numbers(axes.xaxis, (1,))
        _look(axes, "x")
        _style.draw_text(figure, left + (width - left - 60) / 2, 12, x_label, size=13, align="center")
        return _save(figure, path, mark)


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
