from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from benchmarks.experiments.groupings import candidates, speeds, table
from posegraph import data
from posegraph.skeleton import JointGrouping


def test_speeds_are_those_of_the_means():
    clips = [torch.randn(9, 5, 3), torch.randn(4, 5, 3)]
    levels = (JointGrouping(((0, 1), (1, 2, 3), (4,)), 5), JointGrouping(((0, 2), (1,)), 3))
    totals, frames = [0.0, 0.0], 0
    for clip in clips:
        poses = clip.numpy()
        for i, level in enumerate(levels):
            poses = np.stack([poses[:, list(group)].mean(axis=1) for group in level.groups], axis=1)
            totals[i] += sum(np.linalg.norm(b - a, axis=-1).mean() for a, b in pairwise(poses))
        frames += len(clip) - 1
    assert speeds(levels, clips) == pytest.approx([total / frames for total in totals], rel=1e-5)


def test_chosen_groupings_of_the_samples_are_steady():
    dataset = data.load("cmu", "samples")
    train, test = (
        [dataset.skeleton.reduce(clip.poses) for clip in dataset.select(split)] for split in ("train", "test")
    )
    found = candidates(dataset.skeleton, train)
    measured = {name: np.mean([speeds(levels, test) for levels in some], axis=0) for name, some in found.items()}
    hand_made, by_length, by_stability = (measured[name] for name in ("hand-made", "by length", "by stability"))
    assert (by_length < 1.05 * hand_made).all()
    assert (by_stability < hand_made).all()
    assert table(dataset).splitlines()[0] == "| grouping | 12 joints | 7 joints | 4 joints |"
