from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from posegraph import checkpoint, data, weights
from posegraph.cli import demo
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from tests.weights.standin import REFERENCE


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network and a training so small that the demonstration shows everything but skill."""
    monkeypatch.setattr(demo, "_SETTINGS", {"channels": 4, "num_blocks": 1})
    monkeypatch.setattr(demo, "_RECIPE", demo._RECIPE.replace(batch_size=256, epochs=1))


@pytest.mark.usefixtures("quick")
def test_the_demonstration_trains_evaluates_and_draws(command):
    answer = command("demo", "--out", "demo", "--seconds", "5", "--seed", "2")
    assert answer.status == 0, answer.err
    results = {name: json.loads(Path("demo", f"{name}.json").read_text()) for name in ("msrgcn", "zero-velocity")}
    walking = results["zero-velocity"]["actions"]["walking"]
    assert walking["mpjpe_mm"][:2] == pytest.approx([18.8754, 36.5831], abs=1e-3)
    ratio = results["msrgcn"]["mean"]["mean_mm"] / results["zero-velocity"]["mean"]["mean_mm"]
    assert f"msrgcn's error is {ratio:.0%} of zero velocity's" in answer.out
    assert checkpoint.load("demo").record["training"]["seed"] == 2
    with Image.open("demo/forecast.gif") as animation:
        assert animation.n_frames > 1


@pytest.mark.usefixtures("quick")
def test_the_weights_of_the_library_are_measured_too(command, shipped, monkeypatch):
    monkeypatch.setattr(weights, "DEFAULT", REFERENCE)
    answer = command("demo", "--out", "demo", "--seconds", "5")
    assert answer.status == 0, answer.err
    clips = data.load("cmu", "samples", split="test")
    own = evaluate(
        checkpoint.load(shipped / REFERENCE), clips, Protocol("cmu", actions=("basketball", "running", "walking"))
    )
    stored = json.loads(Path("demo/traj-gcn-tiny.json").read_text())
    assert stored["mean"]["mean_mm"] == pytest.approx(own.mean)
    assert re.search(rf"^{REFERENCE}'s error is \d+% of zero velocity's$", answer.out, re.MULTILINE)


@pytest.mark.usefixtures("quick")
def test_the_code_that_it_prints_runs_and_it_can_be_repeated(command, capsys):
    for _ in range(2):
        answer = command("demo", "--out", "demo")
        assert answer.status == 0, answer.err
    code = answer.out.partition("To use the checkpoint in Python:\n")[2]
    exec(re.sub(r"^    ", "", code, flags=re.MULTILINE), {})
    assert capsys.readouterr().out == "torch.Size([25, 38, 3])\n"


def test_a_time_is_needed(command, tmp_path):
    answer = command("demo", "--seconds", "0")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == "posegraph: error: seconds: expected a positive time for training, got 0.\n"
    assert list(tmp_path.iterdir()) == []
