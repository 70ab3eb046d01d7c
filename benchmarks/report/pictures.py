"""The pictures of the page: which curves and bars they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import chosen, plots
from benchmarks.report.chosen import Choice, Content
from benchmarks.report.plots import Panel, Points
from benchmarks.suites.inference import HEADLINE
from benchmarks.suites.scaling import BATCH as SCALING_BATCH

AXES = {"joints": "joints", "future_frames": "frames to forecast", "scales": "scales"}


def draw(stem: str, content: Content, folder: Path) -> list[Path]:
    """Draw all pictures of a run for which it has figures.

    Args:
        stem: Name of the file of results.
        content: What is in it.
        folder: Where to write.

    Returns:
        The files, ``benchmarks-<stem>-<what>.png``.
    """
    notes = [f"{chosen.machine_name(content)}, {content['date']}, float32 unless said"]
    mark = plots.digest(content)
    drawn = []
    bars = _latency(content)
    if bars:
        path = folder / name(stem, "latency")
        title = "Time of a forecast of one window"
        drawn.append(plots.bars(path, bars, title=title, notes=notes, x_label="milliseconds", mark=mark))
    for what, panels, title, y_label in (
        ("throughput", _throughput(content), "Throughput against the batch size", "windows a second"),
        ("growth", _growth(content), f"Time of a forecast of {SCALING_BATCH} windows", "milliseconds"),
    ):
        if panels:
            path = folder / name(stem, what)
            drawn.append(plots.curves(path, panels, title=title, notes=notes, y_label=y_label, mark=mark))
    return drawn


def name(stem: str, what: str) -> str:
    """File name of a picture."""
    return f"benchmarks-{stem}-{what}.png"


def _latency(content: Content) -> dict[str, dict[str, float]]:
    choices: dict[str, Choice] = {"plain": chosen.plain, "fastest": chosen.fastest}
    groups: dict[str, dict[str, float]] = {}
    for model in chosen.models(content):
        rows = chosen.forecasts(content, model, 1)
        found = {label: choose(rows) for label, choose in choices.items()}
        group = {label: row["time_ms"] for label, row in found.items() if row is not None}
        if group:
            groups[model] = group
    return groups


def _throughput(content: Content) -> list[Panel]:
    choices: dict[str, Choice] = {
        "plain": chosen.plain,
        "fastest": chosen.fastest,
        "fastest in bf16": chosen.fastest_bf16,
    }
    batches = sorted({row["batch"] for row in chosen.of_kind(content, "inference")})
    panels = []
    for model in HEADLINE:
        curves: dict[str, Points] = {}
        for label, choose in choices.items():
            rows = [choose(chosen.forecasts(content, model, batch)) for batch in batches]
            curves[label] = [(row["batch"], row["windows_per_s"]) for row in rows if row is not None]
        panels.append(_panel(model, "windows a call", curves))
    return [panel for panel in panels if panel.curves]


def _growth(content: Content) -> list[Panel]:
    rows = chosen.of_kind(content, "scaling")
    choices: dict[str, Choice] = {"plain": chosen.plain, "fastest": chosen.fastest}
    panels = []
    for axis, label in AXES.items():
        curves: dict[str, Points] = {}
        for model in dict.fromkeys(row["subject"] for row in rows):
            for kind, choose in choices.items():
                points: list[tuple[float, float]] = []
                for setting in dict.fromkeys(row["setting"] for row in rows):
                    same = [row for row in rows if (row["subject"], row["setting"]) == (model, setting)]
                    row = choose(same)
                    if setting.startswith(f"{axis}=") and row is not None:
                        points.append((float(setting.partition("=")[2]), row["time_ms"]))
                curves[f"{model}, {kind}"] = sorted(points)
        panels.append(_panel("", label, curves))
    return [panel for panel in panels if panel.curves]


def _panel(title: str, x_label: str, curves: dict[str, Points]) -> Panel:
    drawn: dict[str, Sequence[tuple[float, float]]] = {name: points for name, points in curves.items() if points}
    return Panel(title, x_label, drawn)
