from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.torch_version import TorchVersion

from posegraph import checkpoint
from posegraph.errors import CheckpointError, ConfigError, UnknownNameError
from posegraph.models import MSRGCNReleased, TrajGCN
from posegraph.models.base import ForecastModel
from tests.authors import FIXTURES, fixture_input, fixture_json, fixture_state, relative_error
from tests.checkpoint.trap import Trap

pytestmark = pytest.mark.skipif(torch.__version__ < "2.10", reason="this PyTorch cannot read pickles safely")


def observed(model: ForecastModel, batch: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 300 * torch.randn(batch, model.observed_frames, model.num_joints, 3, generator=generator)


CONTAINERS: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
    "bare": lambda state: state,
    "model": lambda state: {"lr": 2e-4, "best_err": np.float64(57.9), "curr_err": np.float32(58.1), "model": state},
    "state_dict": lambda state: {
        "epoch": 50,
        "err": np.float64(53.0),
        "state_dict": state,
        "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 5e-4, "betas": (0.9, 0.99)}]},
    },
    "parallel": lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
}


def authors_file(
    path: Path, fixture: str, container: str = "bare", change: Callable[[dict[str, torch.Tensor]], None] | None = None
) -> Path:
    state = fixture_state(fixture_json(fixture)["parameters"])
    if change is not None:
        change(state)
    torch.save(CONTAINERS[container](state), path)
    return path


@pytest.mark.parametrize("container", CONTAINERS)
def test_published_trajectory_weights_forecast_as_the_authors_do(tmp_path, container):
    path = authors_file(tmp_path / "weights.pth", "traj_gcn_cmu", container)
    model = checkpoint.from_authors("traj-gcn", path, skeleton="cmu")
    assert isinstance(model, TrajGCN)
    with torch.inference_mode():
        output = model.forward_coefficients(fixture_input(0, (3, 75, 35), 300))
    assert relative_error(output, np.load(FIXTURES / "traj_gcn_cmu.npz")["output"]) < 1e-6


def test_published_weights_forecast_poses(tmp_path):
    """The pose path against the authors' network on coefficients that a cosine transform by hand gives."""
    path = authors_file(tmp_path / "weights.pth", "traj_gcn_cmu")
    model = checkpoint.from_authors("traj-gcn", path, skeleton="cmu")
    assert isinstance(model, TrajGCN)
    poses = observed(model)
    padded = torch.cat([poses, poses[:, -1:].repeat(1, 25, 1, 1)], 1).double()
    frames = np.arange(35)
    basis = np.cos(np.pi * (frames + 0.5) * frames[:, None] / 35) * np.sqrt(2 / 35)
    basis[0] /= np.sqrt(2)
    coefficients = torch.einsum("kt,btjc->bjck", torch.from_numpy(basis), padded).reshape(len(poses), 75, 35)
    with torch.inference_mode():
        output = model.forward_coefficients(coefficients.float()).double().reshape(len(poses), 25, 3, 35)
        expected = torch.einsum("kt,bjck->btjc", torch.from_numpy(basis), output)[:, 10:]
        assert relative_error(model.predict(poses), expected) < 1e-6


@pytest.mark.parametrize("container", CONTAINERS)
def test_published_multi_scale_weights_forecast_as_the_authors_do(tmp_path, container):
    path = authors_file(tmp_path / "weights.pth", "msrgcn_released_cmu", container)
    model = checkpoint.from_authors(
        "msrgcn-released", path, skeleton="cmu", normalization=(-5500.0, 6000.0), e3_input="d3"
    )
    assert isinstance(model, MSRGCNReleased)
    assert not model.training
    assert (float(model.normalizer.minimum), float(model.normalizer.maximum)) == (-5500.0, 6000.0)
    inputs = [fixture_input(i, (3, nodes, 35), 0.3) for i, nodes in enumerate((75, 36, 21, 12))]
    expected = np.load(FIXTURES / "msrgcn_released_cmu.npz")
    with torch.inference_mode():
        outputs = model.forward_coefficients(inputs)
    for output, key in zip(outputs, ["scale0", "scale1", "scale2", "scale3_d3"], strict=True):
        assert relative_error(output, expected[key]) < 1e-6


def test_published_short_term_weights_are_a_checkpoint_of_ours_after_saving(tmp_path):
    path = authors_file(tmp_path / "weights.pth", "msrgcn_released_short_cmu", "model")
    model = checkpoint.from_authors("msrgcn-released-short", path, skeleton="cmu", normalization=(-900.0, 1100.0))
    assert (model.future_frames, sum(p.numel() for p in model.parameters())) == (10, 6_683_359)
    again = checkpoint.load(checkpoint.save_checkpoint(model, tmp_path / "ours"))
    with torch.inference_mode():
        assert torch.equal(again.predict(observed(model)), model.predict(observed(model)))
    assert float(again.state_dict()["normalizer.minimum"]) == -900.0


