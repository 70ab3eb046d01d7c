from __future__ import annotations

import pytest
import torch

from posegraph.data import MotionDataset
from posegraph.errors import ConfigError, DataError, IncompleteDataError, UnknownNameError
from tests.data.motion import ARM, numbered_clip, still_clip


def dataset(**fields) -> MotionDataset:
    clips = {
        "train": [
            numbered_clip(9, "wave_1"),
            numbered_clip(4, "wave_2"),
            numbered_clip(6, "wave_3"),
            numbered_clip(7, "point_1", "point"),
            numbered_clip(8, "bow_1", "bow"),
            numbered_clip(6, "bow_2", "bow"),
        ],
        "test": [numbered_clip(7, "bow_1", "bow"), numbered_clip(6, "wave_1"), numbered_clip(8, "wave_2")],
    }
    return MotionDataset("arms", ARM, clips, **fields)


def test_actions_and_label_rate_default_to_those_of_the_clips():
    data = dataset()
    assert data.actions == ("wave", "point", "bow")
    assert (data.fps, data.label_fps, data.splits) == (60.0, 60.0, ("train", "test"))


def test_description_counts_clips_and_missing_files():
    assert dataset().describe() == "arms: 6 train, 3 test clips at 60 frames a second"
    assert dataset(found=("a", "b"), missing=("c",)).describe().endswith("second; 1 of 3 files missing")


def test_training_windows_are_all_of_a_split():
    data = dataset()
    assert len(data.train_windows(2, 2)) == 6 + 1 + 3 + 4 + 5 + 3
    assert len(data.train_windows(2, 2, actions=["bow"])) == 5 + 3
    assert data.train_windows(2, 2, split="test", joints="full").frames.shape == (21, 3, 3)


def test_test_windows_come_by_action_in_the_order_of_actions():
    windows = dataset(actions=("bow", "jump", "wave")).test_windows("all", 2, 3)
    assert [(action, len(own)) for action, own in windows.items()] == [("bow", 3), ("wave", 2 + 4)]
    assert windows["wave"].frames.shape == (14, 3, 3)
    assert dataset().test_windows("all", 2, 3, actions=["wave"], joints="used")["wave"].frames.shape == (14, 2, 3)


def test_rules_see_the_clips_of_one_action_and_the_frames():
    seen = []

    def last_start(clips, observed_frames, future_frames):
        seen.append(([clip.name for clip in clips], observed_frames, future_frames))
        return [[clip.num_frames - observed_frames - future_frames] for clip in clips]

    windows = dataset(start_rules={"last": last_start}).test_windows("last", 2, 3)
    assert seen == [(["wave_1", "wave_2"], 2, 3), (["bow_1"], 2, 3)]
    assert windows["wave"].batch([0, 1])[:, -1, 0, 0].tolist() == [5.0, 7.0]


def test_default_hold_out_is_the_shortest_long_enough_clip_of_each_action_with_several():
    held = dataset().hold_out(5)
    assert [clip.name for clip in held.clips["val"]] == ["wave_3", "bow_2"]
    assert [clip.name for clip in held.clips["train"]] == ["wave_1", "wave_2", "point_1", "bow_1"]
    assert held.splits == ("train", "test", "val")


def test_hold_out_by_name():
    held = dataset().hold_out(5, clips=["point_1", "wave_1"])
    assert [clip.name for clip in held.clips["val"]] == ["wave_1", "point_1"]
    assert len(held.train_windows(2, 2, split="val")) == 6 + 4


def test_hold_out_refuses_what_cannot_work():
    data = dataset()
    with pytest.raises(UnknownNameError, match=r"unknown training clip 'wave_9'\. Did you mean 'wave_"):
        data.hold_out(5, clips=["wave_9"])
    with pytest.raises(
        ConfigError, match=r"clips: expected some of the 6 training clips to hold out .* got 0 held out"
    ):
        data.hold_out(100)
    with pytest.raises(ConfigError, match=r"clips: .* got 6 held out\. Name the clips"):
        data.hold_out(5, clips=[clip.name for clip in data.clips["train"]])
    with pytest.raises(
        ConfigError, match=r"data set 'arms': expected no split 'val' yet, got one of 2 clips\. Use that"
    ):
        data.hold_out(5).hold_out(5)


def test_unknown_names_are_answered_with_the_list():
    data = dataset()
    with pytest.raises(UnknownNameError, match=r"unknown split 'tset'\. Did you mean 'test'"):
        data.train_windows(2, 2, split="tset")
    with pytest.raises(UnknownNameError, match=r"unknown action 'wafe'\. Did you mean 'wave'"):
        data.test_windows("all", 2, 2, actions=["wafe"])
    with pytest.raises(UnknownNameError, match=r"unknown window rule '8'. Known: all\."):
        data.test_windows("8", 2, 2)


def test_a_split_without_clips_of_an_action_says_so():
    with pytest.raises(
        DataError, match=r"data set 'arms': expected clips of split 'test', got none of actions point\. 1 f"
    ):
        dataset(missing=("test/point_1.txt",)).test_windows("all", 2, 2, actions=["point"])


def test_clips_must_belong_together():
    with pytest.raises(DataError, match="data set 'none': expected at least one clip, got none"):
        MotionDataset("none", ARM, {"train": []})
    with pytest.raises(
        DataError, match=r"clip 'b': expected the joints of skeleton 'arm', got those of 'cmu'\. A data set"
    ):
        MotionDataset("mixed", ARM, {"train": [numbered_clip(3, "a"), still_clip("cmu", 3, "b")]})
    with pytest.raises(
        DataError, match=r"clip 'b': expected 60 frames a second as in clip 'a', got 25\. Bring all clips"
    ):
        MotionDataset("mixed", ARM, {"train": [numbered_clip(3, "a")], "test": [numbered_clip(3, "b", fps=25.0)]})
    with pytest.raises(
        DataError, match=r"split 'train': expected clips of different names, got \['a'\] more than once"
    ):
        MotionDataset("twice", ARM, {"train": [numbered_clip(3, "a"), numbered_clip(4, "a")]})


def test_windows_of_two_splits_do_not_share_frames():
    held = dataset().hold_out(5)
    train, val = held.train_windows(2, 2), held.train_windows(2, 2, split="val")
    assert len(train) + len(val) == len(dataset().train_windows(2, 2))
    assert torch.equal(val.frames, ARM.reduce(torch.cat([clip.poses for clip in held.clips["val"]])))


def test_a_rule_that_needs_missing_files_leaves_their_action_out():
    def both(clips, observed_frames, future_frames):
        if len(clips) != 2:
            raise IncompleteDataError(f"expected two clips, got {len(clips)}")
        return [range(1)] * 2

    clips = [numbered_clip(8, "a"), numbered_clip(8, "b"), numbered_clip(8, "c", action="bow")]
    motion = MotionDataset("arms", ARM, {"test": clips}, start_rules={"both": both})
    assert list(motion.test_windows("both", 2, 2)) == ["wave"]
    with pytest.raises(IncompleteDataError, match="expected two clips, got 1"):
        motion.test_windows("both", 2, 2, actions=["bow"])
