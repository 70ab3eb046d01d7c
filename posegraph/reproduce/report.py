"""The report on a reproduced table: Markdown to read, CSV to compute with, PNG to look at."""

from __future__ import annotations

import csv
import io
import statistics
from pathlib import Path

import torch

from posegraph import viz
from posegraph._support.files import replace_file
from posegraph._support.text import format_seconds, markdown_table, with_spread
from posegraph._version import __version__
from posegraph.errors import MissingDependencyError
from posegraph.evaluation.protocol import Protocol
from posegraph.reproduce.comparison import Cell, published_mean
from posegraph.reproduce.reproduction import Reproduction, in_range
from posegraph.reproduce.table import Row

_NOTHING = "-"
_COLUMNS = (
    "table",
    "row",
    "model",
    "actions",
    "frames",
    "runs",
    "ours_mm",
    "spread_mm",
    "published_mm",
    "difference_mm",
    "no_difference_because",
    "source",
    "note",
)
_FRAMES = (1, 3, 7, 9, 13, 24)  # of the picture, where the table has a single frame


def write(reproduction: Reproduction, folder: Path) -> list[Path]:
    """Write the report's files, replacing older ones as a whole.

    Args:
        reproduction: What to report.
        folder: Folder, which exists. The files are named like the table.

    Returns:
        The files: Markdown, CSV, and a picture if matplotlib is installed and there is a result.
    """
    name = reproduction.setup.table.name
    picture = _draw(reproduction, folder / f"{name}.png")
    texts = {
        folder / f"{name}.md": markdown(reproduction, picture=None if picture is None else picture.name),
        folder / f"{name}.csv": csv_text(reproduction),
    }
    for path, text in texts.items():
        replace_file(path, lambda file, text=text: file.write(text.encode()))
    return [*texts, *([] if picture is None else [picture])]


def markdown(reproduction: Reproduction, *, picture: str | None = None) -> str:
    """The report as Markdown.

    Args:
        reproduction: What to report.
        picture: File name of the picture, if there is one.
    """
    setup = reproduction.setup
    parts = [f"# {setup.table.title}"]
    if setup.steps is not None:
        parts.append("**A smoke run: its numbers mean nothing.**")
    parts += [
        _settings(reproduction),
        "## Means",
        _means(reproduction),
        *_by_action(reproduction),
        *([] if picture is None else [f"![error against the forecast frame]({picture})"]),
        "## What differs from the paper",
        "\n".join(f"* {difference}" for difference in reproduction.differences()),
    ]
    return "\n\n".join(parts) + "\n"


