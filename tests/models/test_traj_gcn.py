"""Traj-GCN: the authors' outputs, and every gradient of a second implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph import registry
from posegraph.errors import CheckpointError, ConfigError
from posegraph.layers.losses import joint_distance_loss
from posegraph.models import TrajGCN
from tests.authors import FIXTURES, fixture_input, fixture_json, fixture_state, relative_error
from tests.models import reference


def authors_model(**settings) -> TrajGCN:
    model = registry.build("traj-gcn", skeleton="cmu", **settings)
    assert isinstance(model, TrajGCN)
    state = fixture_state(fixture_json("traj_gcn_cmu")["parameters"])
    model.load_state_dict(model.convert_authors_state(state))
    return model


def test_evaluation_matches_the_authors():
    model = authors_model().eval()
    with torch.inference_mode():
        output = model.forward_coefficients(fixture_input(0, (3, 75, 35), 300))
    assert relative_error(output, np.load(FIXTURES / "traj_gcn_cmu.npz")["output"]) < 1e-6


def training_batch(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Input coefficients and true poses, in float64."""
    truth = fixture_input(10, (batch, 75, 35), 800).double().transpose(1, 2).unflatten(2, (-1, 3))
    return fixture_input(0, (batch, 75, 35), 300).double(), truth


def training_loss(model: TrajGCN, batch: int) -> torch.Tensor:
    coefficients, truth = training_batch(batch)
    trajectories = model.inverse_dct(model.forward_coefficients(coefficients))
    return joint_distance_loss(trajectories.transpose(1, 2).unflatten(2, (-1, 3)), truth)


def test_evaluation_matches_the_reference():
    model = authors_model().eval().double()
    state = reference.trainable(fixture_state(fixture_json("traj_gcn_cmu")["parameters"]))
    coefficients, _ = training_batch(3)
    with torch.inference_mode():
        expected = reference.traj_gcn(state, coefficients, training=False)
        assert relative_error(model.forward_coefficients(coefficients), expected) < 1e-13


def test_every_gradient_matches_the_reference():
    """At a batch of 16, where training is well conditioned."""
    model = authors_model(dropout=0.0).train().double()
    loss = training_loss(model, batch=16)
    state = reference.trainable(fixture_state(fixture_json("traj_gcn_cmu")["parameters"]))
    coefficients, truth = training_batch(16)
    poses = reference.to_poses(reference.traj_gcn(state, coefficients, training=True))
    expected = reference.mean_joint_distance(poses, truth)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-13)

    loss.backward()
    expected.backward()
    reference.assert_same_gradients(model, state, tolerance=1e-12)


def test_training_is_near_the_authors():
    """A step of the authors' class, with the statistics of a batch of three.

    The loss depends little on rounding, the gradient much: the same float32 program under other kernels (MKL in its
    compatible, SSE, AVX2 and AVX512 modes, one and two threads) gives norms of 0.7 to 1.2 times the authors'.
    """
    model = authors_model(dropout=0.0).train().double()
    expected = fixture_json("traj_gcn_cmu")["train"]
    loss = training_loss(model, batch=3)
    assert loss.item() == pytest.approx(expected["loss"], rel=1e-6)
    loss.backward()
    norm = torch.nn.utils.get_total_norm(p.grad for p in model.parameters() if p.grad is not None)
    assert float(norm) == pytest.approx(expected["total_grad_norm_before_clip"], rel=0.4)


@pytest.mark.parametrize(
    ("skeleton", "future", "coefficients", "published"),
    [("cmu", 25, 35, 2_703_469), ("h36m", 10, 15, 2_545_015), ("h36m", 25, 30, 2_552_710)],
)
def test_parameter_counts_are_the_published_ones(skeleton, future, coefficients, published):
    model = registry.build("traj-gcn", skeleton=skeleton, future_frames=future, num_coefficients=coefficients)
    assert sum(p.numel() for p in model.parameters()) == published


def test_all_coefficients_are_lossless_and_few_smooth():
    """With a silent network the output is the input, projected onto the kept cosines."""
    observed = torch.randn(2, 10, 22, 3, generator=torch.Generator().manual_seed(0))
    for coefficients, lossless in ((None, True), (4, False)):
        model = registry.build("traj-gcn", num_coefficients=coefficients, channels=8, num_blocks=1).eval()
        for parameter in model.head.parameters():
            torch.nn.init.zeros_(parameter)
        (output,) = model(observed)
        padded = torch.cat([observed, observed[:, 9:].expand(-1, 25, -1, -1)], 1)
        assert (relative_error(output, padded) < 1e-5) is lossless


