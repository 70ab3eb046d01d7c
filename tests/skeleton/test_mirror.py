from __future__ import annotations

import pytest
import torch

from posegraph.errors import ConfigError
from posegraph.skeleton import presets
from posegraph.skeleton.kinematics import forward_kinematics
from posegraph.skeleton.mirror import mirror_image
from posegraph.skeleton.skeleton import Skeleton
from tests.skeleton.vectors import random_vectors

ARMS = Skeleton(
    "arms", ("chest", "l", "r"), (-1, 0, 0), offsets=((0.0, 9.0, 0.0), (2.0, 1.0, 3.0), (-2.0, 1.0, 3.0)),
    mirrored=(("l", "r"),),
)  # fmt: skip


def test_mirrored_rotations_give_mirrored_positions():
    """A plane turns the axis of a rotation as it turns a point, and the angle the other way round."""
    rotations = random_vectors(4, 3)
    joints, signs = mirror_image(ARMS)
    other_side = -(rotations[:, joints] * signs)
    expected = forward_kinematics(rotations, ARMS, root_rotation=True)[:, joints] * signs
    torch.testing.assert_close(forward_kinematics(other_side, ARMS, root_rotation=True), expected)


@pytest.mark.parametrize("name", ["h36m", "cmu"])
def test_mirroring_twice_changes_nothing(name):
    joints, signs = mirror_image(presets.get(name))
    poses = torch.randn(2, len(joints), 3)
    assert torch.equal((poses[:, joints] * signs)[:, joints] * signs, poses)


@pytest.mark.parametrize("skeleton", [Skeleton("bare", ("a", "b"), (-1, 0)), presets.get("cmu-angles")])
def test_without_pairs_or_positions_there_is_no_mirror_image(skeleton):
    message = rf"mirror: expected a skeleton of positions with mirrored pairs, got '{skeleton.name}' with \d+ pairs"
    with pytest.raises(ConfigError, match=message):
        mirror_image(skeleton)
