from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.viz import _poses
from tests.viz.drawing import ANGLES, CMU, motion, rotations


def test_rotations_become_positions() -> None:
    turned = _poses.positions("poses", rotations(5), ANGLES)
    np.testing.assert_allclose(turned, motion(5).numpy(), atol=1e-3)
    skeleton = _poses.drawable(ANGLES)
    assert (skeleton.unit, skeleton.bones, skeleton.mirrored) == ("mm", CMU.bones, CMU.mirrored)
    assert _poses.drawable(CMU) is CMU


def test_rotations_of_used_joints_alone_are_refused() -> None:
    message = (
        "skeleton: expected offsets of 'cmu-angles-used', whose poses are rotations, got none. Draw poses of all "
        "joints with the full skeleton, as `Forecaster` and `Skeleton.expand` give them."
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        _poses.drawable(ANGLES.reduced)


@pytest.mark.parametrize("convert", [torch.Tensor.numpy, torch.Tensor.double, lambda poses: poses.requires_grad_()])
def test_arrays_and_tensors_are_taken(convert: Any) -> None:
    converted = _poses.positions("poses", convert(motion(3)), CMU)
    assert converted.dtype == np.float64
    np.testing.assert_allclose(converted, motion(3).numpy())


@pytest.mark.parametrize(
    ("poses", "error", "message"),
    [
        (
            torch.zeros(3, 25, 3),
            ShapeError,
            "observed: expected (frames, 38 joints, 3), got (3, 25, 3). Draw one window with all joints of skeleton "
            "'cmu', or pass skeleton.reduced for the used.",
        ),
        (torch.zeros(1, 3, 38, 3), ShapeError, "observed: expected (frames, 38 joints, 3), got (1, 3, 38, 3)."),
        (
            torch.zeros(0, 38, 3),
            ShapeError,
            "observed: expected at least one frame, got (0, 38, 3). There is nothing to draw.",
        ),
        (
            torch.full((3, 38, 3), torch.nan),
            DataError,
            "observed: expected finite positions, got NaN or infinity. Fill gaps first.",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(poses: torch.Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        _poses.window(poses, motion(1), None, CMU)


def test_truth_has_the_shape_of_the_forecast() -> None:
    message = "truth: expected the forecast's shape, (3, 38, 3), got (2, 38, 3). Give the frames it forecasts."
    with pytest.raises(ShapeError, match=re.escape(message)):
        _poses.window(motion(1), motion(3), motion(2), CMU)


@pytest.mark.parametrize(("frames", "expected"), [(25, [4, 9, 14, 19, 24]), (3, [0, 1, 2]), (1, [0])])
def test_frames_are_spread(frames: int, expected: list[int]) -> None:
    assert _poses.choose_frames(None, frames) == expected


@pytest.mark.parametrize("frames", [[], [3], [-1]])
def test_frames_that_are_not_there_are_refused(frames: list[int]) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"frames: expected forecast frames in 0..2, got {frames}.")):
        _poses.choose_frames(frames, 3)


def test_errors_are_the_mean_of_all_joints() -> None:
    truth = motion(2).numpy()
    forecast = truth.copy()
    forecast[1, :19] += [30.0, 40.0, 0.0]  # half of the 38 joints
    assert _poses.errors(forecast, truth) == pytest.approx([0.0, 25.0])
