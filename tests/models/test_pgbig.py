"""PGBIG: the authors' outputs, and every gradient of a second implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph import checkpoint, registry
from posegraph.errors import CheckpointError, ConfigError, ShapeError
from posegraph.models import PGBIG
from tests.authors import FIXTURES, fixture_input, fixture_json, fixture_state, relative_error
from tests.models import reference, reference_pgbig


def authors_state(name: str = "pgbig_cmu") -> dict[str, torch.Tensor]:
    return fixture_state(fixture_json(name)["parameters"])


def authors_model(**settings) -> PGBIG:
    model = registry.build("pgbig", skeleton="cmu", **settings)
    assert isinstance(model, PGBIG)
    model.load_state_dict(model.convert_authors_state(authors_state()))
    return model


def window(batch: int) -> torch.Tensor:
    return fixture_input(0, (batch, 35, 75), 300).unflatten(2, (25, 3))


def assert_outputs_are_the_authors(outputs: tuple[torch.Tensor, ...]) -> None:
    fixture = np.load(FIXTURES / "pgbig_cmu.npz")
    for output, stage in zip(outputs, ("stage4", "stage3", "stage2", "stage1"), strict=True):
        assert relative_error(output.flatten(2), fixture[stage]) < 1e-6


def test_evaluation_matches_the_authors():
    model = authors_model().eval()
    with torch.inference_mode():
        assert_outputs_are_the_authors(model(window(2)[:, :10]))


def test_evaluation_matches_the_reference():
    model = authors_model().eval().double()
    observed = window(2)[:, :10].double()
    with torch.inference_mode():
        expected = reference_pgbig.pgbig(reference.trainable(authors_state()), observed, 25, training=False)
        for output, other in zip(model(observed), reversed(expected), strict=True):
            assert relative_error(output, other) < 1e-12


def test_every_gradient_matches_the_reference():
    model = authors_model(dropout=0.0).train().double()
    poses = window(16).double()
    outputs = model(poses[:, :10])
    loss = model.loss(outputs, poses)

    state = reference.trainable(authors_state())
    stages = reference_pgbig.pgbig(state, poses[:, :10], 25, training=True)
    expected = reference_pgbig.loss(stages, poses, 10)
    for output, other in zip(outputs, reversed(stages), strict=True):
        assert relative_error(output, other) < 1e-11
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)

    loss.backward()
    expected.backward()
    reference.assert_same_gradients(model, state, tolerance=1e-10, partner="att")


@pytest.mark.parametrize("stages", [1, 3])
def test_earlier_stages_aim_at_smoother_motion(stages):
    poses = torch.randn(2, 11, 22, 3)
    model = registry.build("pgbig", future_frames=4, observed_frames=7, num_stages=stages, channels=2)
    expected = poses
    for target in model.targets(poses):
        torch.testing.assert_close(target, expected)
        expected = reference_pgbig.smoothed(expected, 7)
    assert len(model.targets(poses)) == len(model(poses[:, :7])) == stages


def test_the_forecast_is_that_of_the_last_stage():
    """Without the last stage, the one before it forecasts."""
    model = authors_model().eval()
    shorter = authors_model_of_three_stages()
    observed = window(2)[:, :10]
    with torch.inference_mode():
        torch.testing.assert_close(shorter.predict(observed), model(observed)[1][:, 10:])


def authors_model_of_three_stages() -> PGBIG:
    state = {key: value for key, value in authors_state().items() if "coder4" not in key}
    model = registry.build("pgbig", skeleton="cmu", num_stages=3).eval()
    assert isinstance(model, PGBIG)
    model.load_state_dict(model.convert_authors_state(state))
    return model


@pytest.mark.parametrize(
    ("skeleton", "published", "unused"), [("h36m", 1_744_796, 295_680), ("cmu", 1_965_476, 336_000)]
)
def test_parameter_counts_are_the_published_ones(skeleton, published, unused):
    """The authors' class holds a batch norm beside each encoder and decoder that it never calls."""
    fixture = fixture_json(f"pgbig_{skeleton}")
    spare = {
        key: shape for key, shape in fixture["parameters"] if key.split(".")[1:2] == ["bn2"] and "running" not in key
    }
    assert sum(int(np.prod(shape)) for shape in spare.values() if shape) == unused
    model = registry.build("pgbig", skeleton=skeleton)
    assert fixture["num_parameters"] == published
    assert sum(p.numel() for p in model.parameters()) == published - unused


CONTAINERS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {
        "epoch": 50,
        "lr": 5e-4,
        "err": np.float64(54.4),
        "state_dict": state,
        "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 5e-4, "betas": (0.9, 0.99)}]},
    },
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_published_weights_forecast_as_the_authors_do(tmp_path, container):
    path = tmp_path / "weights.pth.tar"
    torch.save(CONTAINERS[container](authors_state()), path)
    model = checkpoint.from_authors("pgbig", path, skeleton="cmu")
    with torch.inference_mode():
        assert_outputs_are_the_authors(model(window(2)[:, :10]))


def test_published_weights_of_another_skeleton_are_refused(tmp_path):
    torch.save(authors_state("pgbig_h36m"), tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"expected the weights of 'pgbig' for skeleton 'cmu' and 35 frames"):
        checkpoint.from_authors("pgbig", tmp_path / "weights.pth", skeleton="cmu")
    assert checkpoint.from_authors("pgbig", tmp_path / "weights.pth", skeleton="h36m").num_joints == 22


@pytest.mark.parametrize(
    "key", ["gc1.att", "gcn_encoder1.gc2.att", "gcn_encoder1.gcbs.0.gc3.att", "gcn_coder1.gc1.att", "gcn_encoder1.bn2"]
)
def test_foreign_keys_are_refused(key):
    with pytest.raises(CheckpointError, match=f"parameter '{key}': expected the authors' names, such as gcn_encoder1"):
        PGBIG.convert_authors_state({key: torch.zeros(1)})


@pytest.mark.parametrize("name", ["num_stages", "channels", "encoder_blocks", "decoder_blocks"])
def test_sizes_are_positive(name):
    with pytest.raises(ConfigError, match=f"{name}: expected an integer of at least 1, got 0"):
        registry.build("pgbig", **{name: 0})


def test_dropout_is_a_probability():
    with pytest.raises(ConfigError, match=r"dropout: expected a number in \[0, 1\), got 1"):
        registry.build("pgbig", dropout=1)


def test_training_needs_two_samples():
    model = registry.build("pgbig", num_stages=1, channels=2)
    with pytest.raises(ShapeError, match="at least two samples in training mode"):
        model(torch.zeros(1, 10, 22, 3))


def test_the_learning_rate_falls_to_a_tenth():
    recipe = registry.info("pgbig").recipe
    rates = [recipe.learning_rate_at(epoch) for epoch in range(1, 51)]
    assert rates == pytest.approx([0.005 * 0.1 ** (epoch / 50) for epoch in range(1, 51)])
