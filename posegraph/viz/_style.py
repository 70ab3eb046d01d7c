"""How all pictures look, and how they come to be drawn without touching matplotlib's settings."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegraph._support.checks import import_optional
from posegraph._support.files import replace_file
from posegraph.errors import ConfigError
from posegraph.skeleton.skeleton import Side

SIDES: Mapping[Side, str] = {"left": "#0072B2", "right": "#D55E00", "centre": "#009E73"}
"""Colours of a forecast's bones, by side of the body."""
OBSERVED = "#4A4A4A"
"""Colour of observed poses."""
TRUTH = "#C4C4C4"
"""Colour of true poses."""
CURVES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of curves, in the order that they are given out."""

GROUND, BACKGROUND, TEXT, MUTED = "#F1F1F1", "#FFFFFF", "#222222", "#767676"


@dataclass(frozen=True)
class Theme:
    """Colours of an animation, for light or for dark pages."""

    sides: Mapping[Side, str]
    observed: str
    truth: str
    ground: str
    grid: str
    background: str
    text: str
    muted: str
    accent: str
    """Of the time line; not a colour of a side."""

    def all(self, color: str) -> dict[Side, str]:
        """One colour for all sides of the body."""
        return dict.fromkeys(self.sides, color)

    @property
    def colours(self) -> tuple[str, ...]:
        """All of them but the background."""
        others = (self.observed, self.truth, self.ground, self.grid, self.text, self.muted, self.accent)
        return (*self.sides.values(), *others)


LIGHT = Theme(SIDES, OBSERVED, TRUTH, GROUND, "#DCDCDC", BACKGROUND, TEXT, MUTED, "#7A4FA3")
_SIDES_ON_DARK: Mapping[Side, str] = {"left": "#56B4E9", "right": "#F58A42", "centre": "#35C79B"}
DARK = Theme(_SIDES_ON_DARK, "#B6BFCB", "#5B6675", "#1D232B", "#343D49", "#0F1216", "#E9ECF1", "#98A2B1", "#A98BD6")

WIDTH = 800  # of wide pictures, in pixels of the layout
MARGIN = 16
DPI = 72  # makes a point, the unit of line widths and font sizes, one pixel of a layout
_PURPOSE = "posegraph.viz"


def optional(module: str) -> Any:
    """A module of the extra ``viz``."""
    return import_optional(module, extra="viz", purpose=_PURPOSE)


def check_path(path: str | Path, suffix: str) -> Path:
    """Require a file name with a suffix."""
    path = Path(path)
    if path.suffix != suffix:
        raise ConfigError(f"path: expected a file name that ends in {suffix}, got {path.name!r}. Rename it.")
    return path


@contextmanager
def default_style() -> Generator[None]:
    """Matplotlib's own style inside, the program's again outside, so that pictures look the same everywhere."""
    matplotlib = optional("matplotlib")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def new_figure(width: int, height: int, zoom: float = 1.0) -> Any:
    """A figure of a size in pixels, then zoomed; it belongs to no window, so nothing of pyplot is touched."""
    figures = optional("matplotlib.figure")
    canvases = optional("matplotlib.backends.backend_agg")
    figure = figures.Figure(figsize=(width / DPI, height / DPI), dpi=DPI * zoom, facecolor=BACKGROUND)
    canvases.FigureCanvasAgg(figure)
    return figure


def add_axes(figure: Any, box: tuple[float, float, float, float]) -> Any:
    """Axes in a box: left, bottom, width, height in pixels."""
    total_width, total_height = figure.get_size_inches() * DPI
    left, bottom, width, height = box
    return figure.add_axes((left / total_width, bottom / total_height, width / total_width, height / total_height))


def draw_text(
    figure: Any, x: float, y: float, text: str, *, size: float, align: str = "left", color: str = TEXT, **style: Any
) -> Any:
    """Text at a place in pixels."""
    width, height = figure.get_size_inches() * DPI
    return figure.text(x / width, y / height, text, fontsize=size, ha=align, va="center", color=color, **style)


def text_width(text: str, size: float, **style: Any) -> float:
    """Width of a line of text in pixels; ask within `default_style`."""
    figure = new_figure(1, 1)
    return figure.text(0, 0, text, fontsize=size, **style).get_window_extent().width


def wrap(text: str, width: float, size: float, **style: Any) -> list[str]:
    """Lines of text that are at most so many pixels wide, as far as its spaces and hyphens allow."""
    lines = [""]
    for piece in re.split(r"(?<= )|(?<=\w-)(?=\w)", text):
        if lines[-1] and text_width((lines[-1] + piece).rstrip(), size, **style) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


class Header:
    """What stands above a picture: a title if there is one, and small print such as the protocol.

    Args:
        title: First line; wrapped where it is too long.
        notes: Small print, each from a line of its own.
        width: Width of the picture in pixels.
    """

    def __init__(self, title: str | None, notes: Sequence[str], width: float) -> None:
        room = width - 2 * MARGIN
        self.title = [] if title is None else wrap(title, room, 16, weight="bold")
        self.notes = [line for note in notes for line in wrap(note, room, 12)]
        self.height = 8 + 22 * len(self.title) + 16 * len(self.notes)

    def draw(self, figure: Any) -> None:
        """Draw from the upper edge down."""
        y = figure.get_size_inches()[1] * DPI - 8
        for line in self.title:
            draw_text(figure, MARGIN, y - 11, line, size=16, weight="bold")
            y -= 22
        for line in self.notes:
            draw_text(figure, MARGIN, y - 8, line, size=12, color=MUTED)
            y -= 16


class Legend:
    """Marks with their meaning, in rows.

    Args:
        entries: Meaning to the mark's style, as `matplotlib.lines.Line2D` takes it.
        width: Width of the picture in pixels.
        mark: Width of a mark in pixels.
        color: Colour of the text.
    """

    def __init__(
        self, entries: Mapping[str, Mapping[str, Any]], width: float, *, mark: float = 9, color: str = MUTED
    ) -> None:
        self.mark, self.color = mark, color
        self.rows: list[list[tuple[float, str, Mapping[str, Any]]]] = [[]]
        x = float(MARGIN)
        for name, style in entries.items():
            needed = mark + 5 + text_width(name, 13)
            if self.rows[-1] and x + needed > width - MARGIN:
                self.rows.append([])
                x = float(MARGIN)
            self.rows[-1].append((x, name, style))
            x += needed + 16
        self.height = 22 * len(self.rows)

    def draw(self, figure: Any, top: float) -> None:
        """Draw from a height in pixels down."""
        lines = optional("matplotlib.lines")
        width, height = figure.get_size_inches() * DPI
        for number, row in enumerate(self.rows):
            y = top - 11 - 22 * number
            for x, name, style in row:
                ends = [x / width, (x + self.mark / 2) / width, (x + self.mark) / width]
                figure.add_artist(lines.Line2D(ends, [y / height] * 3, markevery=[1], **style))
                draw_text(figure, x + self.mark + 5, y, name, size=13, color=self.color)


def side_legend(width: float, *, with_truth: bool) -> Legend:
    """What the colours of bones mean."""
    colours = {**SIDES, **({"truth": TRUTH} if with_truth else {})}
    return Legend(
        {name: {"color": c, "marker": "o", "ms": 9, "mew": 0, "ls": ""} for name, c in colours.items()}, width
    )


def save_png(figure: Any, path: Path) -> Path:
    """Write a figure, at two dots a pixel of the layout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda file: figure.savefig(file, format="png", dpi=2 * DPI))
    return path
