from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from posegraph import data
from posegraph.forecast.body import fitted
from posegraph.skeleton import presets

WALKING = data.load("cmu", "samples", split="test", actions="walking").select("test")[0]
CMU = presets.get("cmu")


def test_the_same_tree_in_another_size_is_taken_for_the_body():
    names = tuple(name.replace("HandIndex1", "Fingers") for name in CMU.joint_names)
    smaller = replace(
        CMU,
        name="walk",
        joint_names=names,
        offsets=tuple(tuple(0.8 * v for v in o) for o in CMU.offsets or ()),
        mirrored=(),
        groupings={},
    )
    given = replace(WALKING, skeleton=smaller, poses=0.8 * WALKING.poses)
    clip, factor = fitted(given, CMU)
    assert factor == pytest.approx(1.25)
    assert clip.skeleton is CMU
    torch.testing.assert_close(clip.poses, WALKING.poses)
    assert clip.root is not None
    assert WALKING.root is not None
    torch.testing.assert_close(clip.root.positions, 1.25 * WALKING.root.positions)
    assert clip.notes == ("The body has the tree of 'cmu' and is taken for it, 1.25 times as large.",)


def test_other_bodies_stay_as_they_are():
    assert fitted(WALKING, CMU) == (WALKING, 1.0)
    assert fitted(WALKING, presets.get("h36m")) == (WALKING, 1.0)
