from __future__ import annotations

import math

import pytest
import torch

from posegraph import data
from posegraph.data import Windows
from posegraph.errors import ConfigError
from posegraph.recipe import Augmentation, Sampling
from posegraph.skeleton.skeleton import Skeleton
from posegraph.training.augmentation import Turn
from posegraph.training.batches import Batches, window_order

ELBOW = Skeleton("elbow", ("elbow",), (-1,))
WINDOWS = Windows(torch.arange(60.0).view(20, 1, 3), torch.arange(14), observed_frames=4, future_frames=3)


def first_frames(window: torch.Tensor) -> list[int]:
    return (window[..., 0, 0, 0] / 3).long().flatten().tolist()


def test_a_batch_holds_the_windows_of_its_numbers():
    (window,) = Batches(WINDOWS, ELBOW)(torch.tensor([3, 0, 13]))
    assert torch.equal(window, torch.stack([WINDOWS.frames[k : k + 7] for k in (3, 0, 13)]))


def test_several_seeds_gather_at_once():
    numbers = torch.tensor([[3, 0], [1, 2], [13, 5]])
    (window,) = Batches(WINDOWS, ELBOW)(numbers)
    assert window.shape == (3, 2, 7, 1, 3)
    assert first_frames(window) == numbers.flatten().tolist()


def test_labels_go_with_their_windows():
    labels = torch.arange(14) * 10
    numbers = torch.tensor([[3, 0], [1, 2]])
    window, found = Batches(WINDOWS, ELBOW, labels=labels)(numbers)
    assert torch.equal(found, numbers * 10)
    assert first_frames(window) == numbers.flatten().tolist()


def test_windows_play_backwards():
    numbers = torch.tensor([[3, 0], [1, 2]])
    (forwards,) = Batches(WINDOWS, ELBOW)(numbers)
    (backwards,) = Batches(WINDOWS, ELBOW, augmentation=Augmentation(reverse=1 - 1e-9))(numbers)
    assert torch.equal(backwards, forwards.flip(2))


def test_some_windows_play_backwards():
    torch.manual_seed(0)
    reversing = Batches(WINDOWS, ELBOW, augmentation=Augmentation(reverse=0.25))
    (window,) = reversing(torch.zeros(2, 2000, dtype=torch.int64))
    share = (window[..., 0, 0, 0] != 0).double().mean(1)
    assert ((share - 0.25).abs() < 5 * (0.25 * 0.75 / 2000) ** 0.5).all()


def test_windows_are_mirrored():
    hands = Skeleton("hands", ("neck", "left", "right"), (-1, 0, 0), mirrored=(("left", "right"),), lateral="z")
    windows = Windows(torch.randn(9, 3, 3), torch.arange(3), observed_frames=4, future_frames=3)
    numbers = torch.tensor([[0, 1], [2, 0]])
    (plain,) = Batches(windows, hands)(numbers)
    torch.manual_seed(0)
    found = torch.stack(
        [Batches(windows, hands, augmentation=Augmentation(mirror=0.5))(numbers)[0] for _ in range(200)]
    )
    image = plain[..., [0, 2, 1], :] * torch.tensor([1.0, 1.0, -1.0])
    mirrored = (found == image).all(-1).all(-1).all(-1)
    assert ((found == plain).all(-1).all(-1).all(-1) ^ mirrored).all()
    assert abs(float(mirrored.double().mean()) - 0.5) < 5 * 0.5 / 800**0.5


def test_a_mirror_needs_pairs():
    with pytest.raises(
        ConfigError, match=r"mirror: expected a skeleton of positions with mirrored pairs, got 'elbow-used'"
    ):
        Batches(WINDOWS, ELBOW, augmentation=Augmentation(mirror=0.5))


