from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph import registry
from posegraph.errors import CheckpointError, ConfigError
from posegraph.losses import joint_distance_loss
from posegraph.models import TrajGCN
from tests.authors import FIXTURES, fixture_input, fixture_json, fixture_state, relative_error


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


def test_training_matches_the_authors():
    model = authors_model(dropout=0.0).train()
    expected = fixture_json("traj_gcn_cmu")["train"]
    output = model.inverse_dct(model.forward_coefficients(fixture_input(0, (3, 75, 35), 300)))
    poses = [x.transpose(1, 2).unflatten(2, (-1, 3)) for x in (output, fixture_input(10, (3, 75, 35), 800))]
    loss = joint_distance_loss(poses[0], poses[1])
    loss.backward()
    assert loss.item() == pytest.approx(expected["loss"], rel=1e-5)
    norm = torch.nn.utils.get_total_norm(p.grad for p in model.parameters() if p.grad is not None)
    assert float(norm) == pytest.approx(expected["total_grad_norm_before_clip"], rel=1e-4)


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


def test_errors():
    with pytest.raises(CheckpointError, match=r"parameter 'first_left.0.gc1.att': expected the authors' names gc1"):
        TrajGCN.convert_authors_state({"first_left.0.gc1.att": torch.zeros(1)})
    with pytest.raises(ConfigError, match="num_coefficients: expected at most 35"):
        registry.build("traj-gcn", num_coefficients=36)
