from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from posegraph import checkpoint, data, registry
from posegraph.data import Clip
from posegraph.errors import ConfigError, DataError, ShapeError, UnknownNameError
from posegraph.forecast.forecaster import Forecaster
from posegraph.forecast.result import ForecastResult, forecast_clip
from posegraph.models.base import ForecastModel
from posegraph.models.zero_velocity import ZeroVelocity
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton

# A root that never moves, two used joints, and a copy of the second one.
BODY = Skeleton("body", ("root", "a", "b", "copy"), (-1, 0, 1, 2), constant=("root",), duplicates={"copy": "b"})


class Drift(ForecastModel):
    """Moves the last pose by a learned step a frame, plus noise while it is trained."""

    def __init__(self, **options: object) -> None:
        super().__init__(skeleton=BODY, observed_frames=3, future_frames=2, **options)  # type: ignore[arg-type]
        self.step = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.noise = nn.Dropout(0.5)
        self.frozen = nn.Dropout(0.5).eval()

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.check_observed(observed)
        steps = torch.arange(1, 3, dtype=observed.dtype)[:, None, None] * self.noise(self.step)
        return (torch.cat([observed, observed[:, -1:] + steps], dim=1),)


def poses(*lead: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*lead, 4, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)


def test_zero_velocity_repeats_the_last_full_pose() -> None:
    cmu = presets.get("cmu")
    generator = torch.Generator().manual_seed(0)
    motion = cmu.expand(torch.randn(12, 25, 3, generator=generator), torch.randn(38, 3, generator=generator))
    forecast = Forecaster(ZeroVelocity(skeleton=cmu, future_frames=5))(motion)
    assert torch.equal(forecast, motion[-1:].expand(5, -1, -1))


def test_every_joint_comes_from_where_it_should() -> None:
    motion = poses(7)
    forecast = Forecaster(Drift())(motion)
    for frame in range(2):
        moved = motion[-1] + (frame + 1) * torch.tensor([1.0, 2.0, 3.0])
        torch.testing.assert_close(forecast[frame, 1:3], moved[1:3])
        assert torch.equal(forecast[frame, 3], forecast[frame, 2])  # the copy follows its source, not its own past
        assert torch.equal(forecast[frame, 0], motion[-1, 0])  # the constant joint stays


def test_only_the_last_frames_count() -> None:
    motion = poses(7)
    forecaster = Forecaster(Drift())
    assert torch.equal(forecaster(motion), forecaster(motion[-3:]))


def test_a_batch_is_forecast_as_its_windows_are() -> None:
    motion = poses(5, 3)
    forecaster = Forecaster(Drift())
    assert torch.equal(forecaster(motion), torch.stack([forecaster(window) for window in motion]))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numpy_and_torch_agree_and_keep_their_type(dtype: str) -> None:
    motion = poses(2, 4).numpy().astype(dtype)
    forecaster = Forecaster(Drift())
    forecast = forecaster(motion)
    assert isinstance(forecast, np.ndarray)
    assert forecast.dtype == motion.dtype
    from_torch = forecaster(torch.from_numpy(motion))
    assert isinstance(from_torch, torch.Tensor)
    assert from_torch.dtype == getattr(torch, dtype)
    np.testing.assert_array_equal(forecast, from_torch.numpy())


def test_any_numpy_memory_is_accepted() -> None:
    motion = poses(4).numpy()
    backwards = motion[::-1]
    backwards.setflags(write=False)
    forecaster = Forecaster(Drift())
    np.testing.assert_array_equal(forecaster(backwards), forecaster(backwards.copy()))


def test_models_of_other_precision_work() -> None:
    forecast = Forecaster(Drift().double())(poses(3))
    assert forecast.dtype == torch.float32


def test_the_result_is_an_ordinary_tensor_without_history() -> None:
    motion = poses(3).requires_grad_()
    forecast = Forecaster(Drift())(motion)
    assert not forecast.requires_grad
    assert not forecast.is_inference()
    before = motion.detach().clone()
    forecast += 1
    assert torch.equal(motion, before)


def test_the_model_runs_in_evaluation_mode_and_gets_its_modes_back() -> None:
    model = Drift()
    modes = {name: module.training for name, module in model.named_modules()}
    assert modes == {"": True, "noise": True, "frozen": False}
    forecaster = Forecaster(model)
    assert torch.equal(forecaster(poses(3)), forecaster(poses(3)))  # no dropout
    assert {name: module.training for name, module in model.named_modules()} == modes


def test_modes_come_back_after_an_error() -> None:
    class Broken(Drift):
        def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
            raise RuntimeError("broken")

    model = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        Forecaster(model)(poses(3))
    assert model.training
    assert model.noise.training


