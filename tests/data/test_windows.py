from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph.data import Windows, cut, every_start
from posegraph.data.windows import require_frames, sampled_starts
from posegraph.errors import ConfigError, DataError
from tests.data.motion import numbered_clip

CLIPS = [numbered_clip(8, "a"), numbered_clip(5, "b", first=100.0)]


def naive(starts: list[list[int]], length: int) -> torch.Tensor:
    """Every window copied by itself."""
    pairs = zip(CLIPS, starts, strict=True)
    return torch.stack([clip.poses[s : s + length] for clip, own in pairs for s in own])


def test_every_start_leaves_out_none():
    assert [list(own) for own in every_start(CLIPS, 2, 3)] == [[0, 1, 2, 3], [0]]


def test_batches_are_the_windows_copied_one_by_one():
    starts = [[3, 0, 3], [1]]
    windows = cut(CLIPS, starts, 1, 3, joints="full")
    expected = naive(starts, 4)
    assert len(windows) == 4
    assert torch.equal(windows.batch(range(4)), expected)
    assert torch.equal(windows.batch(torch.tensor([2, 0])), expected[[2, 0]])
    assert [len(batch) for batch in windows.batches(3)] == [3, 1]
    assert torch.equal(torch.cat(list(windows.batches(3))), expected)


def test_models_see_the_used_joints():
    used = cut(CLIPS, every_start(CLIPS, 2, 3), 2, 3)
    full = cut(CLIPS, every_start(CLIPS, 2, 3), 2, 3, joints="full")
    assert torch.equal(used.batch([0, 4]), CLIPS[0].skeleton.reduce(full.batch([0, 4])))
    assert used.frames.shape == (13, 2, 3)


def test_windows_move_and_gather_there():
    windows = cut(CLIPS, every_start(CLIPS, 2, 3), 2, 3)
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    moved = windows.to(device)
    assert (moved.device, moved.starts.device, moved.length) == (device, device, 5)
    batch = moved.batch([4, 1])
    assert batch.device == device
    assert torch.equal(batch.cpu(), windows.batch([4, 1]))


def test_draws_go_round_the_clips():
    clips = [numbered_clip(300, "a"), numbered_clip(250, "b")]
    generator = np.random.RandomState(1234567890)
    expected: list[list[int]] = [[], []]
    for _ in range(3):
        for clip, own in zip(clips, expected, strict=True):
            own.append(generator.randint(16, clip.num_frames - 150) + 50 - 10)
    assert sampled_starts(clips, 10, 25, draws=3, lowest=16, reserve=150) == expected


def test_draws_can_use_all_that_a_clip_allows():
    """The longest windows that the limits admit, on the shortest clip: one start, and it fits exactly."""
    clip = numbered_clip(76)
    starts = sampled_starts([clip], 50, 26, draws=2, lowest=0, reserve=75)
    assert starts == [[0, 0]]
    assert cut([clip], starts, 50, 26).length == clip.num_frames


@pytest.mark.parametrize(("observed", "future"), [(51, 25), (10, 27)])
def test_draws_refuse_windows_that_might_not_fit(observed, future):
    with pytest.raises(
        ConfigError,
        match=rf"expected at most 50 observed and 26 future frames, got {observed} and {future}\. Use the rule 'all'",
    ):
        sampled_starts([numbered_clip(900)], observed, future, draws=1, lowest=0, reserve=75)


def test_short_clips_are_named():
    message = (
        r"clip 'b': expected at least 6 frames at 60 a second for a window of 2 observed and 4 future frames, got 5\. "
        r"Use shorter windows or leave this clip out\."
    )
    with pytest.raises(DataError, match=message):
        every_start(CLIPS, 2, 4)
    with pytest.raises(DataError, match=r"clip 'a': expected at least 76 frames .* for this window rule, got 8"):
        sampled_starts(CLIPS, 10, 25, draws=1, lowest=0, reserve=75)
    require_frames(CLIPS[1], 5, "anything")


def test_starts_outside_a_clip_are_refused():
    for bad in (-1, 4):
        with pytest.raises(ConfigError, match=r"clip 'a': expected window starts in 0\.\.3, got .* the clip 8\."):
            cut(CLIPS, [[0, bad], []], 2, 3)


def test_windows_beyond_the_frames_are_refused():
    with pytest.raises(ConfigError, match=r"starts: expected frames in 0\.\.5, so that windows of 5 end within 10"):
        Windows(torch.zeros(10, 2, 3), torch.tensor([0, 6]), 2, 3)


def test_nonsense_is_refused():
    with pytest.raises(ConfigError, match="joints: expected one of 'used', 'full'; got 'some'"):
        cut(CLIPS, [[0], [0]], 2, 3, joints="some")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="clips: expected at least one clip to cut windows from, got none"):
        cut([], [], 2, 3)
    with pytest.raises(ConfigError, match="future_frames: expected an integer of at least 1, got 0"):
        cut(CLIPS, [[0], [0]], 2, 0)
    with pytest.raises(ConfigError, match="observed_frames: expected an integer of at least 1, got 0"):
        Windows(torch.zeros(10, 2, 3), torch.tensor([0]), 0, 3)
    with pytest.raises(ConfigError, match="batch_size: expected an integer of at least 1, got 0"):
        next(cut(CLIPS, [[0], [0]], 2, 3).batches(0))


def test_windows_know_their_clip_and_its_action():
    clips = [numbered_clip(8, "a"), numbered_clip(5, "b", action="bow")]
    windows = cut(clips, every_start(clips, 2, 2), 2, 2)
    assert windows.clips.tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert [windows.actions[clip] for clip in windows.to("cpu").clips] == ["wave"] * 5 + ["bow"] * 2
    assert Windows(torch.zeros(10, 2, 3), torch.arange(3), 2, 2).clips.tolist() == [0, 0, 0]
