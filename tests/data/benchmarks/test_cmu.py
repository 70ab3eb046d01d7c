from __future__ import annotations

import json

import numpy as np
import pytest

from posegraph import data
from posegraph.data import samples
from posegraph.data.benchmarks import cmu
from posegraph.errors import ConfigError, DataError
from tests.authors import FIXTURES
from tests.data.motion import random_angles, still_clip, write_angles

STARTS = json.loads((FIXTURES / "window_starts.json").read_text())["cmu"]


def test_a_full_benchmark_has_48_files(tmp_path):
    angles = random_angles(4, 38)
    for action in cmu.ACTIONS:
        for split, count in (("train", 5), ("test", 1)):
            for k in range(1, count + 1):
                write_angles(tmp_path / split / action / f"{action}_{k}.txt", angles)
    write_angles(tmp_path / "train/walking_extra/walking_extra_1.txt", angles)
    motion = data.load("cmu", tmp_path)
    assert motion.missing == ()
    assert [clip.name for clip in motion.clips["test"]] == [f"{action}_1" for action in cmu.ACTIONS]
    assert [clip.name for clip in motion.clips["train"]] == [f"{a}_{k}" for a in cmu.ACTIONS for k in range(1, 6)]
    assert (motion.name, motion.skeleton.name, motion.actions) == ("cmu", "cmu", cmu.ACTIONS)


def test_rates_are_the_true_one_and_the_published_label():
    motion = data.load("cmu", samples(), split="test", actions=["running"])
    assert (motion.fps, motion.label_fps, motion.skeleton.fps) == (60.0, 25.0, 60.0)


def test_lengths_of_the_bundled_clips():
    motion = data.load("cmu", samples())
    frames = {clip.name: clip.num_frames for clip in motion.clips["test"]}
    assert frames == {"basketball_1": 289, "running_1": 82, "walking_1": 180}
    assert len(motion.train_windows(10, 25, actions=["walking"])) == 874
    assert len(motion.train_windows(10, 25, actions=["running"])) == 250


def test_all_windows_of_the_bundled_test_clips():
    windows = data.load("cmu", samples()).test_windows("all", 10, 25)
    assert {action: len(own) for action, own in windows.items()} == {"basketball": 255, "running": 48, "walking": 146}


def test_every_clip_starts_with_the_same_rest_pose():
    first = [clip.poses[0].numpy() for own in data.load("cmu", samples()).clips.values() for clip in own]
    for pose in first[1:]:
        np.testing.assert_allclose(pose, first[0], atol=1e-3)


@pytest.mark.parametrize("action", STARTS)
def test_8_windows_start_where_the_reference_implementations_start(action):
    expected = STARTS[action]
    assert cmu.starts_8([still_clip("cmu", expected["frames"])], 10, 25) == [expected["starts"]]


def test_each_file_draws_by_itself():
    long, short = still_clip("cmu", 300, "a"), still_clip("cmu", 100, "b")
    for rule in (cmu.starts_8, cmu.starts_256):
        assert rule([long, short], 10, 25) == [*rule([long], 10, 25), *rule([short], 10, 25)]


def test_256_windows_draw_up_to_where_the_future_fits():
    clip = still_clip("cmu", 180)
    (starts,) = cmu.starts_256([clip], 10, 25)
    assert (len(starts), starts[:8]) == (256, cmu.starts_8([clip], 10, 25)[0])
    (short_term,) = cmu.starts_256([clip], 10, 10)
    generator = np.random.RandomState(1234567890)
    assert short_term == [generator.randint(0, 180 - 50 - 10) + 40 for _ in range(256)]


def test_all_models_forecast_the_same_frames():
    clip = still_clip("cmu", 180)
    (few,), (many,) = cmu.starts_8([clip], 10, 25), cmu.starts_8([clip], 50, 25)
    assert [start + 10 for start in few] == [start + 50 for start in many]


def test_8_windows_need_75_frames_and_a_draw():
    assert cmu.starts_8([still_clip("cmu", 76)], 10, 25) == [[40] * 8]
    with pytest.raises(DataError, match="expected at least 76 frames at 60 a second for this window rule, got 75"):
        cmu.starts_8([still_clip("cmu", 75)], 10, 25)
    with pytest.raises(ConfigError, match="expected at most 50 observed and 26 future frames, got 10 and 30"):
        cmu.starts_8([still_clip("cmu", 180)], 10, 30)


def test_another_folder_is_answered_with_the_layout(tmp_path):
    with pytest.raises(DataError, match=r"cmu benchmark such as train/basketball/basketball_1\.txt, got none of 48"):
        data.load("cmu", tmp_path)
