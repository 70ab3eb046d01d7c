from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph.errors import ShapeError
from posegraph.skeleton.rotations import (
    euler_from_rotation,
    exponential_map_from_rotation,
    rotation_from_exponential_map,
)
from tests.skeleton.vectors import random_vectors


@pytest.mark.parametrize("scale", [3.0, 1.0, 0.03, 1e-3, 1e-8, 0.0])
def test_rotations_match_scipy(scale):
    r = random_vectors(50, scale=scale)
    expected = Rotation.from_rotvec(r.numpy()).as_matrix()
    torch.testing.assert_close(rotation_from_exponential_map(r), torch.from_numpy(expected), rtol=0, atol=1e-14)


def test_single_precision_is_accurate_near_zero():
    r = random_vectors(200, scale=0.02)
    single = rotation_from_exponential_map(r.float())
    torch.testing.assert_close(single.double(), rotation_from_exponential_map(r), rtol=0, atol=2e-7)


@pytest.mark.parametrize("scale", [1.0, 0.03, 1e-3, 0.0])
def test_rotation_gradients_match_finite_differences(scale):
    assert torch.autograd.gradcheck(rotation_from_exponential_map, random_vectors(4, scale=scale).requires_grad_())


def test_gradient_at_zero_is_the_cross_product_matrix():
    jacobian = torch.autograd.functional.jacobian(rotation_from_exponential_map, torch.zeros(3))
    assert isinstance(jacobian, torch.Tensor)
    expected = torch.zeros(3, 3, 3)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        expected[i, j, k], expected[j, i, k] = -1.0, 1.0
    torch.testing.assert_close(jacobian, expected)


@pytest.mark.parametrize("bad", [torch.zeros(4), torch.zeros(()), torch.zeros(3, dtype=torch.int64)])
def test_rotation_refuses_other_shapes(bad):
    with pytest.raises(ShapeError, match=r"exponential_map: expected floating-point \(\.\.\., 3\), got"):
        rotation_from_exponential_map(bad)


def test_euler_angles_match_scipy():
    r = random_vectors(200, scale=1.5)
    rotation = rotation_from_exponential_map(r)
    expected = Rotation.from_matrix(rotation.mT.numpy()).as_euler("xyz")
    np.testing.assert_allclose(euler_from_rotation(rotation), expected, atol=1e-12)


@pytest.mark.parametrize("sine", [1.0, -1.0])
def test_euler_angles_at_the_ends_follow_the_published_convention(sine):
    """Where x and z turn about the same axis, published codes read one angle off the first row."""
    rotation = torch.tensor([[0.0, 0.0, sine], [0.6, 0.8, 0.0], [-0.8 * sine, 0.6 * sine, 0.0]], dtype=torch.float64)
    expected = [math.atan2(0.0, sine), -sine * math.pi / 2, 0.0]
    assert euler_from_rotation(rotation).tolist() == pytest.approx(expected)


def test_euler_angles_need_matrices():
    with pytest.raises(ShapeError, match=r"rotation: expected \(\.\.\., 3, 3\), got \(4, 3\)"):
        euler_from_rotation(torch.zeros(4, 3))


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