def two_clips() -> Windows:
    """A clip of 12 frames that moves by 1 a frame and one of 9 that moves by 100."""
    paths = [torch.arange(12.0), 1000 + 100 * torch.arange(9.0)]
    frames = torch.cat(paths).view(-1, 1, 1).expand(-1, 1, 3).contiguous()
    starts, clips = torch.tensor([*range(6), *range(12, 15)]), torch.tensor([0] * 6 + [1] * 3)
    return Windows(frames, starts, observed_frames=4, future_frames=3, clips=clips)


def test_windows_play_faster_and_slower():
    windows, numbers = two_clips(), torch.arange(9).repeat(2, 400)
    torch.manual_seed(0)
    (played,) = Batches(windows, ELBOW, augmentation=Augmentation(speed=0.4))(numbers)
    path = played[..., 0, 0]
    steps = path.diff(dim=-1)
    torch.testing.assert_close(steps, steps[..., :1].expand_as(steps), rtol=1e-3, atol=1e-2)  # one speed a window
    slow = windows.clips[numbers] == 0
    factors = torch.where(slow, steps[..., 0], steps[..., 0] / 100)
    assert factors.min() == pytest.approx(math.exp(-0.4), rel=0.02)
    assert factors[slow].max() == pytest.approx(math.exp(0.4), rel=0.02)
    assert factors[~slow].max() == pytest.approx(8 / 6, rel=1e-3)  # the clip has no more frames
    assert factors[slow].log().mean().item() == pytest.approx(0, abs=0.02)
    for chosen, low, high in ((slow, 0, 11), (~slow, 1000, 1800)):
        assert path[chosen].min() >= low
        assert path[chosen].max() <= high + 1e-3
    begins = path[..., 0][numbers == 2]
    assert begins.max() == 2  # a window begins where it did, or sooner where its clip would end
    assert begins.min() == pytest.approx(2)


def test_windows_at_the_end_of_a_clip_begin_sooner():
    windows = two_clips()
    torch.manual_seed(0)
    (played,) = Batches(windows, ELBOW, augmentation=Augmentation(speed=0.4))(torch.full((500,), 5))
    path = played[..., 0, 0]
    fast = path[:, 1] - path[:, 0] > 1
    assert fast.any()
    torch.testing.assert_close(path[fast, -1], torch.full_like(path[fast, -1], 11.0), rtol=0, atol=1e-3)
    assert (path[~fast, 0] == 5).all()


def test_places_between_frames_are_exact_in_long_recordings():
    frames = torch.zeros(3_000_000, 1, 3)
    frames[-20:, 0, 0] = torch.arange(20.0)
    starts = torch.tensor([frames.shape[0] - 20 + k for k in range(14)])
    windows = Windows(frames, starts, observed_frames=4, future_frames=3)
    torch.manual_seed(0)
    (played,) = Batches(windows, ELBOW, augmentation=Augmentation(speed=0.3))(torch.full((300,), 5))
    steps = played[..., 0, 0].diff(dim=-1)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), rtol=1e-4, atol=1e-5)


def test_limbs_turn_if_asked_for():
    clips = data.load("cmu", "samples", split="train", actions=["running"])
    windows, numbers = clips.train_windows(10, 25), torch.arange(6)
    (plain,) = Batches(windows, clips.skeleton)(numbers)
    torch.manual_seed(3)
    (turned,) = Batches(windows, clips.skeleton, augmentation=Augmentation(turn=0.2))(numbers)
    torch.manual_seed(3)
    torch.testing.assert_close(turned, Turn(clips.skeleton, 0.2, torch.device("cpu"))(plain))


def test_an_order_takes_each_window_once_and_follows_its_seed():
    order = window_order(WINDOWS, Sampling(batch_size=4), 0, 1)
    assert sorted(order.tolist()) == list(range(14))
    assert torch.equal(order, window_order(WINDOWS, Sampling(batch_size=4), 0, 1))
    for seed, epoch in ((1, 1), (0, 2)):
        assert not torch.equal(order, window_order(WINDOWS, Sampling(batch_size=4), seed, epoch))
