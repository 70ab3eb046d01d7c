from __future__ import annotations

import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph.errors import ShapeError
from posegraph.skeleton import exponential_map_from_rotation, rotation_from_exponential_map


def test_exponential_maps_are_those_of_scipy():
    turns = Rotation.random(500, random_state=3)
    ours = exponential_map_from_rotation(torch.from_numpy(turns.as_matrix()))
    torch.testing.assert_close(ours, torch.from_numpy(turns.as_rotvec()), atol=1e-9, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-6, 0.5, 3.1415, torch.pi])
def test_exponential_maps_come_back(angle):
    axes = torch.nn.functional.normalize(torch.tensor([[1.0, 2, 3], [0, 0, 1], [-1, 0, 1]], dtype=torch.float64), dim=1)
    turned = rotation_from_exponential_map(axes * angle)
    back = exponential_map_from_rotation(turned)
    torch.testing.assert_close(back.norm(dim=1), torch.full((3,), angle, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(rotation_from_exponential_map(back), turned, atol=1e-9, rtol=0)


def test_matrices_are_asked_for():
    with pytest.raises(ShapeError, match=r"rotation: expected \(\.\.\., 3, 3\), got \(4, 3\)\. Give rotation matrices"):
        exponential_map_from_rotation(torch.zeros(4, 3))