@pytest.mark.parametrize("key", ["gc2.weight", "first_left.0.gc1.att", "gcbs.0.act.weight", "gcbs.0"])
def test_foreign_keys_are_refused(key):
    with pytest.raises(CheckpointError, match=f"parameter '{key}': expected the authors' names gc1"):
        TrajGCN.convert_authors_state({key: torch.zeros(1)})


def test_more_coefficients_than_frames_are_refused():
    with pytest.raises(ConfigError, match="num_coefficients: expected at most 35"):
        registry.build("traj-gcn", num_coefficients=36)


def narrow(**settings):
    torch.manual_seed(0)
    return registry.build("traj-gcn", **{"channels": 8, "num_blocks": 1, **settings}).eval()


def test_without_dct_the_network_sees_the_trajectories():
    model = narrow(dct=False)
    observed = 100 * torch.randn(2, 10, 22, 3, generator=torch.Generator().manual_seed(0))
    nodes = torch.cat([observed, observed[:, 9:].expand(-1, 25, -1, -1)], 1).flatten(2).transpose(1, 2)
    expected = model.forward_coefficients(nodes).transpose(1, 2).unflatten(2, (22, 3))
    assert torch.equal(model(observed)[0], expected)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in narrow().parameters())


def test_without_global_residual_the_input_is_not_added():
    models = narrow(), narrow(global_residual=False)
    coefficients = torch.randn(2, 66, 35, generator=torch.Generator().manual_seed(0))
    added, bare = (model.forward_coefficients(coefficients) for model in models)
    torch.testing.assert_close(added, bare + coefficients)


@pytest.mark.parametrize(
    ("skeleton", "future", "nodes", "parameters"),
    [("h36m-angles", 10, 48, 2_263_828), ("h36m-angles", 25, 48, None), ("cmu-angles", 25, 64, None)],
)
def test_rotations_have_a_node_for_each_coordinate_that_moves(skeleton, future, nodes, parameters):
    model = registry.build("traj-gcn", skeleton=skeleton, future_frames=future)
    assert model.head.num_nodes == nodes
    if parameters is not None:
        assert sum(p.numel() for p in model.parameters()) == parameters
    state = fixture_json(f"traj_gcn_angles_{nodes}_{10 + future}")["parameters"] if nodes == 48 else []
    if state:
        model.load_state_dict(model.convert_authors_state(fixture_state(state)))


def test_locked_coordinates_keep_their_last_value():
    model = narrow(skeleton="h36m-angles")
    observed = torch.randn(2, 10, 20, 3, generator=torch.Generator().manual_seed(0))
    locked = sorted(set(range(60)) - set(model.skeleton.moving))
    forecast = model.predict(observed).flatten(2)
    assert len(locked) == 12
    assert torch.equal(forecast[..., locked], observed[:, -1:].flatten(2)[..., locked].expand(-1, 25, -1))
    changed = observed.flatten(2).clone()
    changed[..., locked] += 1
    moving = list(model.skeleton.moving)
    assert torch.equal(model.predict(changed.view_as(observed)).flatten(2)[..., moving], forecast[..., moving])


def test_the_loss_is_that_of_the_representation_unless_another_is_chosen():
    window = torch.randn(2, 35, 20, 3, generator=torch.Generator().manual_seed(0))
    outputs = (torch.zeros_like(window),)
    rotations, chosen = narrow(skeleton="h36m-angles"), narrow(skeleton="h36m-angles", loss="joint-distance")
    assert float(rotations.loss(outputs, window)) == pytest.approx(float(window.abs().sum()) / 70, rel=1e-5)
    assert float(chosen.loss(outputs, window)) == pytest.approx(float(window.norm(dim=-1).mean()), rel=1e-5)


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match="num_coefficients: expected None with dct=False, got 20"):
        registry.build("traj-gcn", dct=False, num_coefficients=20)
    with pytest.raises(ConfigError, match="loss: expected one of None, 'joint-distance', 'l1'; got 'l2'"):
        registry.build("traj-gcn", loss="l2")
    with pytest.raises(ConfigError, match="operator 'masked': expected a skeleton all of whose coordinates move"):
        registry.build("traj-gcn", skeleton="cmu-angles", operator="masked")
