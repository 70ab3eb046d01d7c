"""Write the documentation's page of models: how well trained weights forecast, how large they are, how fast they are.

python -m benchmarks.report.zoo

Errors come from the cards of the weights in the library (``config.json``), times from the files in ``results/``. Other
folders can be named, to see the page before weights are put into the library.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

import posegraph
from benchmarks.harness.counts import flop
from benchmarks.harness.machine import ROOT
from benchmarks.harness.results import FOLDER as RESULTS
from benchmarks.harness.results import write_text
from benchmarks.report import plots
from benchmarks.report.chosen import machine_name
from benchmarks.report.markdown import table
from posegraph import checkpoint, registry
from posegraph.evaluation.result import Result
from posegraph.models.base import ForecastModel

WEIGHTS = Path(posegraph.__file__).parent / "weights"
PAGE = ROOT / "docs" / "zoo.md"
PICTURE = Path("assets") / "zoo.png"  # beside the page
_INTRODUCTION = """\
# Model zoo

How well the weights that come with the library forecast, how large their networks are, and how fast. This page is
written by `python -m benchmarks.report.zoo` from the weights' `config.json` and the files in `benchmarks/results/`.

* **Errors** are means over test actions and forecast frames, measured once; the head of each table is their protocol.
  Errors of different tables do not compare. The card beside the weights, `README.md`, has them by action and frame.
* **MFLOP** are multiplications and additions in the matrix products of one forecast, in millions.
* **Times** are milliseconds of a forecast of one window in float32: of the plain model, then, after the arrow, of the
  fastest form that `posegraph.optimize` has for it. On a CPU it is the least of all calls, on a GPU the median of the
  time on the device. They are for the skeleton `h36m`, of which a network sees 22 joints; one for `cmu`, with 25, has
  more to do.
"""


@dataclass(frozen=True)
class Machine:
    """Forecasts that were timed on one device of one machine."""

    name: str
    device: str
    rows: Sequence[dict[str, Any]]

    def plain(self, model: str) -> float | None:
        """Milliseconds of a forecast of one window by the plain model."""
        return next((row["time_ms"] for row in self._of(model) if row["variant"] == "plain"), None)

    def fastest(self, model: str) -> tuple[float, str] | None:
        """Milliseconds and name of its fastest form, the plain model included."""
        return min(((row["time_ms"], row["variant"]) for row in self._of(model)), default=None)

    def range(self, model: str) -> list[float]:
        """Milliseconds of its fastest form and of the plain model, as far as they were measured."""
        times = [None if (fastest := self.fastest(model)) is None else fastest[0], self.plain(model)]
        return [time for time in times if time is not None]

    def _of(self, model: str) -> Iterator[dict[str, Any]]:
        return (row for row in self.rows if (row["subject"], row["batch"], row["precision"]) == (model, 1, "fp32"))


@dataclass(frozen=True)
class Entry:
    """Weights, with what their record says."""

    reference: str
    folder: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        return checkpoint.read_config(self.folder)

    @cached_property
    def results(self) -> tuple[Result, Result]:
        """Of the weights and of zero velocity, over the actions that have training clips."""
        packed = self.config["record"]["packed"]
        first = packed["evaluation"][0]
        own, still = (Result.from_json(first[key]) for key in ("result", "zero_velocity"))
        seen = [action for action in own.actions if action not in packed["unseen"]]
        return own.select(seen), still.select(seen)

    @property
    def megabytes(self) -> float:
        return (self.folder / "model.safetensors").stat().st_size / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of MODEL/NAME with weights")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the benchmarks' results")
    parser.add_argument("--out", type=Path, default=PAGE, help="page to write; the picture goes to assets/ beside it")
    options = parser.parse_args(arguments)
    entries, machines = find(options.weights), timed(options.results)
    text = render(entries, machines, registry.names())
    write_text(options.out, text)
    draw(entries, machines, options.out.parent / PICTURE, mark=plots.digest(text))


def find(folder: Path) -> list[Entry]:
    """All packed weights below a folder."""
    folders = sorted(file.parent for file in folder.glob("*/*/config.json"))
    return [Entry(own.relative_to(folder).as_posix(), own) for own in folders]


def timed(folder: Path) -> list[Machine]:
    """Every device of the files of results that has times of forecasts; files of one machine are taken together."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("*.json"), key=lambda file: file.stem):
        content = json.loads(file.read_text(encoding="utf-8"))
        rows = [row for row in content.get("rows", ()) if row["kind"] == "inference" and "time_ms" in row]
        for device in dict.fromkeys(row["device"] for row in rows):
            name = machine_name(content["machine"], device)
            found.setdefault((name, device), []).extend(row for row in rows if row["device"] == device)
    return [Machine(name, device, rows) for (name, device), rows in found.items()]