def test_the_model_is_moved_to_a_device() -> None:
    model = Drift()
    assert Forecaster(model, device="cpu").model is model
    assert Forecaster(Drift(), device="meta").model.step.device.type == "meta"


def test_too_few_frames() -> None:
    message = (
        "poses: expected (at least 3 frames, 4 joints, 3), got (2, 4, 3). The model sees 3 frames: wait for more, "
        "or build it with fewer observed_frames."
    )
    with pytest.raises(ShapeError, match=re.escape(message)):
        Forecaster(Drift())(poses(2))
    with pytest.raises(ShapeError, match=re.escape("(batch, at least 3 frames, 4 joints, 3), got (5, 2, 4, 3)")):
        Forecaster(Drift())(poses(5, 2))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 2, 3), "(frames, 4 joints, 3), got (3, 2, 3)"),
        ((1, 3, 2, 3), "(batch, frames, 4 joints, 3), got (1, 3, 2, 3)"),
        ((4, 3), "(frames, 4 joints, 3), got (4, 3)"),
    ],
)
def test_wrong_joints(shape: tuple[int, ...], expected: str) -> None:
    message = f"poses: expected {expected}. Give all joints of skeleton 'body', unused ones too"
    with pytest.raises(ShapeError, match=re.escape(message)):
        Forecaster(Drift())(torch.zeros(shape))


def test_integers_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"poses: expected a floating-point tensor, got torch\.int64"):
        Forecaster(Drift())(np.zeros((3, 4, 3), dtype=np.int64))


def test_gaps_are_refused_where_the_model_sees_them() -> None:
    motion = poses(5)
    motion[0] = torch.nan  # too long ago
    motion[-1, 0] = torch.nan  # the constant joint
    forecaster = Forecaster(Drift())
    assert forecaster(motion)[:, 1:].isfinite().all()
    motion[-2:, 2] = torch.inf
    message = (
        "poses: expected finite positions in the last 3 frames, got NaN or infinity in 2 of them (joints b). "
        "Fill gaps first"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        forecaster(motion)


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


class Labelled(Drift):
    """Drifts by as many millimetres more as the number of the action."""

    actions = ("bow", "wave")

    def predict(self, observed, action=None):
        return super().predict(observed) + action[:, None, None, None]


def test_a_model_with_labels_forecasts_for_an_action():
    clip = Clip(poses(12), BODY, 25.0, action="wave")
    plain = forecast_clip(Drift(), clip)
    used = list(clip.skeleton.used)
    torch.testing.assert_close(forecast_clip(Labelled(), clip).forecast[:, used], plain.forecast[:, used] + 1)
    motion = poses(3, 7)
    torch.testing.assert_close(Forecaster(Labelled(), action="bow")(motion), Forecaster(Drift())(motion))


def test_labels_are_given_where_they_are_needed_and_only_there():
    with pytest.raises(ConfigError, match="action: expected one of bow, wave, because the model takes action labels"):
        Forecaster(Labelled())
    with pytest.raises(ConfigError, match="action: expected none, because the model takes no action labels, got 'bow'"):
        Forecaster(Drift(), action="bow")
    with pytest.raises(UnknownNameError, match="unknown action label of the model 'jump'"):
        Forecaster(Labelled(), action="jump")


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


@pytest.mark.parametrize("name", ["traj-gcn", "msrgcn", "pgbig"])
def test_fast_forecasts_are_the_same(name):
    settings = {"channels": 8, "num_stages": 2} if name == "pgbig" else {"channels": 8, "num_blocks": 1}
    model = registry.build(name, skeleton="cmu", **settings)
    clip = data.load("cmu", "samples", split="test", actions=["walking"]).select("test")[0]
    plain, fast = Forecaster(model)(clip.poses[:40]), Forecaster(model, fast=True)(clip.poses[:40])
    assert float((fast - plain).abs().max()) <= 1e-5 * float(plain.abs().max())
    assert model.training


def test_a_forecaster_is_made_from_weights(shipped):
    clip = data.load("cmu", "samples", split="test", actions=["walking"]).select("test")[0]
    expected = Forecaster(checkpoint.load(shipped / "traj-gcn" / "tiny"))(clip.poses[:40])
    forecaster = Forecaster.from_pretrained("traj-gcn/tiny", device="cpu")
    assert torch.equal(forecaster(clip.poses[:40]), expected)
    fast = Forecaster.from_pretrained(shipped / "traj-gcn" / "tiny", fast=True)
    torch.testing.assert_close(fast(clip.poses[:40]), expected, rtol=1e-5, atol=1e-2)
    with pytest.raises(ConfigError, match="action: expected none, because the model takes no action labels, got 'bow'"):
        Forecaster.from_pretrained("traj-gcn/tiny", action="bow")
