from __future__ import annotations

import os
import shlex
import signal
import statistics
from pathlib import Path
from typing import Any

import pytest

from posegraph import checkpoint, data, registry
from posegraph.training.steps import PlainStep
from tests.training.runs import assert_same_run, read_log

RUNNING = ("--dataset", "cmu", "--data", "samples", "--actions", "running")
SMALL = ("msrgcn-1l", *RUNNING, "--set", "channels=8", "num_blocks=1", "--device", "cpu")


def test_a_model_is_trained(command):
    answer = command("train", *SMALL, "--epochs", "2", "--seed", "3")
    assert answer.status == 0, answer.err
    first, *epochs, last = answer.out.splitlines()
    assert first == "cmu: 5 train, 1 test clips at 60 frames a second"
    assert [line.split()[1] for line in epochs] == ["1", "2"]
    folder = Path("runs/msrgcn-1l")
    record = checkpoint.read_config(folder)
    settings = record["record"]["training"]
    assert last == f"checkpoint of epoch {settings['epoch']}: {folder / 'best'}"
    assert (record["config"]["channels"], record["config"]["num_blocks"]) == (8, 1)
    assert (settings["seed"], settings["precision"], len(settings["val"])) == (3, "fp32", 1)
    assert settings["recipe"]["learning_rate"] == registry.info("msrgcn-1l").recipe.optimizer.learning_rate


def test_options_reach_the_run(command):
    numbers = ("--batch-size", "64", "--learning-rate", "0.01", "--epochs", "1", "--precision", "bf16")
    frames = ("--observed-frames", "8", "--future-frames", "5")
    recipe = ("--recipe", "mirror=0.5", "schedule=cosine")
    answer = command("train", *SMALL, *numbers, *frames, *recipe, "--validation", "running_2", "--out", "mine")
    assert answer.status == 0, answer.err
    record = checkpoint.read_config("mine")
    settings = record["record"]["training"]
    assert (record["observed_frames"], record["future_frames"]) == (8, 5)
    assert (settings["recipe"]["batch_size"], settings["recipe"]["learning_rate"]) == (64, 0.01)
    assert (settings["recipe"]["mirror"], settings["recipe"]["schedule"]) == (0.5, "cosine")
    assert (settings["precision"], settings["val"], settings["epochs"]) == ("bf16", ["running_2"], 1)


def test_the_run_notes_its_command_without_folders(command):
    options = ("--epochs", "2", "--learning-rate", "0.002", "--validation", "running_2", "--seed", "3")
    command("train", *SMALL, *options, "--out", "mine")
    command("train", *SMALL, *options, "--out", "mine", "--resume")
    text = Path("mine", "command.txt").read_text()
    assert text == (
        "posegraph train msrgcn-1l --dataset cmu --data samples --set channels=8 num_blocks=1 --actions running "
        "--validation running_2 --epochs 2 --learning-rate 0.002 --seed 3 --device cpu --out RUN\n"
    )
    again = command(*shlex.split(text)[1:-1], "again")
    assert again.status == 0, again.err
    for name in ("config.json", "model.safetensors"):
        assert Path("again/best", name).read_bytes() == Path("mine/best", name).read_bytes()


def test_the_place_of_the_data_is_not_noted(command, tmp_path):
    folder = data.samples()
    command("train", "msrgcn-1l", "--dataset", "cmu", "--data", folder, *SMALL[5:], "--epochs", "1")
    text = Path("runs/msrgcn-1l/command.txt").read_text()
    assert "--data DIR" in text
    assert str(folder) not in text


def test_all_clips_are_trained_on_without_validation(command):
    assert command("train", *SMALL, "--epochs", "1", "--no-validation").status == 0
    record = checkpoint.read_config("runs/msrgcn-1l")["record"]
    assert (len(record["training"]["train"]), record["training"]["val"]) == (5, [])
    assert record["selection"] == "last epoch"