def csv_text(reproduction: Reproduction) -> str:
    """The report's numbers as CSV, one a line; several actions or frames are those of a mean."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in reproduction.rows:
        runs = len(reproduction.of(row))
        for cell in reproduction.cells(row):
            numbers = (cell.ours, cell.spread, cell.published, cell.difference)
            writer.writerow(
                [
                    reproduction.setup.table.name,
                    row.label,
                    row.model,
                    " ".join(cell.actions),
                    " ".join(map(str, cell.frames)),
                    runs,
                    *("" if number is None else f"{number:.4f}" for number in numbers),
                    cell.reason,
                    cell.source,
                    cell.note,
                ]
            )
    return text.getvalue()


def _protocol(reproduction: Reproduction) -> Protocol:
    table, dataset = reproduction.setup.table, reproduction.setup.dataset
    return Protocol(
        dataset.name,
        windows=table.windows,
        metric=table.metric,
        frames=table.frames,
        observed_frames=table.observed_frames,
        future_frames=table.future_frames,
        label_fps=dataset.label_fps,
        actions=reproduction.setup.coverage.actions,
    )


def _settings(reproduction: Reproduction) -> str:
    setup = reproduction.setup
    return "\n".join(
        [
            f"* protocol: {_protocol(reproduction).describe()}",
            f"* data: {setup.dataset.describe()}",
            f"* made with: posegraph {__version__}, torch {torch.__version__}, {setup.place}, {setup.precision}",
            "* errors in millimetres, ours ± standard deviation over seeds where there are several",
        ]
    )


def _means(reproduction: Reproduction) -> str:
    """One line a row: the mean over actions and frames, and how it came about."""
    head = ["row", "model", "ours", "published", "difference", "runs", "epochs", "training", "published in"]
    lines = []
    for row in reproduction.rows:
        cell = reproduction.mean(row)
        outcomes = reproduction.of(row)
        seconds = [outcome.seconds for outcome in outcomes if outcome.seconds is not None]
        lines.append(
            [
                row.label,
                f"`{row.model}`",
                *_numbers(cell),
                ", ".join(outcome.origin for outcome in outcomes) or _NOTHING,
                _epochs(reproduction, row),
                format_seconds(sum(seconds)) if seconds else _NOTHING,
                _source(cell),
            ]
        )
    table, coverage = reproduction.setup.table, reproduction.setup.coverage
    actions = f"{len(coverage.actions)} action{'s' * (len(coverage.actions) > 1)}"
    frames = f"frame{'s' * (len(table.frames) > 1)} {', '.join(map(str, table.frames))}"
    return f"Over {actions} and {frames}.\n\n{markdown_table(head, lines, 'll')}"


def _source(cell: Cell) -> str:
    """Where the published number is from, and why it has no difference."""
    return f"{cell.source}; {cell.reason}" if cell.source and cell.reason else cell.source or _NOTHING


def _epochs(reproduction: Reproduction, row: Row) -> str:
    setup, outcomes = reproduction.setup, reproduction.of(row)
    epochs = [outcome.epochs for outcome in outcomes if outcome.epochs is not None]
    if not epochs:
        return _NOTHING
    if setup.steps is not None:
        return f"{setup.steps} steps"
    return f"{in_range(epochs)} of {setup.recipe(row).schedule.epochs}"


def _by_action(reproduction: Reproduction) -> list[str]:
    """A table for each action, and one for their average, if the paper prints them."""
    table, coverage = reproduction.setup.table, reproduction.setup.coverage
    if table.detail != "actions":
        return []
    rate = reproduction.setup.dataset.label_fps or 1.0
    head = ["row", "", *(f"frame {frame} ({(frame + 1) * 1000 / rate:.0f} ms)" for frame in table.frames)]
    cells = {row.label: reproduction.cells(row) for row in reproduction.rows}
    parts = ["## By action and frame"]
    for actions in dict.fromkeys([*((action,) for action in table.actions), coverage.actions]):
        parts.append(f"### {actions[0]}" if len(actions) == 1 else f"### average of {len(actions)}")
        if actions[0] in coverage.left_out:
            parts.append(f"Left out: {coverage.left_out[actions[0]]}.")
            continue
        lines: list[list[str]] = []
        for label, own in cells.items():
            columns = [_numbers(cell) for cell in own if cell.actions == actions and len(cell.frames) == 1]
            for kind, *numbers in zip(("ours", "published", "difference"), *columns[: len(table.frames)], strict=True):
                if kind == "ours" or set(numbers) != {_NOTHING}:
                    lines.append([label if kind == "ours" else "", kind, *numbers])
        parts.append(markdown_table(head, lines, "ll"))
    return parts


def _numbers(cell: Cell) -> list[str]:
    """Ours, published, difference."""
    return [
        _NOTHING if cell.ours is None else with_spread(cell.ours, cell.spread),
        _NOTHING if cell.published is None else f"{cell.published:.2f}",
        _NOTHING if cell.difference is None else f"{cell.difference:+.2f}",
    ]


def _draw(reproduction: Reproduction, path: Path) -> Path | None:
    """Average errors against the frame, ours and, where they are of the same actions, the published ones."""
    setup = reproduction.setup
    table = setup.table
    frames = table.frames if len(table.frames) > 1 else tuple(f for f in _FRAMES if f < table.future_frames)
    curves: dict[str, list[float]] = {}
    for row in reproduction.rows:
        outcomes = reproduction.of(row)
        if outcomes:
            curves[row.label] = [
                statistics.fmean(o.errors[action][frame] for o in outcomes for action in setup.coverage.actions)
                for frame in frames
            ]
        known = [published_mean(table, row, setup.coverage.actions, (frame,)) for frame in frames]
        values = [value.mm for value in known if value is not None]
        if outcomes and len(values) == len(frames) and not setup.coverage.partial:
            curves[f"{row.label}, published"] = values
    if not curves:
        return None
    try:
        return viz.error_curve(
            curves,
            path,
            frames=frames,
            protocol=_protocol(reproduction).describe(),
            fps=setup.dataset.fps,
            label_fps=setup.dataset.label_fps,
            title=table.title,
        )
    except MissingDependencyError:
        return None
