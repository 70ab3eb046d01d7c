from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from posegraph import checkpoint, data, evaluation, registry, viz
from posegraph.evaluation.joints import evaluate_joints
from posegraph.forecast.result import forecast_clip

WALKING = ("--dataset", "cmu", "--data", "samples", "--actions", "walking", "--protocol", "8")
CLIP = ("--dataset", "cmu", "--data", "samples", "--clip", "walking_1")


def recorder(seen, name, original):
    def record(*arguments, **settings):
        seen[name] = (arguments, settings)
        return original(*arguments, **settings)

    return record


@pytest.fixture
def calls(monkeypatch):
    """What is handed to the functions that draw, which draw all the same."""
    seen = {}
    for name in ("error_panels", "joint_error_map", "compare_strips"):
        monkeypatch.setattr(viz, name, recorder(seen, name, getattr(viz, name)))
    return seen


@pytest.fixture(scope="module")
def long_sighted(tmp_path_factory):
    """A checkpoint that sees 20 frames and forecasts 12."""
    torch.manual_seed(0)
    sizes = {"channels": 8, "num_blocks": 1, "observed_frames": 20, "future_frames": 12}
    return checkpoint.save_checkpoint(
        registry.build("msrgcn-1l", skeleton="cmu", **sizes), tmp_path_factory.mktemp("l")
    )


def drawn(command, *arguments):
    answer = command("plot", *arguments, "--out", "new/picture.png")
    assert answer.status == 0, answer.err
    assert answer.out.endswith(f"written to {Path('new/picture.png')}\n")
    assert Path("new/picture.png").read_bytes().startswith(b"\x89PNG")


# --- curve -----------------------------------------------------------------------------------------------------------


def test_curves_are_those_of_the_evaluation(command, calls, saved):
    drawn(command, "curve", "zero-velocity", saved, *WALKING, "--frames", "24", "9", "--title", "A title")
    ((results, _), settings) = calls["error_panels"]
    walking = data.load("cmu", "samples", split="test", actions=["walking"])
    protocol = evaluation.Protocol("cmu", windows="8", actions=("walking",), frames=(9, 24))
    for name, model in {"zero-velocity": registry.build("zero-velocity", skeleton="cmu"), "msrgcn-1l": saved}.items():
        model = checkpoint.load(model) if isinstance(model, Path) else model
        expected = evaluation.evaluate(model, walking, protocol)
        assert results[name].protocol == expected.protocol
        assert results[name].errors == pytest.approx(expected.errors, rel=1e-5)
    assert settings == {"actions": ("mean",), "title": "A title"}


def test_results_on_file_need_no_data(command, calls):
    command("evaluate", "zero-velocity", *WALKING, "--out", "zero.json")
    drawn(command, "curve", "zero.json", "--panels", "all")
    (results, _), settings = calls["error_panels"]
    assert results["zero-velocity"].to_json() == json.loads(Path("zero.json").read_text())
    assert settings["actions"] is None


def test_files_and_models_go_together(command, calls, saved):
    command("evaluate", "zero-velocity", *WALKING, "--out", "zero.json")
    drawn(command, "curve", "zero.json", saved, *WALKING, "--labels", "still", "mine", "--panels", "walking")
    (results, _), settings = calls["error_panels"]
    assert list(results) == ["still", "mine"]
    assert settings["actions"] == ("walking",)


def test_models_of_one_name_are_called_by_their_folders(command, calls, saved):
    drawn(command, "curve", saved, "zero-velocity", f"{saved}/.", *WALKING)
    (results, _), _ = calls["error_panels"]
    assert list(results) == [str(saved), "zero-velocity", f"{saved}/."]


# --- joints ----------------------------------------------------------------------------------------------------------


def test_joints_have_the_errors_of_the_evaluation(command, calls):
    drawn(command, "joints", "zero-velocity", *WALKING, "--frames", "9", "3", "--worst", "4", "--joints", "used")
    (errors, _), settings = calls["joint_error_map"]
    walking = data.load("cmu", "samples", split="test", actions=["walking"])
    protocol = evaluation.Protocol("cmu", windows="8", actions=("walking",), frames=(3, 9), joints="used")
    expected = evaluate_joints(registry.build("zero-velocity", skeleton="cmu"), walking, protocol)
    torch.testing.assert_close(errors["zero-velocity"], expected.errors)
    assert settings["protocol"] == expected.protocol.describe()
    assert (settings["frames"], settings["worst"]) == ((3, 9), 4)
    assert settings["drawing"] == viz.Drawing(fps=60, label_fps=25)
    torch.testing.assert_close(settings["poses"], walking.select("test")[0].poses)


