from __future__ import annotations

import re

import pytest

from posegraph.errors import ConfigError
from posegraph.viz import _labels
from posegraph.viz._labels import Rate


def test_times_are_true_and_labels_stand_beside_them() -> None:
    cmu = Rate(60, 25)
    assert cmu.as_in_tables(24) == "frame 24, 417 ms (labelled 1000 ms)"
    assert cmu.after_observed(24) == "+25 frames\n417 ms"
    assert cmu.notes(24) == [
        'Tables label frame 24 "1000 ms", as if there were 25 frames a second; the times here are those of the real 60.'
    ]


@pytest.mark.parametrize("rate", [Rate(25), Rate(25, 25)])
def test_where_tables_are_right_there_is_nothing_to_explain(rate: Rate) -> None:
    assert (rate.as_in_tables(9), rate.after_observed(0), rate.notes(9)) == ("frame 9, 400 ms", "+1 frame\n40 ms", [])


def test_a_label_is_not_taken_for_a_time() -> None:
    assert Rate(None, 25).as_in_tables(9) == "frame 9 (labelled 400 ms)"
    assert Rate(None, 25).after_observed(9) == "+10 frames"
    assert Rate(None, 25).notes(9) == ['Tables label frame 9 "400 ms", as if there were 25 frames a second.']


def test_without_a_rate_frames_are_counted() -> None:
    assert (Rate().as_in_tables(9), Rate().after_observed(0), Rate().notes(9)) == ("frame 9", "+1 frame", [])


def test_crowded_ticks_are_thinned_out() -> None:
    assert _labels.ticks([1, 3, 7, 9, 13, 24], 14) == [1, 3, 7, 9, 13, 24]
    assert _labels.ticks([1, 3, 7, 9, 13, 24], 6) == [1, 7, 13, 24]
    assert _labels.ticks(list(range(25)), 14) == list(range(0, 25, 2))
    assert _labels.ticks([4], 14) == [4]


@pytest.mark.parametrize("name", ["fps", "label_fps"])
@pytest.mark.parametrize("rate", [0, -25])
def test_a_frame_rate_is_positive(name: str, rate: float) -> None:
    message = f"{name}: expected frames a second above 0, got {rate}. Leave it out for no ms."
    with pytest.raises(ConfigError, match=re.escape(message)):
        Rate(**{name: rate})


@pytest.mark.parametrize("frames", [[3, 1], [1, 1], [-1], []])
def test_frames_rise(frames: list[int]) -> None:
    _labels.check_rising([0, 4])
    message = f"frames: expected forecast frames from 0 on, in rising order, got {frames}."
    with pytest.raises(ConfigError, match=re.escape(message)):
        _labels.check_rising(frames)
