from __future__ import annotations

import pytest

from posegraph import data
from posegraph.data import MotionDataset
from posegraph.data.benchmarks import cmu, h36m
from posegraph.errors import DataError, UnknownNameError
from posegraph.reproduce import tables
from posegraph.reproduce.coverage import cover
from posegraph.skeleton import presets
from tests.data.motion import random_angles, still_clip, write_angles
from tests.reproduce.arms import arms, table


def test_the_bundled_clips_cover_three_actions():
    found = cover(tables.get("3"), data.load("cmu", "samples"))
    assert found.actions == ("basketball", "running", "walking")
    assert found.clips["walking"] == ("walking_1",)
    assert found.partial == {}
    assert found.left_out == dict.fromkeys([a for a in cmu.ACTIONS if a not in found.actions], "no test clip")
    assert len(found.missing_training) == 40 - 12
    assert all(path.startswith("train/") for path in found.missing_training)


def test_actions_that_were_not_chosen_are_left_out():
    found = cover(tables.get("7"), data.load("cmu", "samples", actions=["walking", "basketball"]))
    assert found.actions == ("walking",)  # basketball is not in the table
    assert found.left_out == dict.fromkeys(("running", "soccer", "jumping"), "not among the actions that were chosen")


@pytest.fixture
def human36m(tmp_path):
    """Both test files of eating, one of walking, and two training files."""
    names = ("S5/eating_1", "S5/eating_2", "S5/walking_2", "S1/walking_1", "S6/eating_1")
    for seed, name in enumerate(names):
        write_angles(tmp_path / f"{name}.txt", random_angles(420, 32, seed=seed))
    return data.load("h36m", tmp_path)


def test_a_file_of_two_is_enough_for_some_rules_only(human36m):
    own = tables.get("2")
    found = cover(own, human36m)
    assert found.clips == {"walking": ("S5/walking_2",), "eating": ("S5/eating_1", "S5/eating_2")}
    assert found.partial == {"walking": "S5/walking_1.txt is missing"}
    assert set(found.left_out) == {"smoking", "discussion", "directions"}
    training = [f"S{subject}/walking_1.txt" for subject in (6, 7, 8, 9, 11)]
    assert set(training) <= set(found.missing_training)
    assert len(found.missing_training) == 6 * 15 * 2 - 2
    eight = cover(tables.Table(**{**vars(own), "windows": "8"}), human36m)
    assert eight.actions == ("eating",)
    assert eight.left_out["walking"] == "the window rule '8' needs S5/walking_1.txt as well"
    assert eight.partial == {}


def test_a_data_set_of_ones_own_is_covered():
    found = cover(table(), arms(test=("nod_1", "nod_2")))
    assert (found.clips, found.left_out) == ({"nod": ("nod_1", "nod_2")}, {"wave": "no test clip"})


def test_nothing_to_measure_is_refused():
    clips = {"train": [still_clip("cmu", 80)], "test": [still_clip("cmu", 80, action="dance")]}
    dataset = MotionDataset("cmu", presets.get("cmu"), clips, actions=("walking", "dance"))
    message = (
        r"data set 'cmu': expected test clips of at least one action of table7, got none\. running: not among the "
        r"actions that were chosen; .*walking: no test clip"
    )
    with pytest.raises(DataError, match=message):
        cover(tables.get("7"), dataset)


def test_an_unknown_window_rule_is_refused():
    with pytest.raises(UnknownNameError, match=r"unknown window rule '256'\. Known: all, 8"):
        cover(table(windows="256"), arms())


def test_actions_of_tables_are_those_of_the_data_sets():
    assert tables.get("1").actions == h36m.ACTIONS
    assert tables.get("3").actions == cmu.ACTIONS
