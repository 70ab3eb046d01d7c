from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from posegraph import data, registry
from posegraph.data import Clip
from posegraph.errors import ConfigError, DataError
from posegraph.forecast.forecaster import Forecaster
from posegraph.forecast.result import ForecastResult, forecast_clip
from posegraph.skeleton import presets
from tests.forecast.toys import BODY, Drift, Labelled, poses


@pytest.fixture
def clip() -> Clip:
    return Clip(poses(10), BODY, fps=30.0, action="waving", name="waving_1")


def test_a_clip_is_cut_at_the_start(clip: Clip) -> None:
    model = Drift()
    result = forecast_clip(model, clip, 4)
    assert torch.equal(result.observed, clip.poses[4:7])
    assert result.truth is not None
    assert torch.equal(result.truth, clip.poses[7:9])
    assert torch.equal(result.forecast, Forecaster(model)(clip.poses[:7]))
    assert (result.skeleton, result.fps, result.start) == (BODY, 30.0, 4)


@pytest.mark.parametrize(("start", "has_truth"), [(0, True), (5, True), (6, False), (7, False)])
def test_truth_is_complete_or_none(clip: Clip, start: int, has_truth: bool) -> None:
    result = forecast_clip(Drift(), clip, start, device="cpu")
    assert (result.truth is not None) == has_truth
    assert result.forecast.shape == (2, 4, 3)


def test_mpjpe_is_the_mean_distance_of_the_joints(clip: Clip) -> None:
    result = forecast_clip(Drift(), clip, 4)
    assert result.truth is not None
    for frame in range(2):
        distances = [
            sum((float(f) - float(t)) ** 2 for f, t in zip(forecast, true, strict=True)) ** 0.5
            for forecast, true in zip(result.forecast[frame], result.truth[frame], strict=True)
        ]
        assert result.mpjpe_mm[frame] == pytest.approx(sum(distances) / 4, rel=1e-5)


def test_mpjpe_needs_truth(clip: Clip) -> None:
    message = (
        "mpjpe_mm: expected true poses for all 2 forecast frames, got none, because the clip ends too soon after "
        "frame 7. Choose an earlier start."
    )
    with pytest.raises(DataError, match=re.escape(message)):
        _ = forecast_clip(Drift(), clip, 7).mpjpe_mm


@pytest.mark.parametrize(
    ("frames", "start", "works"),
    [
        (10, 8, "choose start in 0..7, or in 0..5 to have true poses for every forecast frame."),
        (10, -1, "choose start in 0..7, or in 0..5 to have true poses for every forecast frame."),
        (4, 2, "choose start in 0..1."),
        (2, 0, "no start works, the clip is too short."),
    ],
)
def test_a_start_out_of_range_says_which_would_work(frames: int, start: int, works: str) -> None:
    clip = Clip(poses(frames), BODY, fps=30.0, name="short")
    message = (
        f"start: expected a frame of clip 'short', which has {frames} frames, got {start}. The model sees 3 frames: "
        + works
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        forecast_clip(Drift(), clip, start)


def test_a_clip_of_another_skeleton_is_refused() -> None:
    clip = Clip(torch.zeros(50, 38, 3), presets.get("cmu"), fps=60.0, name="walking_1")
    message = (
        "skeleton: expected a model of 'cmu' (38 joints, 25 used) as in clip 'walking_1', got one of 'body' (4 joints, "
        "2 used). Build the model for the skeleton of clip 'walking_1'."
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        forecast_clip(Drift(), clip)


def read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def test_saved_results_are_read_back_without_pickle(clip: Clip, tmp_path: Path) -> None:
    result = forecast_clip(Drift(), clip, 4)
    path = result.save(tmp_path / "new" / "waving.npz")
    saved = read(path)
    assert result.truth is not None
    for name, tensor in (("observed", result.observed), ("forecast", result.forecast), ("truth", result.truth)):
        np.testing.assert_array_equal(saved.pop(name), tensor.numpy())
    assert saved.pop("joint_names").tolist() == ["root", "a", "b", "copy"]
    assert saved.pop("parents").tolist() == [-1, 0, 1, 2]
    assert (float(saved.pop("fps")), int(saved.pop("start"))) == (30.0, 4)
    assert not saved


def test_saving_without_truth_leaves_it_out(clip: Clip, tmp_path: Path) -> None:
    saved = read(forecast_clip(Drift(), clip, 7).save(str(tmp_path / "end.npz")))
    assert "truth" not in saved
    assert saved["forecast"].shape == (2, 4, 3)


def test_a_failed_save_keeps_the_old_file(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result: ForecastResult = forecast_clip(Drift(), clip, 4)
    path = result.save(tmp_path / "waving.npz")
    before = path.read_bytes()

    def fail(file: object, **arrays: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        result.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["waving.npz"]


def test_the_name_of_a_saved_file_must_say_its_format(clip: Clip, tmp_path: Path) -> None:
    message = "path: expected a file name that ends in .npz, got 'waving.csv'. Rename it."
    with pytest.raises(ConfigError, match=re.escape(message)):
        forecast_clip(Drift(), clip).save(tmp_path / "waving.csv")


def test_a_model_with_labels_forecasts_for_an_action():
    clip = Clip(poses(12), BODY, 25.0, action="wave")
    plain = forecast_clip(Drift(), clip)
    used = list(clip.skeleton.used)
    torch.testing.assert_close(forecast_clip(Labelled(), clip).forecast[:, used], plain.forecast[:, used] + 1)
    motion = poses(3, 7)
    torch.testing.assert_close(Forecaster(Labelled(), action="bow")(motion), Forecaster(Drift())(motion))


def test_errors_of_rotations_are_those_of_their_positions():
    walking = ["walking"]
    results = [
        forecast_clip(
            registry.build("zero-velocity", skeleton=name),
            data.load(name, "samples", actions=walking).select("test")[0],
            start=40,
        ).mpjpe_mm
        for name in ("cmu", "cmu-angles")
    ]
    assert results[0] == pytest.approx(results[1], rel=1e-4)
