from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from posegraph import checkpoint, data, evaluation, weights

WALKING = ("--dataset", "cmu", "--data", "samples", "--actions", "walking")
# Zero velocity on the bundled test clip, in mm at frames 1, 3, 7, 9, 13, 24, by protocol and metric.
KNOWN = {
    (): (18.8754, 36.5831, 69.8942, 85.2759, 113.1837, 165.1721),
    ("--metric", "mpjpe_up_to"): (14.4286, 23.3101, 40.4727, 48.6749, 64.2047, 99.6975),
    ("--protocol", "8"): (20.7266, 39.1915, 73.0494, 88.0705, 113.8583, 154.8916),
    ("--protocol", "8", "--metric", "mpjpe_up_to"): (16.0305, 25.3823, 43.0706, 51.3223, 66.4293, 99.2449),
}


def measured(command: Any, *arguments: str | Path) -> dict[str, Any]:
    answer = command("evaluate", *arguments, "--out", "results/zero.json")
    assert answer.status == 0, answer.err
    assert answer.out.endswith(f"written to {Path('results/zero.json')}\n")
    return json.loads(Path("results/zero.json").read_text())


@pytest.mark.parametrize("options", KNOWN)
def test_zero_velocity_has_the_known_errors(command, options):
    walking = measured(command, "zero-velocity", *WALKING, *options)["actions"]["walking"]
    assert walking["mpjpe_mm"] == pytest.approx(KNOWN[options], abs=1e-3)


def test_the_file_has_the_documented_form(command):
    written = measured(command, "zero-velocity", *WALKING)
    frames = [1, 3, 7, 9, 13, 24]
    errors = pytest.approx(KNOWN[()], abs=1e-3)
    assert list(written) == ["protocol", "actions", "mean"]
    assert written["actions"] == {"walking": {"windows": 146, "frames": frames, "mpjpe_mm": errors}}
    mean = pytest.approx(sum(KNOWN[()]) / 6, abs=1e-3)
    assert written["mean"] == {"actions": ["walking"], "frames": frames, "mpjpe_mm": errors, "mean_mm": mean}
    expected = {
        "dataset": "cmu",
        "split": "test",
        "windows": "all",
        "joints": "full",
        "metric": "mpjpe_at",
        "frames": frames,
        "observed_frames": 10,
        "future_frames": 25,
        "label_fps": 25.0,
        "actions": ["walking"],
        "fps": 60.0,
        "model": {"name": "zero-velocity"},
    }
    assert written["protocol"] == expected


def test_used_joints_are_another_error(command):
    """Six of 38 joints never move and seven are copies, most of them of joints that move much."""
    written = measured(command, "zero-velocity", *WALKING, "--joints", "used")
    assert written["protocol"]["joints"] == "used"
    used = written["actions"]["walking"]["mpjpe_mm"]
    assert all(one > 1.05 * other for one, other in zip(used, KNOWN[()], strict=True))


def test_frames_and_split_are_chosen(command):
    arguments = ("zero-velocity", *WALKING[:4], "--actions", "running", "--split", "train", "--frames", "0", "24")
    written = measured(command, *arguments)
    assert written["protocol"]["split"] == "train"
    assert (written["actions"]["running"]["windows"], written["mean"]["frames"]) == (250, [0, 24])


def test_the_table_is_printed(command):
    answer = command("evaluate", "zero-velocity", *WALKING)
    assert "cmu test, windows: all, 10 -> 25 frames, mpjpe_at, full joints, actions: walking" in answer.out
    (row,) = (line for line in answer.out.splitlines() if line.startswith("walking"))
    assert row.split() == ["walking", "146", "18.88", "36.58", "69.89", "85.28", "113.18", "165.17", "81.50"]


def test_a_checkpoint_is_evaluated(command, saved):
    written = measured(command, saved, *WALKING, "--protocol", "8", "--batch-size", "3", "--device", "cpu")
    walking = data.load("cmu", "samples", split="test", actions=["walking"])
    protocol = evaluation.Protocol("cmu", windows="8", actions=("walking",))
    expected = evaluation.evaluate(checkpoint.load(saved), walking, protocol).errors
    assert written["mean"]["mpjpe_mm"] == pytest.approx(expected, rel=1e-5)
    assert written["protocol"]["model"]["name"] == "msrgcn-1l"


@pytest.mark.parametrize("named", [("traj-gcn/tiny",), ()], ids=["by name", "by default"])
def test_weights_of_the_library_are_evaluated(command, named, shipped, monkeypatch):
    monkeypatch.setattr(weights, "DEFAULT", "traj-gcn/tiny")
    stored = checkpoint.read_config(shipped / "traj-gcn" / "tiny")["record"]["packed"]["bundled"]["result"]
    walking = measured(command, *named, *WALKING, "--device", "cpu")["actions"]["walking"]
    assert walking["mpjpe_mm"] == pytest.approx(stored["actions"]["walking"]["mpjpe_mm"], abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing", *WALKING), "nothing: expected a trained model, found no such folder, file or weights of"),
        (
            ("msrgcn", *WALKING),
            "model 'msrgcn' is not trained: its weights are random. Pass the folder of a checkpoint",
        ),
        ((".", *WALKING), ".: expected a trained model, found a folder without config.json and model.safetensors."),
        (("zero-velocity", "--dataset", "cmv", "--data", "samples"), "unknown data set 'cmv'. Did you mean 'cmu'?"),
        (("zero-velocity", "--dataset", "cmu", "--data", "nowhere"), "nowhere: expected files of the cmu benchmark"),
        (("zero-velocity", *WALKING[:4], "--actions", "walk"), "unknown action 'walk'. Did you mean 'walking'?"),
        (("zero-velocity", *WALKING, "--protocol", "9"), "unknown protocol '9'. Known: all, 8, 256, msrgcn, "),
        (("zero-velocity", *WALKING, "--split", "val"), "unknown split 'val'. Known: train, test."),
        (("zero-velocity", *WALKING, "--frames", "25"), "frames: expected forecast frames in 0..24, got (25,)."),
    ],
)
def test_errors_are_one_line(command, arguments, message):
    answer = command("evaluate", *arguments)
    assert answer.status == 2
    assert answer.err.startswith(f"posegraph: error: {message}")
    assert answer.err.count("\n") == 1
    assert "MPJPE" not in answer.out
