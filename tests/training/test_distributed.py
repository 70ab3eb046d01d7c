from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from posegraph import checkpoint
from posegraph.training import train
from posegraph.training.distributed import Processes, join_processes
from tests.training.runs import identical, motion, read_log, small_model, state
from tests.training.worker import LENGTHS, ONE_STEP, RECIPE

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


# Alone


def test_one_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_processes(CPU) as processes:
        assert processes == Processes(rank=0, world_size=1)
        assert processes.is_first
        model = small_model()
        assert processes.wrap(model, CPU) is model
        assert processes.any(True, CPU) is True
        assert processes.any(False, CPU) is False
        value = torch.tensor([1.0, 2.0])
        assert torch.equal(processes.sum(value), value)
        assert processes.from_first("mine") == "mine"
        processes.wait()
    assert not torch.distributed.is_initialized()


def test_only_the_first_process_reports():
    assert [Processes(rank, 3).is_first for rank in range(3)] == [True, False, False]


# Together: all processes train at once, in the fixture; the tests look at what they left.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("distributed")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    process = subprocess.Popen(
        [*launcher, "-m", "tests.training.worker", str(out)],
        cwd=ROOT,
        env={**environment, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        text, _ = process.communicate(timeout=120)
    finally:
        process.terminate()  # unlike a kill, this lets the launcher end the processes that it started
        process.wait(timeout=60)
    assert process.returncode == 0, text
    return out


def ended(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in range(2)]


def tensors(folder: Path, name: str, rank: int = 0) -> dict[str, torch.Tensor]:
    return load_file(folder / f"{name}-{rank}.safetensors")


@pytest.mark.parametrize("name", ["gradient", "linear", "small", "limited", "interrupted", "resumed"])
def test_all_processes_end_with_the_same_weights(folder, name):
    """Though they began with different ones in the runs "small" and "interrupted"."""
    assert identical(tensors(folder, name, 0), tensors(folder, name, 1))


def test_gradients_are_those_of_the_whole_batch(folder, tmp_path, linear):
    model = small_model(linear)
    train(model, motion(LENGTHS), tmp_path, recipe=ONE_STEP, validation=[], report=lambda line: None, device="cpu")
    found = tensors(folder, "gradient")
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[f"grad.{name}"], parameter.grad, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found[name], parameter.detach(), rtol=0, atol=1e-6)


def test_epochs_are_those_of_a_single_process(folder, tmp_path, linear):
    model = small_model(linear)
    train(model, motion(LENGTHS), tmp_path, recipe=RECIPE, validation=[], report=lambda line: None, device="cpu")
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(tensors(folder, "linear")[name], parameter.detach(), rtol=0, atol=1e-6)
    pairs = zip(read_log(folder / "linear"), read_log(tmp_path), strict=True)
    for together, alone in pairs:
        assert {k: float(v) for k, v in together.items()} == pytest.approx({k: float(v) for k, v in alone.items()})


def test_only_the_first_process_writes_and_reports(folder):
    assert [run["lines"] for run in ended(folder, "small")] == [2, 0]
    assert len(list((folder / "small" / "tensorboard").iterdir())) == 1
    assert len(read_log(folder / "small")) == 2
    assert checkpoint.read_config(folder / "small")["record"]["training"]["processes"] == 2
    loaded = checkpoint.load(folder / "small")
    trained = tensors(folder, "small")
    assert all(torch.equal(value, trained[name]) for name, value in loaded.named_parameters())


def test_clocks_that_differ_do_not_part_the_processes(folder):
    """The time of one is up after a step, that of the other never."""
    for run in ended(folder, "limited"):
        assert (run["finished"], run["epochs"]) == (True, 0)


def test_an_interruption_of_one_process_stops_all_and_the_run_continues(folder):
    for run in ended(folder, "interrupted"):
        assert (run["finished"], run["epochs"]) == (False, 1)
    for run in ended(folder, "resumed"):
        assert (run["finished"], run["epochs"], run["best_epoch"]) == (True, 2, 2)
    whole, resumed = state(folder / "small"), state(folder / "resumed")
    assert identical(whole, resumed)
    logs = [[{**row, "seconds": None} for row in read_log(folder / name)] for name in ("resumed", "small")]
    assert logs[0] == logs[1]
    assert [row["epoch"] for row in logs[0]] == ["1", "2"]


@pytest.mark.parametrize("name", ["small", "resumed"])
def test_processes_drop_different_units(folder, name):
    first, second = (run["draw"] for run in ended(folder, name))
    assert first != second


def test_windows_must_suffice_for_all_processes(folder):
    for message in ended(folder, "tiny"):
        assert message.startswith("batch_size: expected at least one window for each of 2 processes, got 1. Enlarge")
    for message in ended(folder, "few"):
        assert message.startswith("batch: expected at least two training windows a process, got 3 windows for 2 proc")