def render(entries: Sequence[Entry], machines: Sequence[Machine], models: Sequence[str]) -> str:
    """The page."""
    lines = [_INTRODUCTION, "## Trained weights", ""]
    if not entries:
        lines += ["No trained weights come with this version. [Train a model](how-to/train.md) makes some.", ""]
    for protocol, group in _by_protocol(entries).items():
        lines += [f"Protocol: {protocol}.", "", _weights_table(group, machines)]
    if _panels(_largest(entries), machines):
        lines += [f"![Error against the time of a forecast]({PICTURE.as_posix()})", ""]
    lines += ["## All models", "", "Networks of the authors' settings, for the skeleton `h36m`, as they are timed.", ""]
    lines.append(_model_table(models, machines))
    return "\n".join(lines)


def draw(entries: Sequence[Entry], machines: Sequence[Machine], path: Path, mark: str) -> bool:
    """Write a PNG of error against time for the protocol with most weights; False if there is nothing to draw."""
    group = _largest(entries)
    panels = _panels(group, machines)
    if not panels:
        return False
    result, still = group[0].results
    unit = result.protocol.unit
    actions = f"{result.protocol.dataset}: {', '.join(result.actions)}"
    curves = [
        plots.Panel(
            machine.name,
            "ms a forecast",
            {
                own.reference: [(time, own.results[0].mean) for time in machine.range(own.config["model"])]
                for own in group
                if machine.range(own.config["model"])
            },
        )
        for machine in panels
    ]
    plots.curves(
        path,
        curves,
        title="Error against the time of a forecast",
        note=f"{actions}. Left: fastest form; right: plain model.\nZero velocity: {still.mean:.1f} {unit}",
        y_label=f"mean error, {unit}",
        of_sizes=False,
        mark=mark,
    )
    return True


def mflop(model: ForecastModel) -> float:
    """Multiplications and additions in the matrix products of a forecast of one window, in millions."""
    observed = torch.zeros(1, model.observed_frames, model.num_joints, 3)
    labels = (model.action_labels(model.actions[:1]),) if model.actions else ()
    with torch.no_grad():
        return flop(lambda: model.eval().predict(observed, *labels)) / 1e6


def _by_protocol(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.results[0].protocol.describe(), []).append(entry)
    return groups


def _largest(entries: Sequence[Entry]) -> list[Entry]:
    """The weights of the protocol that has most of them."""
    return max(_by_protocol(entries).values(), key=len, default=[])


def _panels(group: Sequence[Entry], machines: Sequence[Machine]) -> list[Machine]:
    """Machines that any of the networks was timed on."""
    return [machine for machine in machines if any(machine.fastest(own.config["model"]) for own in group)]


def _weights_table(group: Sequence[Entry], machines: Sequence[Machine]) -> str:
    result, still = group[0].results
    errors = [*(f"frame {frame}" for frame in result.protocol.frames), f"mean, {result.protocol.unit}"]
    lines: list[list[str]] = []
    for entry in sorted(group, key=lambda own: own.results[0].mean):
        own = entry.results[0]
        model = checkpoint.load(entry.folder)
        lines.append(
            [
                f"`{entry.reference}`",
                *(f"{error:.2f}" for error in own.errors),
                f"**{own.mean:.2f}**",
                f"{entry.config['num_parameters']:,}",
                f"{mflop(model):,.1f}",
                f"{entry.megabytes:.1f}",
                *_time_cells(entry.config["model"], machines),
            ]
        )
    lines.append(["zero velocity", *(f"{error:.2f}" for error in still.errors), f"{still.mean:.2f}"])
    return table(["weights", *errors, "parameters", "MFLOP", "MB", *_times(machines)], lines)


def _model_table(models: Sequence[str], machines: Sequence[Machine]) -> str:
    lines: list[list[str]] = []
    for name in models:
        model = registry.build(name)
        parameters = sum(p.numel() for p in model.parameters())
        lines.append([f"`{name}`", f"{parameters:,}", f"{mflop(model):,.1f}", *_time_cells(name, machines)])
    return table(["model", "parameters", "MFLOP", *_times(machines)], lines)


def _times(machines: Sequence[Machine]) -> list[str]:
    return [f"{machine.name}, ms" for machine in machines]


def _time_cells(model: str, machines: Sequence[Machine]) -> list[str]:
    cells = []
    for machine in machines:
        plain, fastest = machine.plain(model), machine.fastest(model)
        times = [] if plain is None else [f"{plain:.3g}"]
        if fastest is not None and fastest[1] != "plain":
            times.append(f"{fastest[0]:.3g} ({fastest[1]})")
        cells.append(" → ".join(times))
    return cells


if __name__ == "__main__":
    main()
