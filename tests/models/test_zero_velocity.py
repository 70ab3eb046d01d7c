from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph import registry
from posegraph.errors import ShapeError
from posegraph.models import ZeroVelocity


def test_the_last_pose_is_repeated():
    observed = torch.randn(3, 8, 25, 3)
    model = ZeroVelocity(skeleton="cmu", observed_frames=8, future_frames=5)
    (output,) = model(observed)
    expected = np.concatenate([observed.numpy(), np.repeat(observed.numpy()[:, -1:], 5, axis=1)], axis=1)
    np.testing.assert_array_equal(output.numpy(), expected)
    np.testing.assert_array_equal(model.predict(observed).numpy(), expected[:, 8:])


def test_it_has_nothing_to_learn():
    model = registry.build("zero-velocity")
    assert isinstance(model, ZeroVelocity)
    assert model.state_dict() == {}


def test_wrong_poses_are_refused():
    with pytest.raises(ShapeError, match=r"observed poses: expected \(batch, 10 frames, 22 joints, 3\)"):
        ZeroVelocity()(torch.zeros(1, 10, 32, 3))
