"""The pictures of the page: which curves and bars they show."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report import chosen, plots
from benchmarks.report.chosen import Choice, Content
from benchmarks.report.plots import Panel, Points
from benchmarks.suites.inference import HEADLINE
from benchmarks.suites.scaling import BATCH as SCALING_BATCH

AXES = {"joints": "joints", "future_frames": "frames to forecast", "scales": "scales"}
_FP32: dict[str, Choice] = {"plain": chosen.plain, "fastest": chosen.fastest}


def draw(stem: str, content: Content, folder: Path) -> list[Path]:
    """Draw all pictures of a run for which it has figures.

    Args:
        stem: Name of the file of results.
        content: What is in it.
        folder: Where to write.

    Returns:
        The files, ``benchmarks-<stem>-<what>.png``.
    """
    name = chosen.machine_name(content["machine"], chosen.device(content))
    said = {"note": f"{name}, {content['date']}, float32 unless said", "mark": plots.digest(content)}
    drawn = []
    bars = _latency(content)
    if bars:
        path = folder / file_name(stem, "latency")
        drawn.append(plots.bars(path, bars, title="Time of a forecast of one window", x_label="milliseconds", **said))
    for what, panels, title, y_label in (
        ("throughput", _throughput(content), "Throughput against the batch size", "windows a second"),
        ("growth", _growth(content), f"Time of a forecast of {SCALING_BATCH} windows", "milliseconds"),
    ):
        if panels:
            path = folder / file_name(stem, what)
            drawn.append(plots.curves(path, panels, title=title, y_label=y_label, **said))
    return drawn


def file_name(stem: str, what: str) -> str:
    """Name of a picture."""
    return f"benchmarks-{stem}-{what}.png"


def _latency(content: Content) -> dict[str, dict[str, float]]:
    groups: dict[str, dict[str, float]] = {}
    for model in chosen.models(content):
        rows = chosen.forecasts(content, model, 1)
        found = {label: choose(rows) for label, choose in _FP32.items()}
        groups[model] = {label: row["time_ms"] for label, row in found.items() if row is not None}
    return {model: group for model, group in groups.items() if group}


def _throughput(content: Content) -> list[Panel]:
    batches = sorted({row["batch"] for row in chosen.of_kind(content, "inference")})
    panels = []
    for model in HEADLINE:
        curves: dict[str, Points] = {}
        for label, choose in (_FP32 | {"fastest in bf16": chosen.fastest_bf16}).items():
            rows = [choose(chosen.forecasts(content, model, batch)) for batch in batches]
            curves[label] = [(row["batch"], row["windows_per_s"]) for row in rows if row is not None]
        panels.append(_panel(model, "windows a call", curves))
    return [panel for panel in panels if panel.curves]


def _growth(content: Content) -> list[Panel]:
    believed, _ = chosen.growth(content)
    panels = []
    for axis, label in AXES.items():
        curves: dict[str, Points] = {}
        for (model, along), curve in believed.items():
            if along != axis:
                continue
            for kind, choose in _FP32.items():
                found = {value: choose(rows) for value, rows in curve.items()}
                curves[f"{model}, {kind}"] = [(value, row["time_ms"]) for value, row in found.items() if row]
        panels.append(_panel("", label, curves))
    return [panel for panel in panels if panel.curves]


def _panel(title: str, x_label: str, curves: dict[str, Points]) -> Panel:
    return Panel(title, x_label, {name: points for name, points in curves.items() if points})
