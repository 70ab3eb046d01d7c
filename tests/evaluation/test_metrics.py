from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph.errors import ShapeError
from posegraph.evaluation.metrics import euler_error_at, joint_errors, mean_up_to, mpjpe_at, mpjpe_up_to


def random_pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(4, 5, 6, 3, dtype=torch.float64, generator=generator) for _ in range(2))  # type: ignore[return-value]


def distances(prediction: torch.Tensor, truth: torch.Tensor, frame: int) -> list[float]:
    return [math.dist(prediction[b, frame, j], truth[b, frame, j]) for b in range(4) for j in range(6)]


def test_at_is_the_mean_distance_of_each_frame():
    prediction, truth = random_pair()
    expected = [sum(distances(prediction, truth, frame)) / 24 for frame in range(5)]
    assert mpjpe_at(prediction, truth).tolist() == pytest.approx(expected)


def test_up_to_is_the_mean_distance_of_all_frames_so_far():
    prediction, truth = random_pair()
    for frame, error in enumerate(mpjpe_up_to(prediction, truth).tolist()):
        so_far = [d for f in range(frame + 1) for d in distances(prediction, truth, f)]
        assert error == pytest.approx(sum(so_far) / len(so_far))


def test_joint_errors_are_the_mean_distances_of_each_joint():
    prediction, truth = random_pair()
    errors = joint_errors(prediction, truth)
    for f in range(5):
        for j in range(6):
            expected = sum(math.dist(prediction[b, f, j], truth[b, f, j]) for b in range(4)) / 4
            assert errors[f, j].item() == pytest.approx(expected)
    torch.testing.assert_close(errors.mean(dim=1), mpjpe_at(prediction, truth))


@pytest.mark.parametrize("metric", [mpjpe_at, mpjpe_up_to, euler_error_at])
def test_a_perfect_forecast_has_no_error(metric):
    truth = random_pair()[1]
    assert metric(truth, truth).tolist() == [0.0] * 5


@pytest.mark.parametrize("metric", [mpjpe_at, mpjpe_up_to, euler_error_at, joint_errors])
def test_shapes_are_checked(metric):
    with pytest.raises(ShapeError, match=r"truth: expected \(batch, frames, joints, 3\), got \(5, 6, 3\)\. Stack"):
        metric(torch.zeros(5, 6, 3), torch.zeros(5, 6, 3))
    with pytest.raises(
        ShapeError, match=r"prediction: expected the shape of truth, \(1, 5, 6, 3\), got \(1, 5, 4, 3\)"
    ):
        metric(torch.zeros(1, 5, 4, 3), torch.zeros(1, 5, 6, 3))


def test_means_up_to_a_frame_leave_other_axes_alone():
    errors = torch.rand(4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([errors[: frame + 1].mean(dim=0) for frame in range(4)])
    torch.testing.assert_close(mean_up_to(errors), expected)


def test_euler_error_is_the_norm_of_all_angles():
    prediction, truth = random_pair()

    def angles(vector):
        rotation = Rotation.from_rotvec(vector.numpy()).as_matrix()  # acts on row vectors, so its transpose on columns
        return Rotation.from_matrix(rotation.T).as_euler("xyz")

    expected = [
        sum(
            math.sqrt(sum(((angles(prediction[b, f, j]) - angles(truth[b, f, j])) ** 2).sum() for j in range(6)))
            for b in range(4)
        )
        / 4
        for f in range(5)
    ]
    assert euler_error_at(prediction, truth).tolist() == pytest.approx(expected, rel=1e-10)
