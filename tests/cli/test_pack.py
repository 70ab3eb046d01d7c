from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from posegraph import checkpoint
from tests.weights.checks import check_shipped

TRAIN = ("train", "traj-gcn", "--dataset", "cmu", "--data", "samples", "--actions", "running", "walking")
SMALL = ("--set", "channels=8", "num_blocks=1", "--epochs", "1", "--steps-per-epoch", "10", "--device", "cpu")
COMMAND = (
    "posegraph train traj-gcn --dataset cmu --data samples --set channels=8 num_blocks=1 --actions running walking "
    "--epochs 1 --steps-per-epoch 10"
)


def test_a_run_becomes_weights_that_could_come_with_the_library(command):
    assert command(*TRAIN, *SMALL, "--out", "run").status == 0
    answer = command("pack", "run", "--name", "tiny", "--data", "samples", "--device", "cpu")
    assert answer.status == 0, answer.err
    folder = Path("weights/traj-gcn/tiny").resolve()
    check_shipped(folder)
    assert checkpoint.read_config(folder)["record"]["packed"]["commands"] == [
        f"{COMMAND} --device cpu --out RUN",
        "posegraph pack RUN --name tiny --data samples",
    ]
    assert "mean of 2" in answer.out
    assert answer.out.endswith("card: weights/traj-gcn/tiny/README.md\n")


def test_the_seeds_of_a_run_are_packed_together(command):
    assert command(*TRAIN, *SMALL, "--seeds", "2", "--out", "run").status == 0
    options = ("--dtype", "bf16", "--protocols", "all", "8", "--finest-only", "--out", "mine", "--device", "cpu")
    answer = command("pack", "run", "--name", "tiny", "--data", "samples", *options)
    assert answer.status == 0, answer.err
    config = checkpoint.read_config("mine/traj-gcn/tiny")
    packed = config["record"]["packed"]
    assert [run["seed"] for run in packed["runs"]] == [0, 1]
    assert config["weights"]["dtype"] == "bfloat16"
    assert packed["commands"] == [
        f"{COMMAND} --seeds 2 --device cpu --out RUN",
        "posegraph pack RUN --name tiny --data samples --finest-only --dtype bf16 --protocols all 8",
    ]


def test_commands_are_given_where_the_run_has_none(command, stand_in_runs):
    arguments = ("pack", *stand_in_runs, "--name", "tiny", "--data", "samples", "--device", "cpu")
    answer = command(*arguments)
    assert answer.status == 2
    assert answer.err.startswith("posegraph: error: --command: expected the commands that trained the run, because ")
    assert command(*arguments, "--command", "python train.py", "python more.py", "--note", "By hand.").status == 0
    packed = checkpoint.read_config("weights/traj-gcn/tiny")["record"]["packed"]
    assert packed["note"] == "By hand."
    assert packed["commands"] == [
        "python train.py",
        "python more.py",
        "posegraph pack RUN RUN --name tiny --data samples",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "runs: expected at least one folder of a training run, got none."),
        (("nowhere",), "nowhere: expected a trained model, found no such folder, file or weights of the library."),
        (("run", "--name", "TINY"), "name: expected lower-case letters, digits and hyphens, as in 'cmu', got 'TINY'."),
        (("run", "--protocols", "9"), "unknown protocol '9'. Known: all, 8, 256, msrgcn, "),
    ],
)
def test_errors_are_one_line_and_leave_nothing(command, stand_in_runs, tmp_path, arguments, message):
    shutil.copytree(stand_in_runs[0], "run")
    (tmp_path / "run" / "command.txt").write_text("posegraph train\n")
    answer = command("pack", *arguments, *(() if "--name" in arguments else ("--name", "tiny")), "--data", "samples")
    assert answer.status == 2
    assert answer.err.startswith(f"posegraph: error: {message}")
    assert answer.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