def test_two_frames_are_drawn_and_missing_clips_are_mentioned(command, calls):
    drawn(command, "joints", "zero-velocity", "--dataset", "cmu", "--data", "samples", "--protocol", "8")
    _, settings = calls["joint_error_map"]
    assert (settings["frames"], settings["worst"]) == ((9, 24), 3)
    assert "clips missing, left out of the mean: basketball_signal, directing_traffic, jumping," in settings["protocol"]


def test_joints_of_rotations_are_measured_as_positions(command, calls):
    rotations = ("--dataset", "cmu-angles", *WALKING[2:])
    drawn(command, "joints", "zero-velocity", *rotations)
    ((of_rotations, _), _) = calls["joint_error_map"]
    drawn(command, "joints", "zero-velocity", *WALKING)
    ((of_positions, _), _) = calls["joint_error_map"]
    torch.testing.assert_close(of_rotations, of_positions)


# --- strip -----------------------------------------------------------------------------------------------------------


def test_a_strip_shows_one_window(command, calls, saved):
    drawn(command, "strip", saved, "zero-velocity", *CLIP, "--start", "30", "--frames", "24", "4", "--title", "Walking")
    (forecasts, truth), settings = calls["compare_strips"]
    clip = data.load("cmu", "samples", split="test", actions=["walking"]).select("test")[0]
    expected = forecast_clip(checkpoint.load(saved), clip, 30)
    assert list(forecasts) == ["msrgcn-1l", "zero-velocity"]
    torch.testing.assert_close(forecasts["msrgcn-1l"], expected.forecast, rtol=1e-5, atol=1e-2)
    torch.testing.assert_close(truth, expected.truth)
    assert settings["window"] == "cmu test, walking_1, forecast from frame 40"
    assert settings["frames"] == [4, 24]
    assert settings["drawing"] == viz.Drawing(title="Walking", fps=60, label_fps=25)


def test_all_models_forecast_the_same_frames(command, calls, long_sighted):
    drawn(command, "strip", long_sighted, "zero-velocity", *CLIP, "--start", "30")
    (forecasts, truth), settings = calls["compare_strips"]
    clip = data.load("cmu", "samples", split="test", actions=["walking"]).select("test")[0]
    torch.testing.assert_close(truth, clip.poses[50:62])
    torch.testing.assert_close(forecasts["zero-velocity"], clip.poses[49].expand(12, -1, -1))
    assert settings["window"] == "cmu test, walking_1, forecast from frame 50"
    assert settings["frames"] is None


# --- what cannot be drawn --------------------------------------------------------------------------------------------

