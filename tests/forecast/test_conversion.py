from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from posegraph import data, registry
from posegraph.errors import ConfigError
from posegraph.forecast import Forecaster, forecast_clip
from posegraph.forecast.conversion import Conversion
from posegraph.models.zero_velocity import ZeroVelocity

CLIP = data.load("cmu", "samples", split="test", actions="running").select("test")[0]


def test_units_and_axes_come_in_and_go_out():
    forecaster = Forecaster("graph-mixer/cmu")
    expected = forecaster(CLIP.poses[:40])
    x, y, z = CLIP.poses[:40].unbind(-1)
    given = torch.stack([x, -z, y], dim=-1) / 1000  # z up, metres
    found = Forecaster("graph-mixer/cmu", unit="m", up="z")(given)
    x, y, z = expected.unbind(-1)
    torch.testing.assert_close(found, torch.stack([x, -z, y], dim=-1) / 1000, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("fps", "needed", "future"), [(30, 6, 12), (60, 10, 25), (120, 19, 50), (25, 5, 10), (100, 16, 41)]
)
def test_rates_are_resampled_by_a_cubic_spline(fps, needed, future):
    model = ZeroVelocity(skeleton="cmu")
    change = Conversion(model, 60.0, fps=fps, unit=None, up=None)
    assert (change.needed, change.future_frames) == (needed, future)
    poses = torch.randn(2, needed, 38, 3)
    seen = change.to_model(poses)
    times = np.arange(-9, 1) / 60 * fps + needed - 1
    expected = CubicSpline(np.arange(needed), poses.numpy(), axis=1)(np.maximum(times, 0))
    np.testing.assert_allclose(seen.numpy(), expected, atol=2e-5)
    forecast = torch.randn(2, 25, 38, 3)
    back = change.from_model(forecast, seen[:, -1:])
    spline = CubicSpline(np.arange(26), torch.cat([seen[:, -1:], forecast], dim=1).numpy(), axis=1)
    np.testing.assert_allclose(back.numpy(), spline(np.arange(1, future + 1) / fps * 60), atol=2e-5)


def test_half_the_rate_costs_little_where_it_is_said():
    """Errors of the weights of the library over the running clip, at the frames that both rates have."""
    truth = CLIP.poses
    whole, half = Forecaster("graph-mixer/cmu"), Forecaster("graph-mixer/cmu", fps=30)
    silent, told, right, still = [], [], [], []
    for last in range(20, 56, 4):
        ahead, seen = truth[last + 2 : last + 25 : 2], truth[last % 2 : last + 1 : 2]
        forecasts = (whole(truth[last - 9 : last + 1])[1:24:2], half(seen), whole(seen)[:12], truth[last, None])
        for errors, forecast in zip((right, told, silent, still), forecasts, strict=True):
            errors.append(float((forecast - ahead).norm(dim=-1).mean()))
    right, told, silent, still = (sum(own) / len(own) for own in (right, told, silent, still))
    assert told < 1.25 * right
    assert silent > 2 * right
    assert still > 3 * right


def test_clips_of_another_rate_are_forecast_at_their_own():
    every_other = data.load("cmu", "samples", split="test", actions="running", frame_step=4).select("test")[0]
    model = registry.build("graph-mixer", weights="cmu")
    result = forecast_clip(model, every_other, start=10)
    assert (len(result.observed), len(result.forecast), result.fps) == (6, 12, 30.0)
    assert max(result.mpjpe_mm) < 60


@pytest.mark.parametrize(
    ("skeleton", "model_fps", "given", "message"),
    [
        ("cmu", 60.0, {"fps": 0}, "fps: expected frames a second above 0, got 0"),
        ("cmu", 60.0, {"fps": 2}, "fps: expected at least 2.4, or no frame can be forecast, got 2"),
        (
            "cmu",
            None,
            {"fps": 30},
            "fps: expected none, because it is not known which rate the model was trained on, got 30",
        ),
        ("cmu", 60.0, {"unit": "feet"}, "unit: expected one of 'mm'"),
        ("cmu", 60.0, {"up": "w"}, "up: expected one of 'x'"),
        ("cmu-angles", 60.0, {"unit": "m"}, "unit, up: expected none, because the model forecasts rotations"),
        ("cmu-angles", 60.0, {"fps": 30}, "fps: expected 60, as the model was trained on, since rotations are not"),
    ],
)
def test_what_cannot_be_converted_is_refused(skeleton, model_fps, given, message):
    with pytest.raises(ConfigError, match=message):
        Conversion(ZeroVelocity(skeleton=skeleton), model_fps, **{"fps": None, "unit": None, "up": None} | given)
