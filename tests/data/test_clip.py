from __future__ import annotations

import pytest
import torch

from posegraph.data import Clip
from posegraph.errors import DataError, ShapeError
from tests.data.motion import ARM, numbered_clip


def test_duration_follows_from_frames_and_rate():
    clip = numbered_clip(30, fps=60.0)
    assert (clip.num_frames, clip.seconds) == (30, 0.5)


def test_messages_call_a_clip_by_its_source_or_name():
    assert numbered_clip(1, name="wave_1").label == "clip 'wave_1'"
    assert Clip(torch.zeros(1, 3, 3), ARM, 60.0, name="wave_1", source="a/wave_1.txt").label == "a/wave_1.txt"


def test_poses_must_hold_all_joints():
    with pytest.raises(
        ShapeError, match=r"poses of clip 'w': expected \(frames, 3 joints, 3\), got \(5, 2, 3\)\. A clip"
    ):
        Clip(torch.zeros(5, 2, 3), ARM, 60.0, name="w")


@pytest.mark.parametrize("fps", [0.0, -25.0, float("nan")])
def test_rate_must_be_positive(fps):
    with pytest.raises(DataError, match=r"fps of clip 'w': expected frames a second above 0, got"):
        Clip(torch.zeros(5, 3, 3), ARM, fps, name="w")
