from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph.errors import DataError, ShapeError
from posegraph.skeleton import RootMotion


def moving(frames: int) -> RootMotion:
    turns = Rotation.random(frames, random_state=0).as_matrix()
    return RootMotion(torch.randn(frames, 3), torch.from_numpy(turns).float())


def test_points_are_turned_then_moved():
    root, poses = moving(4), torch.randn(4, 5, 3)
    assert root.rotations is not None
    expected = np.array(
        [
            [point @ turn + place for point in pose]
            for pose, turn, place in zip(poses.numpy(), root.rotations.numpy(), root.positions.numpy(), strict=True)
        ]
    )
    np.testing.assert_allclose(root.to_world(poses), expected, atol=1e-6)
    torch.testing.assert_close(root.to_local(root.to_world(poses)), poses)


def test_without_rotations_poses_are_moved_alone():
    root, poses = RootMotion(torch.randn(4, 3)), torch.randn(4, 5, 3)
    torch.testing.assert_close(root.to_world(poses), poses + root.positions[:, None])
    torch.testing.assert_close(root.to_local(root.to_world(poses)), poses)


def test_every_so_many_frames_can_be_taken():
    root = moving(9)
    assert len(root[1::3]) == 3
    assert torch.equal(root[1::3].positions, root.positions[[1, 4, 7]])
    assert len(RootMotion(torch.zeros(5, 3))[:2]) == 2


@pytest.mark.parametrize(
    ("positions", "rotations", "error", "message"),
    [
        (torch.zeros(4, 2), None, ShapeError, r"root positions: expected \(frames, 3\), got \(4, 2\)"),
        (
            torch.zeros(4, 3),
            torch.zeros(3, 3, 3),
            ShapeError,
            r"root rotations: expected \(4 frames, 3, 3\), got",
        ),
        (torch.full((4, 3), torch.nan), None, DataError, "root positions: expected finite numbers"),
        (torch.zeros(4, 3), torch.full((4, 3, 3), torch.inf), DataError, "root rotations: expected finite numbers"),
    ],
)
def test_what_does_not_fit_is_refused(positions, rotations, error, message):
    with pytest.raises(error, match=message):
        RootMotion(positions, rotations)
