from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from posegraph.data import gaps
from posegraph.errors import ConfigError, DataError

NAMES = ("hip", "toe")


def fill(values: np.ndarray, missing: np.ndarray, rule: str, fps: float = 30.0) -> tuple[np.ndarray, str]:
    return gaps.fill(values, missing, rule, fps=fps, names=NAMES, source="walk.csv")


@pytest.fixture
def walk() -> tuple[np.ndarray, np.ndarray]:
    values = np.random.default_rng(0).normal(size=(12, 2, 3))
    missing = np.zeros((12, 2), dtype=bool)
    missing[3:6, 0] = missing[0, 1] = missing[10:, 1] = True
    return np.where(missing[..., None], np.nan, values), missing


def test_nothing_missing_changes_nothing(walk):
    values, missing = walk
    assert fill(values, np.zeros_like(missing), "refuse") == (values, "")


def test_lines_are_those_of_numpy(walk):
    values, missing = walk
    filled, note = fill(values, missing, "linear")
    frames = np.arange(12)
    for joint in range(2):
        seen = ~missing[:, joint]
        for axis in range(3):
            expected = np.interp(frames, frames[seen], values[seen, joint, axis])
            np.testing.assert_allclose(filled[:, joint, axis], expected, atol=1e-14)
    assert note == "3 gaps filled (linear), the longest of 3 frames (0.10 s) of hip at frame 3."


def test_hold_keeps_the_last_place_seen(walk):
    values, missing = walk
    filled, _ = fill(values, missing, "hold")
    np.testing.assert_array_equal(filled[3:6, 0], np.repeat(values[2:3, 0], 3, axis=0))
    np.testing.assert_array_equal(filled[0, 1], values[1, 1])
    assert not np.isnan(filled).any()


def test_rotations_turn_along_the_shortest_way():
    ends = Rotation.random(2, random_state=0)
    values = np.zeros((5, 1, 3, 3))
    values[[0, 4], 0] = ends.as_matrix()
    missing = np.array([False, True, True, True, False])[:, None]
    filled, _ = gaps.fill(values, missing, "linear", fps=30, names=["hip"], source="walk")
    np.testing.assert_allclose(filled[:, 0], Slerp([0, 4], ends)(np.arange(5)).as_matrix(), atol=1e-7)


def test_gaps_are_refused_by_default_and_beyond_half_a_second(walk):
    values, missing = walk
    with pytest.raises(DataError, match=r"walk\.csv: expected every joint in every frame, got 3 gaps in 2 joints, the"):
        fill(values, missing, "refuse")
    with pytest.raises(
        DataError, match=r"expected gaps of at most 0\.5 s, got 3 gaps .* \(0\.60 s\) of hip at frame 3"
    ):
        fill(values, missing, "linear", fps=5.0)
    missing[:, 1] = True
    with pytest.raises(DataError, match=r"expected every joint in some frame, got none of toe\. Leave it out"):
        fill(values, missing, "hold")
    with pytest.raises(ConfigError, match="gaps: expected one of 'refuse', 'hold', 'linear'; got 'guess'"):
        fill(values, missing, "guess")
