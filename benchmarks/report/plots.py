"""How pictures of results are drawn: curves and bars that can be told apart without colours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegraph.viz import CURVES

Points = Sequence[tuple[float, float]]
_WIDTH, _DPI = 800 / 72, 144  # inches and pixels an inch, so that a point of a font is a pixel of an 800-pixel picture
_TEXT = "#222222"
_STYLES = [("o", "-"), ("s", "--"), ("^", ":"), ("D", "-."), ("v", "-"), (">", "--")]
_HATCHES = ("", "////")
_SETTINGS = {
    "font.size": 12,
    "text.color": _TEXT,
    "axes.labelcolor": _TEXT,
    "xtick.color": _TEXT,
    "ytick.color": _TEXT,
    "axes.edgecolor": "#B0B0B0",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "lines.linewidth": 2,
    "lines.markersize": 7,
}


@dataclass(frozen=True)
class Panel:
    """Curves that share their axes."""

    title: str
    x_label: str
    curves: Mapping[str, Points]


def digest(content: Any) -> str:
    """What a picture carries to say which results it shows."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def curves(
    path: Path,
    panels: Sequence[Panel],
    *,
    title: str,
    note: str,
    y_label: str,
    mark: str,
    of_sizes: bool = True,
) -> Path:
    """Write a PNG with panels side by side that share their vertical axis; the horizontal one is logarithmic.

    Curves of sizes have a tick at each of them, and a logarithmic vertical axis; others share the horizontal axis too.
    """
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    looks = {
        name: {"color": CURVES[i % len(CURVES)], "marker": marker, "ls": line, "mec": "white", "mew": 0.7}
        for i, name in enumerate(names)
        for marker, line in [_STYLES[i % len(_STYLES)]]
    }
    with _figure(path, 340 + 16 * ((len(names) + 2) // 3), title, note, mark) as figure:
        all_axes = figure.subplots(1, len(panels), sharex=not of_sizes, sharey=True, squeeze=False)[0]
        for axes, panel in zip(all_axes, panels, strict=True):
            axes.set(xscale="log", yscale="log" if of_sizes else "linear", xlabel=panel.x_label)
            axes.set_title(panel.title, fontsize=13, loc="left", weight="bold")
            for name, points in panel.curves.items():
                axes.plot(*zip(*points, strict=True), **looks[name])
            if of_sizes:
                sizes = sorted({x for points in panel.curves.values() for x, _ in points})
                axes.set_xticks(sizes, [f"{size:g}" for size in sizes], fontsize=10)
                axes.set_xticks([], minor=True)
                _plain_numbers(axes.yaxis)
            axes.grid(visible=True, axis="y")
        if not of_sizes:
            _plain_numbers(all_axes[0].xaxis)
        all_axes[0].set_ylabel(y_label)
        handles = [all_axes[0].plot([], [], label=name, **look)[0] for name, look in looks.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return path


def bars(
    path: Path, values: Mapping[str, Mapping[str, float]], *, title: str, note: str, x_label: str, mark: str
) -> Path:
    """Write a PNG with a group of one or two horizontal bars for each name, on a logarithmic axis."""
    series = list(dict.fromkeys(key for group in values.values() for key in group))
    with _figure(path, 110 + 34 * len(values), title, note, mark) as figure:
        axes = figure.add_subplot()
        thickness = 0.8 / len(series)
        for number, key in enumerate(series):
            places = [place for place, group in enumerate(values.values()) if key in group]
            widths = [group[key] for group in values.values() if key in group]
            middles = [place + (number - (len(series) - 1) / 2) * thickness for place in places]
            look = {"color": CURVES[number], "hatch": _HATCHES[number], "edgecolor": "white", "linewidth": 0}
            drawn = axes.barh(middles, widths, thickness, label=key, **look)
            axes.bar_label(drawn, [_number(width) for width in widths], padding=4, fontsize=10)
        least = min(value for group in values.values() for value in group.values())
        axes.set(xscale="log", xlim=(least / 2, None), ylim=(len(values) - 0.5, -0.5), xlabel=x_label)
        axes.set_yticks(range(len(values)), list(values))
        _plain_numbers(axes.xaxis)
        axes.grid(visible=True, axis="x")
        axes.legend(loc="lower right", framealpha=1, edgecolor="white")
    return path


@contextmanager
def _figure(path: Path, height: float, title: str, note: str, mark: str) -> Generator[Any]:
    """A figure of a height in pixels with title and note; afterwards it is written. No setting of matplotlib stays."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        figure = Figure(figsize=(_WIDTH, height / 72), dpi=_DPI, layout="constrained")
        figure.suptitle(f"{title}\n{note}", x=0.01, ha="left", fontsize=13)
        yield figure
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Description": mark})


def _plain_numbers(axis: Any) -> None:
    """Label a logarithmic axis 1, 2, 5, 10, ... 1,000 rather than by powers; wide ranges by tens alone."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1e3 else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    axis.set_minor_locator(NullLocator())


def _number(value: float) -> str:
    """A few significant digits, thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