ZERO = ("zero-velocity",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("curve", *ZERO, *WALKING, "--out", "a.gif"), "--out: expected a file that ends in .png, got 'a.gif'."),
        (("curve", *WALKING), "models: expected at least one checkpoint folder, model or JSON file, got none."),
        (
            ("curve", *ZERO, *WALKING, "--labels", "a", "b"),
            "--labels: expected 1, one for each model, got 2. Name all of them, or none.",
        ),
        (
            ("curve", *ZERO, *ZERO, *WALKING),
            "--labels: expected different names of the models, got zero-velocity, zero-velocity. Choose others.",
        ),
        (("curve", *ZERO, *WALKING, "--clip", "walking_1"), "--clip: expected for strip only, got it for curve."),
        (("joints", *ZERO, *WALKING, "--panels", "all"), "--panels: expected for curve only, got it for joints."),
        (("curve", *ZERO, *WALKING, "--worst", "2"), "--worst: expected for joints only, got it for curve."),
        (
            ("strip", *ZERO, *CLIP, "--protocol", "8"),
            "--protocol: expected for curve and joints only, got it for strip.",
        ),
        (("joints", *ZERO, "--dataset", "cmu"), "--dataset, --data: expected both for joints of models, got cmu."),
        (
            ("strip", *ZERO),
            "--dataset, --data: expected both for strip of models, got neither. Name the data set and its",
        ),
        (("curve", "traj-gcn", *WALKING), "model 'traj-gcn' is not trained: its weights are random."),
        (
            ("curve", *ZERO, *WALKING, "--panels", "waking"),
            "unknown action of the results 'waking'. Did you mean 'walk",
        ),
        (("curve", "broken.json"), "broken.json: expected a result that 'posegraph evaluate --out' wrote: Expecting"),
        (("curve", "other.json"), "other.json: expected a result that 'posegraph evaluate --out' wrote: result: "),
        (("curve", "none.json"), "[Errno 2] No such file or directory: 'none.json'"),
        (
            ("curve", "zero.json", "--frames", "9"),
            "--frames: expected with models to evaluate, got JSON files alone, which hold what was measured. Leave it "
            "out; --panels chooses the actions to draw.",
        ),
        (
            ("curve", "zero.json", *ZERO, *WALKING, "--metric", "mpjpe_up_to", "--labels", "a", "b"),
            "results: expected one protocol, but 'b' has metric mpjpe_up_to where 'a' has mpjpe_at. Evaluate all",
        ),
        (
            ("joints", *ZERO, *WALKING, "--metric", "euler_at"),
            "metric: expected 'mpjpe_at' or 'mpjpe_up_to', got 'euler",
        ),
        (("joints", *ZERO, *WALKING, "--worst", "0"), "worst: expected one of 1, 2, 3, 4, 5, 6, 7, 8; got 0."),
        (("strip", *ZERO, *CLIP[:4]), "--clip: expected the name of a clip for strip, got none. Known: basketball_1, "),
        (("strip", *ZERO, *CLIP[:5], "waking_1"), "unknown clip of split 'test' 'waking_1'. Did you mean 'walking_1'?"),
        (
            ("strip", *ZERO, *CLIP, "--start", "146"),
            "--start: expected a frame in 0..145, so that walking_1 with its 180 frames has true poses for 25 forecast "
            "frames, got 146.",
        ),
        (("strip", *ZERO, *CLIP, "--start", "-1"), "--start: expected a frame in 0..145, so that walking_1 "),
        (("strip", *ZERO, *CLIP, "--frames", "25"), "frames: expected forecast frames in 0..24, got [25]."),
    ],
)
def test_errors_are_one_line_and_draw_nothing(command, arguments, message):
    Path("broken.json").write_text("{")
    Path("other.json").write_text("{}")
    command("evaluate", "zero-velocity", *WALKING, "--out", "zero.json")
    answer = command("plot", *arguments, *(() if "--out" in arguments else ("--out", "a.png")))
    assert answer.status == 2
    assert answer.err.startswith(f"posegraph: error: {message}")
    assert answer.err.count("\n") == 1
    assert not list(Path().glob("a.*"))


def test_clips_have_to_be_as_long_as_a_window(command, long_sighted, tmp_path):
    sizes = {"channels": 8, "num_blocks": 1, "observed_frames": 80, "future_frames": 12}
    far_sighted = checkpoint.save_checkpoint(registry.build("msrgcn-1l", skeleton="cmu", **sizes), tmp_path / "far")
    running = (*CLIP[:5], "running_1")
    answer = command("plot", "strip", long_sighted, *running, "--start", "60", "--out", "a.png")
    assert answer.err.startswith("posegraph: error: --start: expected a frame in 0..50, so that running_1 with its 82")
    answer = command("plot", "strip", far_sighted, long_sighted, *running, "--out", "a.png")
    message = (
        "--clip: expected one of at least 92 frames, which the models see and forecast, got running_1 with 82. Choose"
    )
    assert answer.err.startswith(f"posegraph: error: {message}")


def test_models_of_other_lengths_are_not_mapped_together(command, long_sighted):
    arguments = ("joints", long_sighted, "zero-velocity", *WALKING, "--frames", "3", "--out", "a.png")
    answer = command("plot", *arguments)
    message = "models: expected one number of forecast frames, got [12, 25]. Draw them apart.\n"
    assert answer.err == f"posegraph: error: {message}"
