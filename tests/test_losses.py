from __future__ import annotations

import math

import pytest
import torch

from posegraph.errors import ShapeError
from posegraph.losses import joint_distance_loss, multi_scale_loss


def naive(prediction: torch.Tensor, target: torch.Tensor) -> float:
    pairs = zip(prediction.reshape(-1, 3).tolist(), target.reshape(-1, 3).tolist(), strict=True)
    distances = [math.dist(p, t) for p, t in pairs]
    return sum(distances) / len(distances)


def test_joint_distance_matches_naive_distances():
    prediction, target = 100 * torch.randn(2, 2, 5, 4, 3)
    assert joint_distance_loss(prediction, target).item() == pytest.approx(naive(prediction, target), rel=1e-5)


def test_joint_distance_gradients():
    prediction = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randn(2, 3, 2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(joint_distance_loss, (prediction, target))


def test_a_perfect_joint_has_a_finite_gradient():
    prediction = torch.ones(1, 1, 2, 3, requires_grad=True)
    joint_distance_loss(prediction, torch.ones(1, 1, 2, 3)).backward()
    assert torch.equal(prediction.grad, torch.zeros(1, 1, 2, 3))


def test_scales_are_summed():
    outputs = [torch.randn(2, 5, joints, 3) for joints in (22, 12, 7)]
    targets = [torch.randn_like(output) for output in outputs]
    expected = sum(naive(*pair) for pair in zip(outputs, targets, strict=True))
    assert multi_scale_loss(outputs, targets).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("prediction", "target"), [((2, 5, 22, 3), (2, 5, 12, 3)), ((2, 5, 22, 2), (2, 5, 22, 2))])
def test_shapes_are_checked(prediction, target):
    message = r"prediction: expected \(batch, frames, joints, 3\) like the target's \(2, 5, .*Compare poses of the same"
    with pytest.raises(ShapeError, match=message):
        joint_distance_loss(torch.zeros(prediction), torch.zeros(target))


def test_every_output_needs_a_target():
    message = r"outputs: expected 1 scales, got 2 scales\. Give one target for each output"
    with pytest.raises(ShapeError, match=message):
        multi_scale_loss([torch.zeros(1, 1, 1, 3)] * 2, [torch.zeros(1, 1, 1, 3)])
