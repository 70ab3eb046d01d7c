"""Write the documentation's page of accuracy: errors of training runs beside published ones.

python -m benchmarks.report.accuracy

They come from the files in ``results/accuracy/``, from the cards of the weights in the library and from the comparison
of recipes.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.experiments import recipes
from benchmarks.harness.machine import ROOT
from benchmarks.harness.results import ACCURACY as FOLDER
from benchmarks.harness.results import write_text
from benchmarks.report import zoo
from benchmarks.report.markdown import folded, mean_and_spread, table
from posegraph.checkpoint.results import published_beside
from posegraph.evaluation.result import ActionResult, Result

RECIPES = "recipes.json"
SEARCH = "search.json"
_NO_SYSTEM = (RECIPES, SEARCH)
PAGE = ROOT / "docs" / "accuracy.md"
ACTIONS = recipes.ACTIONS
_INTRODUCTION = """\
# Accuracy

Errors on the test clips of CMU Mocap. This page is written by `python -m benchmarks.report.accuracy`
from the files in `benchmarks/results/accuracy/` and from the cards of the weights that come with the library.

* Epochs and recipes were chosen on whole training clips that were held out, never by the test error. The test clips
  were measured once for each row below. The first recipe of `graph-mixer` was searched with the shortest clip of each
  action held out. Its test error was much higher than that of those clips, so the second was searched with the longest
  ones: what they show is harder and less like the rest.
* Published systems were trained on all 40 training clips, ours on the 32 that could be had: `directing_traffic_2`,
  `_3`, `_5` and `washwindow_1` to `_5` are missing. So are the test clips of `basketball_signal` and
  `directing_traffic`. Averages are therefore over the five actions of which all clips are there; those of the papers
  are over eight or seven and compare with nothing here. Most published systems chose their epoch by the test error.
* Frames count from 0. Papers label them 80, 160, 320, 400, 560 and 1000 ms; the clips have 60 poses a second, so the
  true times are 33, 67, 133, 167, 233 and 417 ms.
"""

_UNFINISHED = """\
## Unfinished runs

Stopped before the last epoch of their recipe, for want of time. Their errors say how far they came, nothing of what the
recipe or the system reaches, so they are in none of the tables above.
"""


@dataclass(frozen=True)
class System:
    """A row: errors of one network, or the mean of several seeds."""

    name: str
    source: str
    result: Result
    means: tuple[float, ...] = ()
    """Mean error of each seed."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.report.accuracy", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--results", type=Path, default=FOLDER, help="folder of the files")
    parser.add_argument("--out", type=Path, default=PAGE, help="page to write")
    options = parser.parse_args(arguments)
    write_text(options.out, render(options.results))


def measured(folder: Path) -> list[tuple[System, Mapping[str, Any]]]:
    """The systems of all files, each with its file's content."""
    found = []
    for file in sorted(folder.glob("*.json")):
        if file.name in _NO_SYSTEM:
            continue
        content = json.loads(file.read_text(encoding="utf-8"))
        if "epochs" not in content:
            raise ValueError(f"{file.name}: epochs: expected how many are done and planned, or null for no training")
        results = [Result.from_json(seed["result"]).select(ACTIONS) for seed in content["seeds"]]
        name = content["label"] if len(results) == 1 else f"{content['label']}, {len(results)} seeds"
        means = tuple(result.mean for result in results)
        found.append((System(name, "measured here", _mean(results), means), content))
    return found


def _mean(results: Sequence[Result]) -> Result:
    """The mean of several seeds, action by action and frame by frame."""
    actions = {}
    for action, first in results[0].actions.items():
        columns = zip(*(result.actions[action].errors for result in results), strict=True)
        actions[action] = ActionResult(first.windows, tuple(statistics.fmean(column) for column in columns))
    return Result(results[0].protocol, actions)


def render(folder: Path) -> str:
    """The page."""
    runs, shipped = measured(folder), [(own, *own.results) for own in zoo.find(zoo.WEIGHTS)]
    trained = [run for run in runs if is_finished(run[1])]
    unfinished = [run for run in runs if not is_finished(run[1])]
    systems = [System(f"**`{own.reference}`**", "weights of the library", result) for own, result, _ in shipped]
    systems += [system for system, _ in trained]
    lines = [_INTRODUCTION]
    if not systems:
        return "\n".join([*lines, "No results come with this version.", ""])
    systems += _published(systems[0].result)
    systems += [System("zero velocity", "repeats the last pose", still) for _, _, still in shipped[:1]]
    systems.sort(key=lambda system: system.result.mean)
    lines += ["## Five actions", "", f"Protocol: {systems[0].result.protocol.describe()}.", ""]
    lines += [_frame_table(systems), folded("Mean over the six frames, by action", _action_table(systems))]
    for action in ACTIONS:
        lines.append(folded(f"Frames of {action}", _frame_table(systems, action)))
    if unfinished:
        lines += [_UNFINISHED, _unfinished_table(unfinished)]
    for name, section in ((RECIPES, _recipes), (SEARCH, _search)):
        if (folder / name).exists():
            lines += section(json.loads((folder / name).read_text(encoding="utf-8")))
    if runs:
        lines += _runs(runs)
    return "\n".join(lines)


def is_finished(content: Mapping[str, Any]) -> bool:
    """Whether the runs of a file made all the epochs of their recipe; others say nothing of a system."""
    epochs = content["epochs"]
    return epochs is None or epochs["done"] >= epochs["planned"]


