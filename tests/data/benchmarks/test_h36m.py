from __future__ import annotations

import json
import shutil
import warnings

import pytest

from posegraph import data
from posegraph.data.benchmarks import h36m
from posegraph.errors import ConfigError, DataError
from tests.authors import FIXTURES
from tests.data.motion import random_angles, still_clip, write_angles

STARTS = json.loads((FIXTURES / "window_starts.json").read_text())


def pair(frames: list[int]) -> list:
    return [still_clip("h36m", n, f"S5/walking_{k}") for k, n in enumerate(frames, start=1)]


@pytest.fixture
def folder(tmp_path):
    """Walking of every subject, eating of S5 but for its second file."""
    names = [f"{s}/walking_{k}.txt" for s in ("S1", "S5", "S6", "S7", "S8", "S9", "S11") for k in (1, 2)]
    for seed, name in enumerate((*names, "S5/eating_1.txt")):
        write_angles(tmp_path / name, random_angles(5 + seed % 3, 32, seed))
    return tmp_path


def test_subjects_make_the_splits(folder):
    motion = data.load("h36m", folder, actions=["walking"])
    names = {split: [clip.name for clip in clips] for split, clips in motion.clips.items()}
    assert names == {
        "train": [f"{s}/walking_{k}" for s in ("S1", "S6", "S7", "S8", "S9") for k in (1, 2)],
        "val": ["S11/walking_1", "S11/walking_2"],
        "test": ["S5/walking_1", "S5/walking_2"],
    }
    assert (motion.missing, motion.fps, motion.label_fps) == ((), 25.0, 25.0)


def test_what_is_missing_is_listed(folder):
    motion = data.load("h36m", folder)
    assert len(motion.found) == 15
    assert len(motion.found) + len(motion.missing) == 7 * 15 * 2
    assert motion.actions == h36m.ACTIONS
    assert "S5/eating_2.txt" in motion.missing


def test_the_subjects_may_lie_in_a_folder_named_dataset(folder, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    shutil.copytree(folder, outer / "dataset")
    assert data.load("h36m", outer).found == data.load("h36m", folder).found


def test_copies_of_test_files_are_named(folder):
    assert h36m.find_test_copies(folder) == []
    shutil.copy(folder / "S5/walking_1.txt", folder / "S6/posing_1.txt")
    shutil.copy(folder / "S5/eating_1.txt", folder / "S11/walking_2.txt")
    expected = [("S6/posing_1.txt", "S5/walking_1.txt"), ("S11/walking_2.txt", "S5/eating_1.txt")]
    assert h36m.find_test_copies(folder) == expected
    message = (
        r"2 files of training or validation .* \(S6/posing_1\.txt = S5/walking_1\.txt, S11/walking_2\.txt = S5/eat"
    )
    with pytest.warns(UserWarning, match=message):
        data.load("h36m", folder, split="train")


def test_files_of_one_size_are_no_copies_by_that(folder):
    content = (folder / "S5/walking_1.txt").read_bytes()
    (folder / "S6/walking_1.txt").write_bytes(content.replace(b"1", b"2"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.load("h36m", folder)


def test_all_windows_end_100_frames_before_the_end():
    starts = h36m.starts_all(pair([1500, 101]), 10, 25)
    assert starts == [range(1400), range(1)]


def test_longer_windows_still_fit():
    assert h36m.starts_all(pair([200, 150]), 50, 100) == [range(51), range(1)]


@pytest.mark.parametrize(
    ("native", "windows"),
    [((3000, 2521), 2561), ((3276, 2331), 2604), ((1474, 3199), 2137), ((1937, 2135), 1837), ((3016, 2984), 2800)],
)
def test_window_counts_of_published_actions(native, windows):
    assert sum(len(own) for own in h36m.starts_all(pair([(n + 1) // 2 for n in native]), 10, 25)) == windows


@pytest.mark.parametrize("action", STARTS["h36m"])
def test_8_windows_start_where_the_reference_implementations_start(action):
    expected = STARTS["h36m"][action]
    assert h36m.starts_8(pair(expected["frames"]), 10, 25) == expected["starts"]


def test_256_windows_start_where_the_reference_implementations_start():
    expected = STARTS["h36m_256"]
    assert h36m.starts_256(pair(expected["frames"]), 10, 25) == expected["starts"]


def test_all_models_forecast_the_same_frames():
    clips = pair([400, 300])
    few, many = h36m.starts_8(clips, 10, 25), h36m.starts_8(clips, 50, 25)
    assert [[start + 10 for start in own] for own in few] == [[start + 50 for start in own] for own in many]


def test_drawing_needs_both_files():
    message = r"rules '8' and '256': expected the two files .* got 1 \(clip 'S5/walking_1'\)\. Draws in one file depend"
    for rule in (h36m.starts_8, h36m.starts_256):
        with pytest.raises(DataError, match=message):
            rule(pair([400]), 10, 25)


def test_short_files_are_named():
    with pytest.raises(DataError, match=r"'S5/walking_2': expected at least 101 frames .* for the rule 'all', got 100"):
        h36m.starts_all(pair([400, 100]), 10, 25)
    with pytest.raises(DataError, match=r"'S5/walking_1': expected at least 167 frames .* this window rule, got 166"):
        h36m.starts_8(pair([166, 400]), 10, 25)
    with pytest.raises(ConfigError, match="expected at most 66 observed and 101 future frames, got 67 and 25"):
        h36m.starts_8(pair([400, 400]), 67, 25)


def test_every_rule_has_its_name(folder):
    motion = data.load("h36m", folder, split="test", actions=["walking"])
    assert list(motion.start_rules) == ["all", "every", "8", "256"]
    assert len(motion.test_windows("every", 1, 1)["walking"]) == sum(
        clip.num_frames - 1 for clip in motion.clips["test"]
    )
