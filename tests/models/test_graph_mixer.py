from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from posegraph import registry
from posegraph.errors import ConfigError
from posegraph.layers.dct import dct_matrix
from posegraph.layers.losses import joint_distance_loss, velocity_loss
from posegraph.models import GraphMixer, GraphMixerConfig
from posegraph.skeleton import presets
from posegraph.skeleton.mirror import mirror_image

SMALL = GraphMixerConfig(channels=8, num_blocks=2, num_heads=2)


def poses(frames=10, seed=0, batch=3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    start, steps = (torch.randn(batch, n, 25, 3, generator=generator) for n in (1, frames))
    return (300 * start + 20 * steps.cumsum(1)).double()


def trained(config: GraphMixerConfig = SMALL, **options: Any) -> GraphMixer:
    """A model whose zero parameters are zero no more, with statistics."""
    torch.manual_seed(1)
    model = GraphMixer(config, skeleton="cmu", **options).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.fit_statistics([poses(model.total_frames)])
    return model


def test_a_new_model_repeats_the_last_pose():
    model, observed = GraphMixer(SMALL, skeleton="cmu").double().eval(), poses()
    assert torch.equal(model.predict(observed), observed[:, -1:].expand(-1, 25, -1, -1))


def test_the_network_matches_a_reference():
    """Inputs, features and outputs joint by joint; the blocks have a test of their own."""
    model, observed = trained(future_frames=7), poses()
    mean, std, scale = model.normalizer.mean, model.normalizer.std, model.motion_scale
    features = torch.empty(3, 25, 8, dtype=torch.float64)
    for joint in range(25):
        path = observed[:, :, joint]
        inputs = [(path[:, -1] - mean[joint]) / std[joint], *((path[:, t] - path[:, -1]) / scale for t in range(9))]
        by_axis = torch.stack(inputs, 1).flatten(1)  # frame by frame, x y z of each
        features[:, joint] = by_axis @ model.start.weight.T + model.start.bias + model.joint_embedding[joint]
    features = model.norm(model.blocks(features))
    basis = dct_matrix(7, dtype=torch.float64)
    expected = torch.empty(3, 7, 25, 3, dtype=torch.float64)
    for joint in range(25):
        for axis in range(3):
            rows = slice(7 * axis, 7 * axis + 7)
            coefficients = features[:, joint] @ model.head.weight[rows].T + model.head.bias[rows]
            expected[:, :, joint, axis] = observed[:, -1, joint, axis, None] + scale * coefficients @ basis
    torch.testing.assert_close(model.forward_poses(observed), expected, rtol=1e-6, atol=1e-5)  # the basis is float32


def test_left_and_right_are_the_same_to_it():
    model, observed = trained(), poses()
    joints, signs = mirror_image(presets.get("cmu").reduced)
    mirrored = model.predict(observed[:, :, joints] * signs)
    torch.testing.assert_close(mirrored, model.predict(observed)[:, :, joints] * signs)


def both_forecasts(observed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the poses, and of their mirror image, mirrored back."""
    joints, signs = mirror_image(presets.get("cmu").reduced)
    single = trained(dataclasses.replace(SMALL, mirrored=False))
    return single.predict(observed), single.predict(observed[:, :, joints] * signs)[:, :, joints] * signs


def test_without_caution_it_is_the_mean_of_both_sides():
    observed = poses()
    one, other = both_forecasts(observed)
    assert not torch.allclose(one, other)
    model = trained(dataclasses.replace(SMALL, caution=0.0))
    torch.testing.assert_close(model.predict(observed), (one + other) / 2)


@torch.no_grad()
def test_caution_shortens_what_both_sides_disagree_on():
    """Frame by frame: mean squares and variances over the joints, by loops."""
    observed = poses()
    one, other = both_forecasts(observed)
    found = trained(dataclasses.replace(SMALL, caution=3.0)).predict(observed)
    for b in range(3):
        for t in range(25):
            moves = (one + other)[b, t] / 2 - observed[b, -1]
            size = sum(float(moves[j] @ moves[j]) for j in range(25)) / 25
            pairs = torch.stack([one[b, t], other[b, t]])
            variance = float(pairs.var(0, unbiased=True).sum()) / 25
            expected = observed[b, -1] + moves * size / (size + 3 * variance)
            torch.testing.assert_close(found[b, t], expected)


def test_caution_leaves_what_does_not_move():
    model = GraphMixer(SMALL, skeleton="cmu").double().eval()  # new: both sides repeat the last pose
    observed = poses()
    assert torch.equal(model.predict(observed)[:, 0], observed[:, -1])


def test_training_sees_one_side_at_a_time():
    config = dataclasses.replace(SMALL, dropout=0.0)
    model, observed = trained(config), poses()
    expected = trained(dataclasses.replace(config, mirrored=False)).predict(observed)
    torch.testing.assert_close(model.train().predict(observed), expected)


def test_skeletons_without_mirrored_pairs_do_without():
    lone = dataclasses.replace(presets.get("cmu"), mirrored=())
    assert not GraphMixer(SMALL, skeleton=lone).averages_mirror_images
    assert not GraphMixer(SMALL, skeleton="cmu-angles").averages_mirror_images
    assert GraphMixer(SMALL, skeleton="h36m").averages_mirror_images


def test_statistics_are_those_of_the_windows():
    model, windows = GraphMixer(SMALL, skeleton="cmu").double(), poses(35, batch=8)
    model.fit_statistics(iter(windows.split(3)))
    moves = windows[:, :10] - windows[:, 9:10]
    torch.testing.assert_close(model.motion_scale, moves.square().mean().sqrt())
    torch.testing.assert_close(model.normalizer.mean, windows.mean((0, 1)))


def test_statistics_of_still_poses_leave_the_unit():
    model = GraphMixer(SMALL, skeleton="cmu")
    model.fit_statistics([torch.ones(2, 35, 25, 3)])
    assert model.motion_scale.item() == 1


def test_the_loss_is_of_future_poses_and_their_steps():
    model, window = trained(), poses(35)
    outputs = model(window[:, :10])
    weights = [(t + 1) ** -0.5 for t in range(25)]
    distances = (outputs[0] - window)[:, 10:].norm(dim=-1).mean((0, 2))
    expected = sum(w * d for w, d in zip(weights, distances, strict=True)) / sum(weights)
    steps = velocity_loss(outputs[0][:, 9:], window[:, 9:])
    torch.testing.assert_close(model.loss(outputs, window), expected + steps)
    plain = trained(dataclasses.replace(SMALL, velocity=0.0, frame_power=0.0))
    torch.testing.assert_close(plain.loss(outputs, window), joint_distance_loss(outputs[0][:, 10:], window[:, 10:]))


def test_observed_poses_are_copied():
    model, observed = trained(), poses()
    (output,) = model(observed)
    assert torch.equal(output[:, :10], observed)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 0}, "channels"),
        ({"channels": 12, "num_heads": 8}, "num_heads: expected a divisor of channels = 12"),
        ({"dropout": -0.1}, "dropout"),
        ({"velocity": -1.0}, r"velocity: expected a number of at least 0, got -1\.0"),
        ({"caution": -1.0}, r"caution: expected a number of at least 0, got -1\.0"),
        ({"frame_power": -1.0}, r"frame_power: expected a number of at least 0, got -1\.0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        registry.build("graph-mixer", **settings)
