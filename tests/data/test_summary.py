from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from posegraph.data import Clip
from posegraph.data.summary import summarize
from posegraph.errors import DataError
from tests.data.motion import ARM


def test_numbers_are_those_of_all_frames_together():
    poses = [500 * torch.randn(frames, 3, 3) + 100 for frames in (7, 4)]
    clips = [Clip(own, ARM, 30.0) for own in poses]
    found = json.loads(json.dumps(summarize(clips)))
    together = np.concatenate([own.numpy() for own in poses])
    used = together[:, list(ARM.used)]
    assert found["size"] == pytest.approx(np.sqrt((used**2).sum(-1).mean()), rel=1e-4)
    np.testing.assert_allclose(found["mean"], together.mean(0), atol=1.0)
    assert (found["fps"], found["unit"], found["up"], found["holds"]) == (30.0, "mm", "y", "positions")


def test_nothing_cannot_be_summarized():
    with pytest.raises(DataError, match="summary: expected at least one clip, got none"):
        summarize([])
