"""Measure errors of training runs, or of the mean forecast of weights, on the test clips of CMU Mocap.

python -m benchmarks.experiments.accuracy --measure RUN [RUN ...] --label NAME --data DIR
python -m benchmarks.experiments.accuracy --ensemble WEIGHTS WEIGHTS [...] --label NAME --data DIR

The first command evaluates the checkpoints of runs that differ by their seed and writes ``results/accuracy/NAME.json``,
the second does so with the mean forecast of weights of the library.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.experiments.recipes import Ensemble
from benchmarks.harness import machine
from benchmarks.harness.results import ACCURACY, write_text
from posegraph import checkpoint, data, weights
from posegraph.cli.train import COMMAND_FILE
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import Result

MODULE = "benchmarks.experiments.accuracy"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__.partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--measure", type=Path, nargs="+", metavar="RUN", help="runs that differ by their seed")
    what.add_argument("--ensemble", nargs="+", choices=weights.references(), metavar="WEIGHTS", help="MODEL/NAME")
    parser.add_argument("--label", required=True, help="name of the runs, and of the file")
    parser.add_argument("--data", required=True, help="folder of the CMU benchmark")
    parser.add_argument("--results", type=Path, default=ACCURACY, help="folder of the files")
    options = parser.parse_args(arguments)
    if options.measure:
        content = {"label": f"`{options.label}`", **measure(options.measure, options.data)}
    else:
        content = measure_together(options.ensemble, options.label, options.data)
    write_text(options.results / f"{options.label}.json", json.dumps(content, indent=1) + "\n")


def measure(runs: Sequence[Path], folder: str) -> dict[str, Any]:
    """Evaluate the checkpoints of runs; the content of a file of results."""
    test = data.load("cmu", folder, split="test")
    seeds = []
    for run in runs:
        model = checkpoint.load(run, device=machine.default_device())
        training, validation = model.record["training"], model.record.get("validation")
        frames = {"observed_frames": model.observed_frames, "future_frames": model.future_frames}
        seeds.append(
            {
                "seed": training["seed"],
                "epoch": training["epoch"],
                "validation": None if validation is None else Result.from_json(validation).mean,
                "result": evaluate(model, test, Protocol.named(test, "all", **frames)).to_json(),
            }
        )
    commands = [(run / COMMAND_FILE).read_text(encoding="utf-8").strip() for run in runs]
    planned = max(checkpoint.read_config(run)["record"]["training"]["epochs"] for run in runs)
    done = min(_epochs_done(run) for run in runs)
    return {
        "commands": list(dict.fromkeys(commands)),
        "training": "",
        "epochs": {"done": done, "planned": planned},
        "seeds": seeds,
    }


def _epochs_done(run: Path) -> int:
    """Epochs that a run completed, by its log."""
    with (run / "log.csv").open(newline="", encoding="utf-8") as file:
        return max(int(row["epoch"]) for row in csv.DictReader(file))


def measure_together(references: Sequence[str], label: str, folder: str) -> dict[str, Any]:
    """Evaluate the mean forecast of weights of the library; the content of a file of results."""
    test = data.load("cmu", folder, split="test")
    models = [checkpoint.load(weights.folder(reference), device=machine.default_device()) for reference in references]
    result = evaluate(Ensemble(models), test, Protocol.named(test, "all"))
    command = ["python", "-m", MODULE, "--ensemble", *references, "--label", label, "--data", "DIR"]
    return {
        "label": f"mean forecast of {' and '.join(f'`{reference}`' for reference in references)}",
        "commands": [shlex.join(command)],
        "training": "",
        "epochs": None,
        "seeds": [{"seed": None, "epoch": "", "validation": None, "result": result.to_json()}],
    }


if __name__ == "__main__":
    main()
