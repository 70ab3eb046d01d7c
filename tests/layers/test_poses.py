from __future__ import annotations

import numpy as np
import torch

from posegraph.layers.poses import accumulated_average, from_nodes, pad_last_pose, to_nodes


def test_padding_repeats_the_last_pose():
    observed = torch.randn(2, 4, 5, 3)
    expected = np.concatenate([observed.numpy(), np.repeat(observed.numpy()[:, -1:], 6, axis=1)], axis=1)
    np.testing.assert_array_equal(pad_last_pose(observed, 6).numpy(), expected)


def test_nodes_are_joint_coordinates():
    poses = torch.randn(2, 4, 5, 3)
    nodes = to_nodes(poses)
    assert nodes.shape == (2, 15, 4)
    for joint in range(5):
        for axis in range(3):
            assert torch.equal(nodes[:, 3 * joint + axis], poses[:, :, joint, axis])
    assert torch.equal(from_nodes(nodes), poses)


def test_accumulated_average_takes_means_of_future_poses():
    poses = torch.randn(2, 7, 5, 3)
    expected = poses.clone()
    for frame in range(3, 7):
        expected[:, frame] = poses[:, 3 : frame + 1].mean(1)
    smooth = accumulated_average(poses, observed_frames=3)
    torch.testing.assert_close(smooth, expected)
    assert torch.equal(smooth[:, :4], poses[:, :4])
    assert accumulated_average(poses.double(), 3).dtype == torch.float64


def test_accumulated_average_keeps_poses_without_a_future():
    poses = torch.randn(2, 4, 5, 3)
    assert torch.equal(accumulated_average(poses, observed_frames=4), poses)
