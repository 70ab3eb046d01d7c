from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from posegraph import checkpoint, data, registry, weights
from posegraph.data import formats
from posegraph.data.resample import convert
from posegraph.forecast.result import forecast_clip
from posegraph.skeleton import presets
from tests.viz.test_html import read, unpack

WALKING = data.samples() / "test" / "walking" / "walking_1.txt.gz"


def held(skeleton):
    return registry.build("zero-velocity", skeleton=skeleton)


def walking():
    return data.load("cmu", "samples", split="test", actions=["walking"]).select("test")[0]


def test_a_motion_file_becomes_a_page(command, tmp_path):
    answer = command("view", WALKING, "--skeleton", "cmu", "--fps", "120", "--out", "new/walking.html")
    assert answer.status == 0, answer.err
    page = tmp_path / "new" / "walking.html"
    size = round(page.stat().st_size / 1000)
    assert answer.out.splitlines()[-2:] == [
        f"written to new/walking.html ({size} kB)",
        f"open it in a browser: {page.as_uri()}",
    ]
    content = read(page)
    clip = formats.read(WALKING, skeleton="cmu", fps=120)
    assert (content["title"], content["fps"], content["frames"]) == ("walking_1", 120.0, clip.num_frames)
    np.testing.assert_allclose(unpack(content["known"]), clip.poses.numpy(), atol=0.05)


def test_models_forecast_the_whole_clip(command, tmp_path):
    formats.write(walking(), tmp_path / "walking.npz")
    answer = command("view", "walking.npz", "--model", "zero-velocity", "--title", "A walk")
    assert answer.status == 0, answer.err
    content = read(tmp_path / "page.html")
    assert content["title"] == "A walk"
    (model,) = content["models"]
    nows = [window["now"] for window in model["windows"]]
    assert nows == [10, 35, 60, 85, 110, 135, 155]  # 180 frames; the last forecast ends with the clip
    clip = walking()
    results = [forecast_clip(held(clip.skeleton), clip, now - 10) for now in nows]
    errors = [error for result in results for error in result.mpjpe_mm]
    np.testing.assert_allclose([e for window in model["windows"] for e in window["errors"]], errors, atol=1e-3)
    assert f"zero-velocity: 7 forecasts of walking_1, mean error {sum(errors) / len(errors):.1f} mm" in answer.out


def test_models_forecast_a_recording_of_their_body_at_its_rate(command, tmp_path):
    clip = convert(walking(), fps=120)
    file = formats.write(clip, tmp_path / "walk.bvh")
    file.write_text(file.read_text().replace("HandIndex1", "Fingers"))
    checkpoint.save_checkpoint(held("cmu"), tmp_path / "held")
    answer = command("view", "walk.bvh", "--model", "held")
    assert answer.status == 0, answer.err
    assert "The body has the tree of 'cmu' and is taken for it" in answer.out
    content = read(tmp_path / "page.html")
    assert (content["fps"], content["frames"], content["now"]) == (120.0, clip.num_frames, 19)
    assert {window["length"] for window in content["models"][0]["windows"]} == {50}


def test_nothing_is_needed_where_weights_come_with_the_library(command, tmp_path, shipped, monkeypatch):
    monkeypatch.setattr(weights, "DEFAULT", "traj-gcn/tiny")
    answer = command("view")
    assert answer.status == 0, answer.err
    content = read(tmp_path / "page.html")
    assert (content["title"], [model["name"] for model in content["models"]]) == ("running_1", ["traj-gcn"])


@pytest.mark.parametrize("has_truth", [True, False])
def test_a_saved_forecast_becomes_a_page(command, tmp_path, has_truth):
    clip = walking()
    result = forecast_clip(held(clip.skeleton), clip, 20 if has_truth else 160)
    result.save(tmp_path / "mine.npz")
    answer = command("view", "mine.npz")
    assert answer.status == 0, answer.err
    content = read(tmp_path / "page.html")
    assert (content["title"], content["first"], content["skeleton"]["name"]) == ("mine", result.start, "cmu")
    assert (content["models"][0]["windows"][0]["errors"] is not None) == has_truth
    assert content["skeleton"]["sides"] == [("left", "right", "centre").index(clip.skeleton.side(j)) for j in range(38)]


def test_a_forecast_of_rotations_needs_its_skeleton(command, tmp_path):
    body = presets.get("cmu-angles")
    clip = data.load("cmu-angles", "samples", split="test", actions=["walking"]).select("test")[0]
    forecast_clip(held(body), clip, 20).save(tmp_path / "angles.npz")
    answer = command("view", "angles.npz")
    assert answer.status == 2
    assert "angles.npz: expected positions in mm, got a body within" in answer.err
    assert "as in --skeleton cmu-angles" in answer.err
    assert command("view", "angles.npz", "--skeleton", "cmu-angles").status == 0


def test_a_forecast_of_an_unknown_body_is_shown(command, tmp_path):
    names = np.array(["a", "b"])
    poses = torch.tensor([[[0.0, 0, 0], [0, 500, 0]]]).numpy()
    np.savez(tmp_path / "two.npz", observed=poses, forecast=poses, joint_names=names, parents=[-1, 0], fps=30, start=0)
    assert command("view", "two.npz", "--fps", "50").status == 0
    content = read(tmp_path / "page.html")
    assert (content["skeleton"]["joints"], content["fps"]) == (["a", "b"], 50.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "page.pdf"), "--out: expected a file that ends in .html, got 'page.pdf'."),
        (("--fps", "30"), "--fps: expected with a motion file, got it for the bundled clip. Name a file."),
        (("--skeleton", "cmu"), "--skeleton: expected with a motion file, got it for the bundled clip."),
        (("walk.xyz",), "walk.xyz: expected a motion file that ends in one of"),
        (("absent.npz",), "absent.npz"),
        (("part.npz",), "part.npz: expected a forecast that 'posegraph forecast' wrote, got"),
        (("damaged.npz",), "damaged.npz: expected NumPy arrays, got a damaged file"),
        (("part.npz", "--model", "zero-velocity"), "--model: expected with a motion file, got it with the forecast"),
        (
            ("short.npz", "--model", "zero-velocity"),
            "expected at least 35 frames, which the models see and forecast, got 20. Choose a longer clip",
        ),
    ],
)
def test_what_cannot_be_shown_is_said(command, tmp_path, arguments, message):
    np.savez(tmp_path / "part.npz", forecast=np.zeros((1, 2, 3)))
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 nothing")
    clip = walking()
    formats.write(type(clip)(clip.poses[:20], clip.skeleton, clip.fps), tmp_path / "short.npz")
    answer = command("view", *arguments)
    assert answer.status == 2
    assert re.search(re.escape(message), answer.err), answer.err
    assert not list(tmp_path.glob("*.html"))
