from __future__ import annotations

import math

import pytest
import torch

from posegraph.errors import ShapeError
from posegraph.layers.losses import coordinate_distance_loss, joint_distance_loss, multi_scale_loss, velocity_loss


def naive(prediction: torch.Tensor, target: torch.Tensor) -> float:
    pairs = zip(prediction.reshape(-1, 3).tolist(), target.reshape(-1, 3).tolist(), strict=True)
    distances = [math.dist(p, t) for p, t in pairs]
    return sum(distances) / len(distances)


def test_joint_distance_matches_naive_distances():
    prediction, target = 100 * torch.randn(2, 2, 5, 4, 3)
    assert joint_distance_loss(prediction, target).item() == pytest.approx(naive(prediction, target), rel=1e-5)


def test_frames_can_be_weighted():
    prediction, target = 100 * torch.randn(2, 2, 3, 4, 3)
    weights = torch.tensor([1.5, 1.0, 0.5])
    frames = [naive(prediction[:, t], target[:, t]) for t in range(3)]
    expected = sum(w * e for w, e in zip(weights.tolist(), frames, strict=True)) / 3
    assert joint_distance_loss(prediction, target, weights).item() == pytest.approx(expected, rel=1e-5)


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


def test_velocity_loss_matches_naive_steps():
    prediction, target = torch.randn(2, 2, 5, 4, 3)
    steps = [poses[:, 1:] - poses[:, :-1] for poses in (prediction, target)]
    assert velocity_loss(prediction, target).item() == pytest.approx(naive(*steps), rel=1e-5)
    standing = prediction + torch.randn(2, 1, 4, 3)
    assert velocity_loss(standing, prediction).item() == pytest.approx(0, abs=1e-5)


def test_velocity_needs_two_frames():
    message = r"prediction: expected \(batch, at least 2 frames, joints, 3\), got \(2, 1, 4, 3\)\. A single frame"
    with pytest.raises(ShapeError, match=message):
        velocity_loss(torch.zeros(2, 1, 4, 3), torch.zeros(2, 1, 4, 3))


def test_velocity_shapes_are_checked():
    with pytest.raises(ShapeError, match=r"like the target's \(2, 5, 12, 3\), got \(2, 5, 22, 3\)"):
        velocity_loss(torch.zeros(2, 5, 22, 3), torch.zeros(2, 5, 12, 3))


def test_coordinate_distance_is_the_mean_over_frames_of_summed_differences():
    prediction, target = torch.randn(2, 4, 5, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = (
        sum(
            abs(float(prediction[b, f, j, c]) - float(target[b, f, j, c]))
            for b in range(4)
            for f in range(5)
            for j in range(6)
            for c in range(3)
        )
        / 20
    )
    assert float(coordinate_distance_loss(prediction, target)) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ShapeError, match=r"prediction: expected \(batch, frames, joints, 3\) like the target's"):
        coordinate_distance_loss(prediction[:, :4], target)