def _published(result: Result) -> Iterator[System]:
    for name, source, rows in published_beside(result):
        actions = zip(result.actions, rows, strict=True)
        errors = {action: ActionResult(result.actions[action].windows, tuple(row)) for action, row in actions}
        yield System(name, source, Result(result.protocol, errors))


def _frame_table(systems: Sequence[System], action: str | None = None) -> str:
    frames = systems[0].result.protocol.frames
    lines: list[list[str]] = []
    for system in systems:
        result = system.result if action is None else system.result.select([action])
        mean = mean_and_spread(system.means if action is None and system.means else [result.mean])
        lines.append([system.name, system.source, *(f"{error:.2f}" for error in result.errors), mean])
    return table(["system", "source", *(f"frame {frame}" for frame in frames), "mean, mm"], lines, left=(0, 1))


def _action_table(systems: Sequence[System]) -> str:
    lines = [
        [system.name, system.source, *(f"{system.result.select([action]).mean:.2f}" for action in ACTIONS)]
        for system in systems
    ]
    return table(["system", "source", *ACTIONS], lines, left=(0, 1))


def _unfinished_table(runs: Sequence[tuple[System, Mapping[str, Any]]]) -> str:
    lines = [
        [
            system.name,
            f"{content['epochs']['done']} of {content['epochs']['planned']}",
            mean_and_spread(system.means),
            content["training"],
        ]
        for system, content in runs
    ]
    return table(["runs", "epochs done", "test, mm", "trained"], lines, left=(0, 3))


def _runs(trained: Sequence[tuple[System, Mapping[str, Any]]]) -> list[str]:
    lines: list[list[str]] = []
    for system, content in trained:
        errors = [seed["validation"] for seed in content["seeds"]]
        epochs = content["epochs"]
        mark = "" if is_finished(content) else f" (**unfinished**: {epochs['done']} of {epochs['planned']} epochs)"
        lines.append(
            [
                system.name + mark,
                ", ".join(str(seed["epoch"]) for seed in content["seeds"]),
                ", ".join("none" if error is None else f"{error:.2f}" for error in errors),
                ", ".join(f"{mean:.2f}" for mean in system.means),
                content["training"],
            ]
        )
    return [
        "## Runs",
        "",
        "± is the standard deviation over seeds. Chosen epochs are those with the lowest validation error on",
        "held-out training clips, if there were any; validation errors are over all actions that have held-out clips.",
        "",
        table(["runs", "chosen epochs", "validation, mm", "test, mm", "trained"], lines, left=(0, 1, 2, 3, 4)),
        "```bash",
        *(command for _, content in trained for command in content["commands"]),
        "```",
        "",
    ]


def _recipes(content: Mapping[str, Any]) -> list[str]:
    first, *others = content["rows"]
    base = statistics.fmean(first["errors"])
    lines: list[list[str]] = []
    for row in (first, *others):
        difference = "" if row is first else f"{statistics.fmean(row['errors']) - base:+.2f}"
        together = "" if row["ensemble"] is None else f"{row['ensemble']:.2f}"
        error = mean_and_spread(row["errors"])
        lines.append([row["name"], f"{row['num_parameters']:,}", error, difference, together])
    return [
        "## What changes the error",
        "",
        f"Validation errors of `{first['model']}`, one change at a time, {len(first['errors'])} seeds each, on the",
        f"training clips {', '.join(content['validation'])}, which were held out. A positive difference is a loss.",
        "",
        table(["", "parameters", "error, mm", "difference", "mean of the seeds' forecasts"], lines),
        f"Measured on {content['device']}, {content['date']}, with",
        "",
        "```bash",
        content["command"],
        "```",
        "",
    ]


def _search(content: Mapping[str, Any]) -> list[str]:
    head = [
        "How the recipes of `graph-mixer` were found: validation errors in mm on held-out training clips, mirror",
        "images averaged. Fold 1 holds out the shortest clip of each of the five actions, fold 5 the longest. Except",
        "where it is said, networks of a table were trained at once on an H200, each fold with one seed, in mixed",
        "precision by a loop of its own that shares kernels among all; `python -m benchmarks.experiments.recipes`",
        "measures such changes with the library's trainer. Runs are short: what is worth its while in a longer one",
        "may not show.",
        "± is the standard error of the mean difference over folds; a dash, a run that diverged or was not made.",
        "",
    ]
    lines: list[str] = []
    for group in content["groups"]:
        base = group["rows"][0]["errors"]
        rows: list[list[str]] = []
        for row in group["rows"]:
            pairs = [(a, b) for a, b in zip(row["errors"], base, strict=True) if a is not None and b is not None]
            differences = [a - b for a, b in pairs]
            known = [error for error in row["errors"] if error is not None]
            cells = ["-" if error is None else f"{error:.1f}" for error in row["errors"]]
            mean = f"{statistics.fmean(known):.2f}" if len(known) == len(base) else ""
            rows.append([row["name"], *cells, mean, "" if row is group["rows"][0] else _difference(differences)])
        folds = [f"fold {number}" for number in range(1, len(base) + 1)]
        lines += [f"**{group['setting']}**", "", table(["", *folds, "mean", "difference from the first"], rows)]
    return ["## Search log", "", folded("All changes that were tried", "\n".join([*head, *lines]))]


def _difference(differences: Sequence[float]) -> str:
    if not differences:
        return ""
    mean = f"{statistics.fmean(differences):+.2f}"
    if len(differences) == 1:
        return mean
    return f"{mean} ± {statistics.stdev(differences) / len(differences) ** 0.5:.2f}"


if __name__ == "__main__":
    main()
