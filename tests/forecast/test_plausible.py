from __future__ import annotations

import numpy as np
import pytest

from posegraph import data
from posegraph.data.summary import summarize
from posegraph.errors import DataError
from posegraph.forecast import Forecaster
from posegraph.forecast.plausible import PosesSeen

CLIPS = data.load("cmu", "samples")
SEEN = PosesSeen(summarize(CLIPS.clips["train"]), CLIPS.skeleton)
RUNNING = next(clip for clip in CLIPS.clips["test"] if clip.action == "running")


def turned(axis: str) -> np.ndarray:
    """Poses as a system has them in which another axis points up."""
    x, y, z = np.moveaxis(RUNNING.poses.numpy(), -1, 0)
    return np.stack({"x": (y, -x, z), "-x": (-y, x, z), "z": (x, -z, y), "-z": (x, z, -y)}[axis], axis=-1)


def in_the_world() -> np.ndarray:
    assert RUNNING.root is not None
    return RUNNING.root.to_world(RUNNING.poses).numpy()


def test_poses_of_people_pass():
    for split in ("train", "test"):
        for clip in CLIPS.clips[split]:
            SEEN.check(clip.poses.numpy())


@pytest.mark.parametrize(
    ("poses", "message"),
    [
        (
            RUNNING.poses.numpy() / 1000,
            r"expected a body of about \d+ mm .* got one of 0\.\d+\. They look like m: pass unit=",
        ),
        (RUNNING.poses.numpy() / 10, "They look like cm: pass unit='cm'"),
        (RUNNING.poses.numpy() * 9, "Convert them to millimetres"),
        (np.zeros((40, 38, 3), np.float32), "got one of 0"),
        (in_the_world(), r"expected positions relative to the root 'Hips', got the root \d+ mm away from its place"),
        (turned("z"), "the axis 'y' to point up, .* would stand if z pointed up. Pass up='z'"),
        (turned("-z"), "would stand if -z pointed up"),
        (turned("x"), "would stand if x pointed up"),
        (turned("-x"), "would stand if -x pointed up"),
    ],
)
def test_what_cannot_be_right_is_refused_with_a_remedy(poses, message):
    with pytest.raises(DataError, match=message):
        SEEN.check(poses[30:40])


@pytest.mark.parametrize("reference", ["graph-mixer/cmu", "msrgcn-released/cmu"])
def test_the_weights_of_the_library_remember_their_poses(reference):
    forecaster = Forecaster(reference)
    assert forecaster.model_fps == 60.0
    assert forecaster(RUNNING.poses[:30]).shape == (25, 38, 3)
    with pytest.raises(DataError, match="They look like m"):
        forecaster(RUNNING.poses[:30] / 1000)
