"""Errors of runs and of weights are those that the library's evaluation gives."""

from __future__ import annotations

import json
import shutil

import pytest

from benchmarks.experiments import accuracy
from posegraph import checkpoint, data
from posegraph.cli.train import COMMAND_FILE
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import Result
from tests.weights.standin import REFERENCE

COMMAND = "posegraph train traj-gcn --dataset cmu --data DIR --out RUN"


def test_runs_are_measured(stand_in_runs, tmp_path):
    runs = [shutil.copytree(run, tmp_path / run.name) for run in stand_in_runs]
    for run in runs:
        (run / COMMAND_FILE).write_text(COMMAND + "\n")
    arguments = ["--measure", *map(str, runs), "--label", "tiny", "--data", "samples"]
    accuracy.main([*arguments, "--results", str(tmp_path)])
    content = json.loads((tmp_path / "tiny.json").read_text())
    assert (content["label"], content["commands"]) == ("`tiny`", [COMMAND])
    assert [seed["seed"] for seed in content["seeds"]] == [0, 1]
    assert content["epochs"] == {"done": 1, "planned": 1}
    test = data.load("cmu", "samples", split="test")
    for run, seed in zip(runs, content["seeds"], strict=True):
        model = checkpoint.load(run)
        expected = evaluate(model, test, Protocol.named(test, "all"))
        assert Result.from_json(seed["result"]).mean == pytest.approx(expected.mean)
        assert seed["validation"] == pytest.approx(Result.from_json(model.record["validation"]).mean)


def test_weights_are_measured_together(shipped, tmp_path):
    options = ["--label", "both", "--data", "samples", "--results", str(tmp_path)]
    accuracy.main(["--ensemble", REFERENCE, REFERENCE, *options])
    content = json.loads((tmp_path / "both.json").read_text())
    assert content["label"] == f"mean forecast of `{REFERENCE}` and `{REFERENCE}`"
    assert content["commands"] == [
        f"python -m benchmarks.experiments.accuracy --ensemble {REFERENCE} {REFERENCE} --label both --data DIR"
    ]
    test = data.load("cmu", "samples", split="test")
    alone = evaluate(checkpoint.load(shipped / REFERENCE), test, Protocol.named(test, "all"))
    assert Result.from_json(content["seeds"][0]["result"]).mean == pytest.approx(alone.mean)


@pytest.mark.parametrize("missing", ["--label", "--data", "--measure"])
def test_every_option_is_needed(missing, capsys):
    options = {"--measure": "run", "--label": "tiny", "--data": "samples"}
    with pytest.raises(SystemExit):
        accuracy.main([word for name, value in options.items() if name != missing for word in (name, value)])
    assert missing in capsys.readouterr().err
