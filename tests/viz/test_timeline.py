from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from posegraph.data.clip import Clip
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.evaluation.metrics import mpjpe_at
from posegraph.skeleton.root import RootMotion
from posegraph.viz._timeline import timeline
from tests.viz.drawing import ANGLES, CMU, motion, rotations
from tests.viz.windows import FRAMES, TRUE, result


def turning(frames: int) -> RootMotion:
    """A root that goes along x and turns about y."""
    angles = torch.arange(frames) / 10.0
    rotations = torch.zeros(frames, 3, 3)
    rotations[:, 0, 0] = rotations[:, 2, 2] = angles.cos()
    rotations[:, 0, 2], rotations[:, 2, 0] = -angles.sin(), angles.sin()
    rotations[:, 1, 1] = 1.0
    return RootMotion(torch.stack([angles * 300, torch.full_like(angles, 900), angles * 0], dim=1), rotations)


def test_one_forecast_has_its_frames() -> None:
    line = timeline(result(7))
    assert (line.first, line.num_frames, line.now, len(line.known), line.fps) == (7, 10, 4, 10, 60.0)
    np.testing.assert_allclose(line.known, TRUE[7:17].numpy(), rtol=1e-6)
    (window,) = line.models["forecast"]
    assert window.now == 4
    np.testing.assert_allclose(window.errors, [30.0] * 6, rtol=1e-5)


def test_zero_velocity_holds_the_last_observed_pose() -> None:
    line = timeline(result(7))
    (window,) = line.zero_velocity
    held = TRUE[10:11].expand(6, -1, -1)
    np.testing.assert_allclose(window.errors, mpjpe_at(held[None], TRUE[None, 11:17]).numpy(), rtol=1e-5)
    assert list(line.with_zero_velocity().models) == ["forecast", "zero velocity"]
    named = timeline({"zero-velocity": result()})
    assert named.with_zero_velocity() is named


def test_several_forecasts_make_one_line() -> None:
    line = timeline({"near": [result(6), result(0), result(12)], "far": [result(0, off=90.0)]})
    assert (line.num_frames, line.now) == (22, 4)
    assert [window.now for window in line.models["near"]] == [4, 10, 16]
    np.testing.assert_allclose(line.known, TRUE[:22].numpy(), rtol=1e-6)
    window, within = line.at("near", 10.5) or pytest.fail("nothing is shown")
    assert (window.now, within) == (10, 0.5)
    assert line.at("near", 3.9) is None
    assert line.at("far", 11.0) is None


def test_models_may_see_different_numbers_of_frames() -> None:
    line = timeline({"long": result(0, observed=8), "short": result(5, observed=3)})
    assert [windows[0].now for windows in line.models.values()] == [8, 8]


def test_without_truth_the_line_goes_on_unknown() -> None:
    line = timeline(result(truth=None))
    assert (len(line.known), line.num_frames) == (4, 10)
    assert line.models["forecast"][0].errors is None
    assert line.zero_velocity[0].errors is None


def test_rotations_become_positions() -> None:
    turned = rotations(10)
    own = replace(result(), observed=turned[:4], forecast=turned[4:], truth=turned[4:] * 0.5, skeleton=ANGLES)
    line = timeline(own)
    np.testing.assert_allclose(line.known[:4], motion(4).numpy(), atol=1e-3)
    np.testing.assert_allclose(line.models["forecast"][0].errors, own.mpjpe_mm, rtol=1e-4)
    assert line.skeleton.holds == "positions"


def test_a_recording_brings_its_root() -> None:
    root = turning(FRAMES)
    line = timeline(Clip(TRUE, CMU, 60.0, root=root))
    assert (line.num_frames, line.now, line.models) == (FRAMES, FRAMES, {})
    np.testing.assert_allclose(line.in_world(line.known, 0), root.to_world(TRUE).numpy(), atol=1e-2)


def test_forecasts_move_along_the_root_of_their_clip() -> None:
    root = turning(FRAMES)
    line = timeline(result(7), root)
    poses = line.models["forecast"][0].poses
    expected = root[11:17].to_world(torch.from_numpy(poses).float())
    np.testing.assert_allclose(line.in_world(poses, 4), expected.numpy(), atol=1e-2)
    still = timeline(result(7))
    assert still.in_world(poses, 4) is poses


def test_the_last_known_place_is_held() -> None:
    line = timeline(result(truth=None), turning(4))
    placed = line.in_world(np.zeros((6, 1, 3)), 4)
    assert np.ptp(placed, axis=0).max() == 0
    np.testing.assert_allclose(placed[0, 0], [90.0, 900.0, 0.0], rtol=1e-5)


@pytest.mark.parametrize(
    ("shown", "error", "message"),
    [
        ({}, ConfigError, "motion: expected at least one forecast of each model, got none."),
        ({"mine": []}, ConfigError, "motion: expected at least one forecast of each model, got none."),
        (
            {"a": result(), "b": result(fps=25.0)},
            ConfigError,
            "motion: expected forecasts of one skeleton at one frame rate, got 'cmu' at 60 of 'a' and 'cmu' at 25 of",
        ),
        (
            {"a": result(), "b": result(observed=4, off=0.0, truth=TRUE[30:36])},
            DataError,
            "motion: expected forecasts of one recording, got other poses at frame 4 of 'b'.",
        ),
        (
            {"a": [result(0), result(20)]},
            ConfigError,
            "motion: expected windows that overlap or follow one another, got none with frame 10 of the clip.",
        ),
        (result(forecast=TRUE[:0], truth=None), ShapeError, "forecast: expected at least one frame"),
        (result(forecast=TRUE[:3]), ShapeError, "truth: expected the forecast's shape, (3, 38, 3), got (6, 38, 3)."),
    ],
)
def test_what_does_not_go_together_is_refused(shown: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        timeline(shown)


def test_a_short_root_is_refused() -> None:
    message = "root: expected at least 10 frames, got 9. Pass that of the whole clip, `clip.root`."
    with pytest.raises(ShapeError, match=re.escape(message)):
        timeline(result(), turning(9))
