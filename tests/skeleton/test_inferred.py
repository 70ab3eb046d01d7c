"""What positions tell, against what is known of the built-in bodies."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph import data
from posegraph.errors import ConfigError, DataError, ShapeError, SkeletonError
from posegraph.skeleton import presets
from posegraph.skeleton.inferred import infer, pairs_by_shape
from posegraph.skeleton.kinematics import to_positions

CMU = presets.get("cmu")
BODIES = ("body-17", "body-25", "coco-17", "h36m-17", "kinect-25", "mediapipe-33", "ntu-25", "smpl-22", "smpl-24")


@pytest.fixture(scope="module")
def recorded() -> torch.Tensor:
    return torch.cat([clip.poses for clip in data.load("cmu", "samples").select("test")])


def anonymous(count: int) -> list[str]:
    return [f"joint {i}" for i in range(count)]


def test_recorded_clips_tell_what_the_benchmark_leaves_out(recorded):
    for positions in (recorded, recorded.numpy(), recorded + 900):
        body = infer(positions, CMU.joint_names, CMU.parents, name="cmu", fps=60)
        assert body.constant == CMU.constant
        assert dict(body.duplicates) == dict(CMU.duplicates)
        assert set(body.mirrored) == set(CMU.mirrored)
        assert (body.name, body.fps, body.used) == ("cmu", 60.0, CMU.used)
    lengths = np.linalg.norm(body.offsets, axis=-1)
    np.testing.assert_allclose(lengths, np.linalg.norm(CMU.offsets, axis=-1), atol=0.05)


def test_rotations_of_human36m_tell_what_the_benchmark_leaves_out():
    h36m, angles = presets.get("h36m"), presets.get("h36m-angles")
    turns = 0.4 * torch.randn(30, 32, 3, generator=torch.Generator().manual_seed(0))
    turns[:, angles.root] = 0
    body = infer(to_positions(turns, angles), h36m.joint_names, h36m.parents, tolerance=0.5)
    assert dict(body.duplicates) == dict(h36m.duplicates)
    assert body.constant == h36m.constant
    assert set(body.mirrored) == set(h36m.mirrored)


@pytest.mark.parametrize("name", BODIES)
def test_shape_tells_mirrored_joints_without_names(name):
    body = presets.get(name)
    expected = [(body.index(left), body.index(right)) for left, right in body.mirrored]
    assert set(pairs_by_shape(body.parents, body.offsets)) == set(expected)
    turned = np.array(body.offsets)[:, [2, 1, 0]]
    assert set(pairs_by_shape(body.parents, turned, lateral=2)) == set(expected)


def test_shape_tells_mirrored_joints_of_recorded_clips(recorded):
    body = infer(recorded, anonymous(38), CMU.parents)
    pairs = {tuple(body.index(name) for name in pair) for pair in body.mirrored}
    assert pairs == {(CMU.index(left), CMU.index(right)) for left, right in CMU.mirrored}


def test_lopsided_bodies_have_no_pairs():
    assert pairs_by_shape([-1, 0, 0], [[0, 0, 0], [90, 0, 0], [-30, 0, 0]]) == []
    assert pairs_by_shape([-1, 0, 0, 1], [[0, 0, 0], [90, 0, 0], [-90, 0, 0], [5, 5, 5]]) == []
    assert pairs_by_shape([-1], [[0, 0, 0]]) == []


def test_fields_take_precedence():
    x = np.random.default_rng(0).normal(size=(20, 3, 3))
    body = infer(x, ("nose", "left_hip", "right_hip"), (-1, 0, 0), mirrored=(), origin=("left_hip", "right_hip"))
    assert (body.mirrored, body.constant, dict(body.duplicates)) == ((), (), {})
    assert infer(x, ("nose", "left_hip", "right_hip"), (-1, 0, 0), constant=()).num_used == 3


def test_noise_hides_what_is_still_unless_it_is_allowed_for():
    generator = np.random.default_rng(0)
    x = np.zeros((50, 3, 3))
    x[:, 1, 0], x[:, 2] = 500, generator.normal(size=(50, 3)) * 200
    noisy = x + generator.normal(size=x.shape)
    assert infer(noisy, ("a", "b", "c"), (-1, 0, 0)).constant == ("a",)
    assert infer(noisy, ("a", "b", "c"), (-1, 0, 0), tolerance=10).constant == ("a", "b")


@pytest.mark.parametrize("shape", [(3, 3), (4, 2, 3), (4, 3, 2), (0, 3, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ShapeError, match=r"positions: expected \(frames, 3 joints, 3\), got"):
        infer(np.zeros(shape), ("a", "b", "c"), (-1, 0, 0))


def test_other_values_are_refused():
    with pytest.raises(ShapeError, match=r"positions: expected \(frames, 1 joints, 3\), got object"):
        infer([[["a", None, 3]]], ("a",), (-1,))
    with pytest.raises(DataError, match="positions"):
        infer(np.full((2, 1, 3), np.nan), ("a",), (-1,))
    with pytest.raises(ConfigError, match="tolerance: expected a distance above 0, or None, got 0"):
        infer(np.zeros((2, 1, 3)), ("a",), (-1,), tolerance=0)
    with pytest.raises(SkeletonError, match="expected at least one used joint"):
        infer(np.zeros((2, 1, 3)), ("a",), (-1,))
