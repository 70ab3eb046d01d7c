from __future__ import annotations

import re

import pytest

from posegraph.errors import ConfigError
from posegraph.viz import _labels


def test_frames_are_called_as_in_the_picture() -> None:
    assert _labels.after_observed(0, None) == "+1 frame"
    assert _labels.after_observed(9, 25) == "+10 frames (400 ms)"
    assert _labels.as_in_tables(9, None) == "frame 9"
    assert _labels.as_in_tables(9, 25) == "frame 9 (400 ms)"
    assert _labels.milliseconds(24, 60) == "417"


def test_crowded_ticks_are_thinned_out() -> None:
    assert _labels.ticks([1, 3, 7, 9, 13, 24], 14) == [1, 3, 7, 9, 13, 24]
    assert _labels.ticks([1, 3, 7, 9, 13, 24], 6) == [1, 7, 13, 24]
    assert _labels.ticks(list(range(25)), 14) == list(range(0, 25, 2))
    assert _labels.ticks([4], 14) == [4]


def test_a_frame_rate_is_positive() -> None:
    _labels.check_label_fps(None)
    _labels.check_label_fps(0.5)
    for rate in (0, -25):
        message = f"label_fps: expected frames a second above 0, got {rate}. Leave it out for no ms."
        with pytest.raises(ConfigError, match=re.escape(message)):
            _labels.check_label_fps(rate)


@pytest.mark.parametrize("frames", [[3, 1], [1, 1], [-1], []])
def test_frames_rise(frames: list[int]) -> None:
    _labels.check_rising([0, 4])
    message = f"frames: expected forecast frames from 0 on, in rising order, got {frames}."
    with pytest.raises(ConfigError, match=re.escape(message)):
        _labels.check_rising(frames)
