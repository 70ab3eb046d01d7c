from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from posegraph import checkpoint, data, weights
from posegraph.data import formats
from posegraph.forecast import Forecaster
from posegraph.forecast.result import forecast_clip

RUNNING = ("--dataset", "cmu", "--data", "samples", "--clip", "running_1")


def test_numbers_are_those_of_the_forecast(command, saved):
    answer = command("forecast", saved, *RUNNING, "--start", "12", "--device", "cpu", "--out", "new/forecast.npz")
    assert answer.status == 0, answer.err
    running = data.load("cmu", "samples", split="test", actions=["running"]).clips["test"][0]
    expected = forecast_clip(checkpoint.load(saved), running, 12)
    written = np.load("new/forecast.npz")
    np.testing.assert_allclose(written["forecast"], expected.forecast.numpy(), rtol=1e-5)
    np.testing.assert_array_equal(written["observed"], running.poses[12:22].numpy())
    np.testing.assert_array_equal(written["truth"], running.poses[22:47].numpy())
    mean = sum(expected.mpjpe_mm) / 25
    assert f"mean error of this window: {mean:.1f} mm over all joints\n" in answer.out
    assert answer.out.endswith(f"written to {Path('new/forecast.npz')}\n")


def test_no_option_is_needed_where_weights_come_with_the_library(command, tmp_path, shipped, monkeypatch):
    monkeypatch.setattr(weights, "DEFAULT", "traj-gcn/tiny")
    answer = command("forecast")
    assert answer.status == 0, answer.err
    clip = data.load("cmu", "samples", split="test", actions="running").select("test")[0]
    result = forecast_clip(checkpoint.load(shipped / "traj-gcn" / "tiny"), clip, 23)
    assert answer.out.splitlines() == [
        "cmu: 3 test clips at 60 frames a second",
        "traj-gcn, running_1: frames 23 to 32 seen, 25 forecast, 417 ms ahead",
        f"mean error of this window: {sum(result.mpjpe_mm) / 25:.1f} mm over all joints",
        "nothing written: name files with --out, as in --out forecast.gif forecast.npz",
    ]
    assert list(tmp_path.iterdir()) == []


def test_weights_of_the_library_are_taken_by_name(command, shipped):
    answer = command("forecast", "traj-gcn/tiny", "--clip", "running_1", "--start", "12", "--out", "a.npz")
    assert answer.status == 0, answer.err
    running = data.load("cmu", "samples", split="test", actions=["running"]).clips["test"][0]
    expected = forecast_clip(checkpoint.load(shipped / "traj-gcn" / "tiny"), running, 12)
    np.testing.assert_allclose(np.load("a.npz")["forecast"], expected.forecast.numpy(), rtol=1e-5, atol=1e-3)


def test_a_motion_file_goes_in_and_comes_out_with_its_future(command, tmp_path):
    clip = data.load("cmu", "samples", split="test", actions="walking").select("test")[0]
    formats.write(clip, tmp_path / "walking.npz")
    answer = command("forecast", "graph-mixer/cmu", "--data", "walking.npz", "--out", "future.npz", "future.bvh")
    assert answer.status == 0, answer.err
    assert "graph-mixer, walking_1: frames 170 to 179 seen, 25 forecast, 417 ms ahead" in answer.out
    bvh = formats.read("future.bvh")
    assert (bvh.num_frames, round(bvh.fps, 3)) == (180 + 25, 60.0)
    expected = Forecaster("graph-mixer/cmu")(clip.poses)
    np.testing.assert_allclose(np.load("future.npz")["forecast"], expected.numpy(), atol=1e-3)
    assert bvh.root is not None
    assert clip.root is not None
    steps = bvh.root.positions[-25:].diff(dim=0)  # goes on as it went last
    np.testing.assert_allclose(
        steps, np.broadcast_to(clip.root.positions[-1] - clip.root.positions[-2], (24, 3)), atol=0.01
    )


@pytest.mark.usefixtures("shipped")
def test_without_default_weights_it_says_how_to_get_some(command):
    answer = command("forecast")
    assert answer.status == 2
    assert answer.err.startswith("posegraph: error: model: expected a checkpoint folder or a model, got none, and the")
    assert "'posegraph train' writes" in answer.err


def test_without_truth_there_is_no_error_to_report(command):
    answer = command("forecast", "zero-velocity", *RUNNING, "--start", "60", "--out", "forecast.npz")
    assert answer.status == 0, answer.err
    assert "mean error" not in answer.out
    assert "truth" not in np.load("forecast.npz")


def test_pictures_are_drawn_and_a_split_is_chosen(command):
    arguments = ("zero-velocity", *RUNNING[:4], "--clip", "running_3", "--split", "train")
    answer = command("forecast", *arguments, "--out", "strip.png", "animation.gif")
    assert answer.status == 0, answer.err
    assert [line for line in answer.out.splitlines() if "written" in line] == [
        "written to strip.png",
        "written to animation.gif",
    ]
    with Image.open("strip.png") as strip, Image.open("animation.gif") as animation:
        assert (strip.format, animation.format) == ("PNG", "GIF")
        assert animation.n_frames > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("zero-velocity", *RUNNING, "--out", "a.png", "a.mp4"),
            "--out: expected files that end in .gif, .png, .npz or .bvh, ",
        ),
        (("zero-velocity", *RUNNING[:5], "runing_1", "--out", "a.npz"), "unknown clip of split 'test' 'runing_1'. Did"),
        (("zero-velocity", *RUNNING, "--start", "73", "--out", "a.npz"), "start: expected a frame of "),
        (("traj-gcn", *RUNNING, "--out", "a.npz"), "model 'traj-gcn' is not trained"),
        (
            ("zero-velocity", "--dataset", "cmu", "--data", "no", *RUNNING[4:], "--out", "a.npz"),
            "no: expected files of",
        ),
    ],
)
def test_errors_are_one_line_and_leave_nothing(command, tmp_path, arguments, message):
    answer = command("forecast", *arguments)
    assert answer.status == 2
    assert answer.err.startswith(f"posegraph: error: {message}")
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_repository_of_the_hub_is_taken(command, stand_in, tmp_path, monkeypatch):
    stub = SimpleNamespace(snapshot_download=lambda name, **options: str(stand_in / "traj-gcn" / "tiny"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", stub)
    answer = command("forecast", "me/model", *RUNNING, "--start", "12", "--out", "a.npz")
    assert answer.status == 0, answer.err
    running = data.load("cmu", "samples", split="test", actions=["running"]).clips["test"][0]
    expected = forecast_clip(checkpoint.load(stand_in / "traj-gcn" / "tiny"), running, 12)
    np.testing.assert_allclose(np.load("a.npz")["forecast"], expected.forecast.numpy(), rtol=1e-5, atol=1e-3)
