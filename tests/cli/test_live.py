from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest

from posegraph import data
from posegraph.data import formats
from tests.viz.test_html import read


@pytest.fixture
def walking(tmp_path):
    clip = data.load("cmu", "samples", split="test", actions=["walking"]).select("test")[0]
    formats.write(clip, tmp_path / "walking.npz")
    return clip


def lines(monkeypatch, *given) -> None:
    text = "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in given)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_recording_is_played_and_shown(command, walking, saved, tmp_path):
    answer = command("live", "walking.npz", "--model", saved, "--speed", "0", "--out", "page.html")
    assert answer.status == 0, answer.err
    assert answer.out.splitlines()[0] == "msrgcn-1l, walking_1: 180 poses at 60 a second, model at 60"
    assert answer.out.splitlines()[1].startswith("171 forecasts, latency ")
    (model,) = read(tmp_path / "page.html")["models"]
    nows = [window["now"] for window in model["windows"]]
    assert nows == list(range(10, 181, 25))
    assert [window["errors"] is None for window in model["windows"]] == [False] * 6 + [True]


def test_other_frame_rates_are_shown_at_their_own(command, walking, tmp_path):
    answer = command(
        "live", "walking.npz", "--fps", "30", "--model", "zero-velocity", "--speed", "0", "--out", "page.html"
    )
    assert answer.status == 0, answer.err
    content = read(tmp_path / "page.html")
    assert content["fps"] == 30
    assert {window["length"] for window in content["models"][0]["windows"]} == {12}  # 25 frames at 60


def test_a_recording_takes_its_time(command, walking, monkeypatch):
    slept = []
    monkeypatch.setattr("posegraph.cli.live.time.sleep", slept.append)
    answer = command("live", "walking.npz", "--model", "zero-velocity", "--speed", "2")
    assert answer.status == 0, answer.err
    assert len(slept) == 180
    assert 1.0 < max(slept) < 179 / 120  # nothing waits in this test, so the last wait is nearly the whole time


def test_lines_are_answered(command, walking, monkeypatch):
    poses = walking.poses[:12].double().numpy() / 1000
    given = [{"t": frame / 60, "pose": pose.tolist(), "person": "ann"} for frame, pose in enumerate(poses)]
    given[10]["pose"][5] = None
    lines(monkeypatch, *given, "")
    answer = command("live", "--stdin", "--model", "zero-velocity", "--unit", "m")
    assert answer.status == 0, answer.err
    answers = [json.loads(line) for line in answer.out.splitlines()]
    assert [(own["person"], round(own["t"] * 60)) for own in answers] == [("ann", 9), ("ann", 10), ("ann", 11)]
    assert answers[0]["times"][0] == round(10 / 60, 6)
    np.testing.assert_allclose(answers[0]["poses"][24], poses[9], atol=1e-3)
    assert answer.err.startswith("3 forecasts, latency ")


def test_bad_lines_are_named(command, walking, monkeypatch):
    pose = walking.poses[0].tolist()
    for wrong, message in (
        ("hello", r"line 2: expected {\"t\": SECONDS"),
        ({"t": 1.0}, "KeyError: 'pose'"),
        ({"t": 1.0, "pose": [[1, 2]]}, "line 2: pose of person 0: expected (38 joints, 3), got (1, 2)"),
        ({"t": 0.0, "pose": pose}, "line 2: t: expected a time later than 0 s, when person 0 was seen last, got 0"),
        ({"t": 1.0, "pose": pose, "person": [1]}, 'line 2: expected a text or whole number as "person", got [1]'),
    ):
        lines(monkeypatch, {"t": 0.0, "pose": pose}, wrong)
        answer = command("live", "--stdin", "--model", "zero-velocity")
        assert answer.status == 2
        assert message.replace("\\", "") in answer.err


def test_bad_options_are_refused(command, walking):
    for options, message in (
        ([], "expected a file or --stdin, got neither"),
        (["walking.npz", "--stdin"], "expected a file or --stdin, got both"),
        (["walking.npz", "--speed", "-1"], "--speed: expected 0 or more, got -1"),
        (["walking.npz", "--out", "page.txt"], "--out: expected with a file, and to end in .html, got 'page.txt'"),
    ):
        answer = command("live", *options)
        assert answer.status == 2
        assert message in answer.err


def test_a_recording_that_is_too_short_has_no_page(command, walking, tmp_path):
    short = type(walking)(walking.poses[:5], walking.skeleton, 60.0, name="short")
    formats.write(short, tmp_path / "short.npz")
    answer = command("live", "short.npz", "--model", "zero-velocity", "--speed", "0", "--out", "page.html")
    assert answer.status == 2
    assert "expected a recording longer than the 10 frames" in answer.err


def test_a_recording_in_bvh_is_taken_for_the_body_of_the_model(command, walking, tmp_path):
    formats.write(walking, tmp_path / "walk.bvh")
    answer = command("live", "walk.bvh", "--model", "zero-velocity", "--speed", "0")
    assert (answer.status, answer.err) == (0, "")
    assert "forecasts, latency" in answer.out