def test_several_seeds_are_trained_at_once(command):
    answer = command("train", *SMALL, "--epochs", "1", "--seed", "3", "--seeds", "2")
    assert answer.status == 0, answer.err
    *_, epoch, first, second, last = answer.out.splitlines()
    folders = [Path("runs/msrgcn-1l") / f"seed-{seed}" for seed in (3, 4)]
    assert [first, second] == [f"checkpoint of epoch 1: {folder / 'best'}" for folder in folders]
    errors = [float(read_log(folder)[0]["val_mm"]) for folder in folders]
    assert [checkpoint.read_config(folder)["record"]["training"]["seed"] for folder in folders] == [3, 4]
    assert " ± " in epoch
    spread = f"{statistics.fmean(errors):.2f} ± {statistics.stdev(errors):.2f} (mean ± standard deviation)"
    assert last == f"lowest validation errors of 2 seeds: {spread}"


def test_minutes_end_the_run(command):
    answer = command("train", *SMALL, "--minutes", "0.00001")
    assert answer.status == 0, answer.err
    assert len(read_log(Path("runs/msrgcn-1l"))) == 1


def test_an_interrupted_run_says_how_to_go_on(command, monkeypatch):
    step, steps = PlainStep._update, 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 16:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*arguments)

    command("train", *SMALL, "--epochs", "2", "--out", "whole")
    with monkeypatch.context() as patch:
        patch.setattr(PlainStep, "_update", interrupted)
        answer = command("train", *SMALL, "--epochs", "2", "--out", "parts")
    assert (answer.status, answer.err) == (130, "posegraph: interrupted\n")
    assert answer.out.endswith("interrupted in epoch 2; the same command with --resume continues it\n")
    answer = command("train", *SMALL, "--epochs", "2", "--out", "parts", "--resume")
    assert answer.status == 0
    assert "interrupted" not in answer.out
    assert_same_run(Path("parts"), Path("whole"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("msrgnc", *RUNNING), "unknown model 'msrgnc'. Did you mean 'msrgcn'?"),
        (("zero-velocity", *RUNNING), "ZeroVelocity has no parameters to train."),
        (("msrgcn", *RUNNING, "--set", "channels"), "--set: expected KEY=VALUE, got 'channels'"),
        (
            ("msrgcn", *RUNNING, "--set", "chanels=8"),
            "unknown setting of model 'msrgcn' 'chanels'. Did you mean 'channels'",
        ),
        (("msrgcn", *RUNNING, "--set", "channels=wide"), "channels: expected an integer of at least 1, got 'wide'."),
        (("msrgcn", "--dataset", "cmu", "--data", "nowhere"), "nowhere: expected files of the cmu benchmark"),
        ((*SMALL, "--validation", "running_9"), "unknown training clip 'running_9'. Did you mean 'running_"),
        ((*SMALL, "--epochs", "0"), "epochs: expected an integer of at least 1, got 0."),
        ((*SMALL, "--recipe", "miror=0.5"), "unknown value of the recipe 'miror'. Did you mean 'mirror'?"),
        ((*SMALL, "--recipe", "mirror"), "--recipe: expected KEY=VALUE, got 'mirror'"),
        ((*SMALL, "--seeds", "0"), "seeds: expected an integer of at least 1, got 0."),
        ((*SMALL, "--precision", "fp16"), "precision 'fp16' needs a GPU, but the device is cpu."),
    ],
)
def test_errors_are_one_line_and_leave_nothing(command, tmp_path, arguments, message):
    answer = command("train", *arguments)
    assert answer.status == 2
    assert answer.err.startswith(f"posegraph: error: {message}")
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_run_is_kept(command):
    command("train", *SMALL, "--epochs", "1")
    answer = command("train", *SMALL, "--epochs", "1")
    assert answer.status == 2
    assert "expected a folder without a training run, found one" in answer.err
    answer = command("train", *SMALL, "--epochs", "1", "--seed", "1", "--resume")
    assert answer.status == 2
    assert "the run there has another seed: 0 in place of 1" in answer.err