@pytest.mark.parametrize(
    ("name", "fixture", "normalization", "message"),
    [
        (
            "msrgcn-released",
            "msrgcn_released_cmu",
            None,
            r"'msrgcn-released' needs the \(min, max\) of its training data",
        ),
        (
            "traj-gcn",
            "traj_gcn_cmu",
            (0.0, 1.0),
            r"model 'traj-gcn' does not use any, got \(0\.0, 1\.0\)\. Leave it out",
        ),
        (
            "msrgcn-released",
            "msrgcn_released_cmu",
            (1.0, 0.0),
            r"expected \(min, max\) with min < max, got \(1\.0, 0\.0\)",
        ),
    ],
)
def test_the_range_is_asked_for_where_it_is_needed(tmp_path, name, fixture, normalization, message):
    path = authors_file(tmp_path / "weights.pth", fixture)
    with pytest.raises(ConfigError, match=message):
        checkpoint.from_authors(name, path, skeleton="cmu", normalization=normalization)


def misfit(state: dict[str, torch.Tensor]) -> None:
    state["gcbs.99.gc1.weight"] = torch.zeros(1)
    del state["gc1.bias"]


@pytest.mark.parametrize(
    ("skeleton", "settings", "change", "message"),
    [
        (
            "h36m",
            {},
            None,
            r"for skeleton 'h36m' and 35 frames, but \d+ parameters differ: .* has shape \(75, 75\) in pl",
        ),
        (
            "cmu",
            {"future_frames": 10},
            None,
            r"for skeleton 'cmu' and 20 frames, but 3 parameters differ: .* has shape",
        ),
        ("cmu", {"num_blocks": 11}, None, r".* but 16 parameters differ: .* is not a parameter of the model"),
        (
            "cmu",
            {},
            misfit,
            r".* but 2 parameters differ: .*blocks\.99\..* is not a parameter .*; start\..*bias is missing\.",
        ),
    ],
)
def test_weights_that_do_not_fit_are_listed(tmp_path, skeleton, settings, change, message):
    path = authors_file(tmp_path / "weights.pth", "traj_gcn_cmu", change=change)
    with pytest.raises(CheckpointError, match=rf"weights\.pth: expected the weights of 'traj-gcn' {message}"):
        checkpoint.from_authors("traj-gcn", path, skeleton=skeleton, **settings)


def test_only_models_with_published_weights_read_them(tmp_path):
    path = authors_file(tmp_path / "weights.pth", "traj_gcn_cmu")
    with pytest.raises(CheckpointError, match="MSRGCN cannot read weights published by its authors"):
        checkpoint.from_authors("msrgcn", path, skeleton="cmu", normalization=(0, 1))
    with pytest.raises(
        CheckpointError, match=r"parameter 'gc1\.weight': expected the authors' names, such as first_left"
    ):
        checkpoint.from_authors("msrgcn-released", path, skeleton="cmu", normalization=(0, 1))
    with pytest.raises(UnknownNameError, match=r"unknown model 'trajgcn'\. Did you mean 'traj-gcn'"):
        checkpoint.from_authors("trajgcn", path, skeleton="cmu")


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_published_file_is_not_run(tmp_path, zipped):
    path = tmp_path / "weights.pth"
    content = {"state_dict": fixture_state(fixture_json("traj_gcn_cmu")["parameters"]), "x": Trap(tmp_path / "trapped")}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        CheckpointError, match=r"cannot be read safely: UnpicklingError\. Download it again; files that"
    ):
        checkpoint.from_authors("traj-gcn", path, skeleton="cmu")
    assert not (tmp_path / "trapped").exists()


def test_no_type_stays_allowed_after_reading(tmp_path):
    path = authors_file(tmp_path / "weights.pth", "traj_gcn_cmu", "model")
    before = set(torch.serialization.get_safe_globals())
    checkpoint.from_authors("traj-gcn", path, skeleton="cmu")
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04"])
def test_files_that_are_not_of_pytorch_are_refused(tmp_path, content):
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"weights\.pth: expected a PyTorch file of tensors, but it cannot be read"
    ):
        checkpoint.from_authors("traj-gcn", tmp_path / "weights.pth", skeleton="cmu")


def test_a_published_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot be read safely: FileNotFoundError"):
        checkpoint.from_authors("traj-gcn", tmp_path / "weights.pth", skeleton="cmu")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ([torch.zeros(1)], "list"),
        (torch.zeros(1), "Tensor"),
        ({"epoch": 3, "weights": torch.zeros(1)}, "dict"),
        ({"model": {"a": 1}}, "dict"),
        ({0: torch.zeros(1)}, "dict"),
    ],
)
def test_files_without_a_state_dict_are_refused(tmp_path, content, kind):
    torch.save(content, tmp_path / "weights.pth")
    message = rf"expected a state dict, alone or under one of \('model', 'state_dict'\); got {kind}\. Is this a model"
    with pytest.raises(CheckpointError, match=message):
        checkpoint.from_authors("traj-gcn", tmp_path / "weights.pth", skeleton="cmu")


def test_a_pytorch_that_may_run_code_reads_nothing(tmp_path, monkeypatch):
    path = authors_file(tmp_path / "weights.pth", "traj_gcn_cmu")
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.9.1+cpu"))
    message = r"weights\.pth: expected PyTorch 2\.10 or later to read a pickle, got 2\.9\.1\+cpu, whose .*Install"
    with pytest.raises(CheckpointError, match=message):
        checkpoint.from_authors("traj-gcn", path, skeleton="cmu")
