from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import posegraph
from posegraph import checkpoint, registry
from posegraph.errors import CheckpointError, ConfigError, UnknownNameError
from posegraph.models import MSRGCNReleased, TrajGCN, ZeroVelocity
from posegraph.models.base import ForecastModel
from posegraph.skeleton import presets
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.skeleton import Skeleton
from tests.authors import FIXTURES, fixture_input, fixture_json, fixture_state, relative_error

LEG = Skeleton(
    "leg",
    ("hip", "knee", "ankle", "toe", "sole"),
    (-1, 0, 1, 2, 3),
    offsets=((0.0, 0.0, 0.0), *((0.0, -300.5, 1.25),) * 4),
    constant=("hip",),
    duplicates={"sole": "toe"},
    groupings={"halves": (JointGrouping(((0,), (1, 2)), 3, ("upper", "lower")),)},
    fps=29.97,
    up="z",
)

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "released": (
        "msrgcn-released",
        {"skeleton": "cmu", "channels": (8, 6), "num_blocks": 1, "finest_end_blocks": 2, "e3_input": "d3"},
    ),
    "released-short": ("msrgcn-released-short", {"channels": (8, 8), "num_blocks": 1, "finest_end_blocks": 1}),
    "paper": ("msrgcn", {"skeleton": "cmu", "channels": 8, "num_blocks": 1, "num_scales": 2, "resample": "grouping"}),
    "custom": (
        "msrgcn-2l",
        {"skeleton": LEG, "channels": 8, "num_blocks": 1, "observed_frames": 3, "future_frames": 2},
    ),
    "trajectories": ("traj-gcn", {"channels": 8, "num_blocks": 1, "num_coefficients": 4, "future_frames": 7}),
    "baseline": ("zero-velocity", {"skeleton": LEG, "observed_frames": 2}),
}


def observed(model: ForecastModel, batch: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 300 * torch.randn(batch, model.observed_frames, model.num_joints, 3, generator=generator)


def built(case: str) -> ForecastModel:
    """A model whose statistics are not those of a new one."""
    name, settings = CASES[case]
    torch.manual_seed(3)
    model = registry.build(name, **settings).train()
    model.fit_statistics([1000 * torch.rand(4, model.total_frames, model.num_joints, 3) - 200])
    model(observed(model))
    return model.eval()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return checkpoint.save_checkpoint(built("trajectories"), tmp_path / "saved")


def change_config(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    data = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: value for key, value in data.items() if value is not ...}))


# Round trip


@pytest.mark.parametrize("case", CASES)
def test_a_loaded_model_is_the_saved_one(case, tmp_path):
    model = built(case)
    assert checkpoint.save_checkpoint(model, tmp_path) == tmp_path
    again = checkpoint.load(tmp_path)
    assert type(again) is type(model)
    assert again.config == model.config
    assert again.skeleton == model.skeleton
    assert again.groupings == model.groupings
    assert (again.observed_frames, again.future_frames) == (model.observed_frames, model.future_frames)
    assert again.registry_name == CASES[case][0]
    assert not again.training
    with torch.inference_mode():
        for ours, theirs in zip(model(observed(model)), again(observed(model)), strict=True):
            assert torch.equal(ours, theirs)


def test_tuples_and_the_range_come_back(tmp_path):
    model = built("released")
    assert isinstance(model, MSRGCNReleased)
    again = checkpoint.load(checkpoint.save_checkpoint(model, tmp_path))
    assert isinstance(again, MSRGCNReleased)
    assert again.config.channels == (8, 6)
    assert float(again.normalizer.maximum) == float(model.normalizer.maximum) != 1.0


def test_a_loaded_model_can_be_trained_on_and_saved_again(tmp_path):
    first = checkpoint.save_checkpoint(built("custom"), tmp_path / "first", record={"seed": 3})
    second = checkpoint.save_checkpoint(checkpoint.load(first), tmp_path / "second")
    for name in ("config.json", "model.safetensors"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_weights_fit_a_model_built_by_hand(saved):
    name, settings = CASES["trajectories"]
    model = registry.build(name, weights=saved, **settings).eval()
    torch.testing.assert_close(model.predict(observed(model)), checkpoint.load(saved).predict(observed(model)))


def test_a_model_built_without_the_registry_is_saved_under_its_class(tmp_path):
    model = TrajGCN(dataclasses.replace(TrajGCN.default_config, channels=8, num_blocks=1))
    checkpoint.save_checkpoint(model, tmp_path)
    assert checkpoint.read_config(tmp_path)["model"] == "traj-gcn"


def test_the_model_is_loaded_onto_a_device(saved):
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    assert checkpoint.load(saved, device=device).device == device


# What is in the folder


def test_settings_are_json(tmp_path):
    model = built("custom")
    checkpoint.save_checkpoint(model, tmp_path, record={"seed": 4, "protocol": {"frames": [1]}})
    data = json.loads((tmp_path / "config.json").read_text())
    assert data == checkpoint.read_config(tmp_path)
    assert data.pop("skeleton") == json.loads(json.dumps(LEG.to_dict()))
    assert data.pop("config") == dataclasses.asdict(model.config)
    assert data == {
        "format_version": 1,
        "model": "msrgcn-2l",
        "observed_frames": 3,
        "future_frames": 2,
        "num_parameters": sum(p.numel() for p in model.parameters()),
        "versions": {
            "posegraph": posegraph.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "weights": {"sha256": hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()}
        | {"dtype": "float32"},
        "record": {"seed": 4, "protocol": {"frames": [1]}},
    }


def test_the_folder_holds_two_files_and_no_pickle(saved):
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]
    tensors = load_file(saved / "model.safetensors")
    assert tensors.keys() == built("trajectories").state_dict().keys()


def test_the_record_comes_back(tmp_path):
    checkpoint.save_checkpoint(built("baseline"), tmp_path, record={"seed": 4})
    assert checkpoint.load(tmp_path).record == {"seed": 4}


def test_the_folder_of_a_run_stands_for_its_best_checkpoint(tmp_path):
    assert not checkpoint.is_checkpoint(tmp_path)
    checkpoint.save_checkpoint(built("baseline"), tmp_path / "best")
    assert checkpoint.is_checkpoint(tmp_path)
    assert checkpoint.is_checkpoint(str(tmp_path / "best"))
    assert isinstance(checkpoint.load(tmp_path), ZeroVelocity)
    assert checkpoint.read_config(tmp_path)["model"] == "zero-velocity"


@pytest.mark.parametrize("path", ["nowhere", "file", "x" * 5000])
def test_other_paths_are_no_checkpoint(tmp_path, path):
    (tmp_path / "file").write_text("")
    assert not checkpoint.is_checkpoint(tmp_path / path)


# Interrupted writing


@pytest.mark.parametrize("renamed", [0, 1, 2], ids=["first", "before the settings", "before the last step"])
def test_an_interrupted_save_leaves_the_old_checkpoint_or_the_new(saved, monkeypatch, renamed):
    old = checkpoint.load(saved)
    new = built("trajectories")
    torch.nn.init.ones_(next(new.parameters()))
    done = 0

    def replace(source: Path, target: Path, original: Callable[..., None] = os.replace) -> None:
        nonlocal done
        if done == renamed:
            raise KeyboardInterrupt
        done += 1
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", replace)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save_checkpoint(new, saved, record={"seed": 9})
    again = checkpoint.load(saved)
    expected, record = (new, {"seed": 9}) if renamed == 2 else (old, {})
    assert torch.equal(again.predict(observed(old)), expected.predict(observed(old)))
    assert again.record == record
    checkpoint.save_checkpoint(old, saved)
    assert torch.equal(checkpoint.load(saved).predict(observed(old)), old.predict(observed(old)))
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]


def test_an_older_checkpoint_is_replaced(saved):
    checkpoint.save_checkpoint(built("released"), saved)
    assert isinstance(checkpoint.load(saved), MSRGCNReleased)


def test_a_record_that_json_cannot_hold_leaves_the_old_checkpoint(saved):
    with pytest.raises(CheckpointError, match=r"record, config: expected values that JSON .*Skeleton"):
        checkpoint.save_checkpoint(built("released"), saved, record={"skeleton": LEG})
    assert isinstance(checkpoint.load(saved), TrajGCN)


# Smaller numbers


def error(model: ForecastModel, other: ForecastModel) -> float:
    with torch.inference_mode():
        forecast = model.predict(observed(model))
        return float((other.predict(observed(model)) - forecast).abs().max() / forecast.abs().max())


@pytest.mark.parametrize("case", ["released", "paper", "trajectories"])
@pytest.mark.parametrize(("dtype", "bound"), [("float16", 2e-3), (torch.bfloat16, 2e-2)])
def test_rounded_weights_are_half_as_large_and_forecast_nearly_the_same(tmp_path, case, dtype, bound):
    model = built(case)
    whole = checkpoint.save_checkpoint(model, tmp_path / "whole") / "model.safetensors"
    folder = checkpoint.save_checkpoint(model, tmp_path / "half", dtype=dtype)
    tensors = load_file(folder / "model.safetensors")
    sizes = [sum(t.nbytes for t in load_file(f).values()) for f in (whole, folder / "model.safetensors")]
    assert sizes[1] < 0.52 * sizes[0]
    name = str(dtype).removeprefix("torch.")
    assert checkpoint.read_config(folder)["weights"]["dtype"] == name
    assert {str(t.dtype) for key, t in tensors.items() if "running_mean" in key} == {f"torch.{name}"}
    again = checkpoint.load(folder)
    assert {t.dtype for t in again.parameters()} == {torch.float32}
    assert 0 < error(model, again) < bound


def test_rounding_twice_changes_nothing(tmp_path):
    first = checkpoint.save_checkpoint(built("released"), tmp_path / "first", dtype="float16")
    second = checkpoint.save_checkpoint(checkpoint.load(first), tmp_path / "second", dtype="float16")
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


def test_a_range_of_millimetres_is_not_rounded():
    """In float16 a coordinate of 5500.3 mm would be 5500, and every forecast scaled by that."""
    model = built("released")
    assert isinstance(model, MSRGCNReleased)
    model.normalizer.set_values(-5500.3, 6000.7)
    state = checkpoint.rounded_state(model, "float16")
    assert float(state["normalizer.minimum"]) == float(torch.tensor(-5500.3))
    assert state["normalizer.minimum"].dtype == torch.float32


def test_a_tensor_that_the_type_cannot_hold_is_not_rounded():
    model = built("trajectories")
    state = model.state_dict()
    large = next(key for key in state if key.endswith("running_var"))
    state[large].fill_(70000.0)
    rounded = checkpoint.rounded_state(model, torch.float16)
    assert torch.equal(rounded[large], state[large])
    assert checkpoint.rounded_state(model, torch.bfloat16)[large].dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", ["int8", torch.float64])
def test_other_types_are_refused(tmp_path, dtype):
    message = r"dtype: expected one of 'float32', 'float16', 'bfloat16'; got '(int8|float64)'"
    with pytest.raises(ConfigError, match=message):
        checkpoint.save_checkpoint(built("baseline"), tmp_path / "new", dtype=dtype)
    assert not (tmp_path / "new").exists()


# What is refused


class Unregistered(ForecastModel):
    """Known to nobody."""


def test_a_class_that_is_not_registered_cannot_be_saved(tmp_path):
    with pytest.raises(CheckpointError, match=r"Unregistered is not registered, so a checkpoint of it .* Register the"):
        checkpoint.save_checkpoint(Unregistered(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("read", [checkpoint.load, checkpoint.read_config])
def test_a_folder_without_checkpoint_is_refused(tmp_path, read):
    with pytest.raises(
        CheckpointError, match=r"nowhere: expected a checkpoint folder with config\.json and model\.safe"
    ):
        read(tmp_path / "nowhere")


def test_weights_that_are_missing_are_refused(saved):
    (saved / "model.safetensors").unlink()
    with pytest.raises(
        CheckpointError, match=r"saved: the checkpoint is damaged: model\.safetensors is missing\. Save or copy both"
    ):
        checkpoint.load(saved)


def test_weights_of_another_save_are_refused(saved, tmp_path):
    """They would fit, and forecast something else."""
    other = built("trajectories")
    torch.nn.init.ones_(next(other.parameters()))
    other_folder = checkpoint.save_checkpoint(other, tmp_path / "other")
    (other_folder / "model.safetensors").replace(saved / "model.safetensors")
    message = r"saved: the checkpoint is damaged: model\.safetensors is not that of config\.json\. Save or copy both"
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(saved)


@pytest.fixture
def saved_before(saved):
    """A checkpoint of a version that did not record the digest of the weights."""
    change_config(saved, weights=...)
    return saved


def test_checkpoints_without_a_digest_are_read(saved_before):
    model = built("trajectories")
    assert torch.equal(checkpoint.load(saved_before).predict(observed(model)), model.predict(observed(model)))


def test_half_of_the_weights_is_refused(saved_before):
    file = saved_before / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="saved: the checkpoint is damaged: SafetensorError"):
        checkpoint.load(saved_before)


def test_weights_of_another_model_are_refused(saved_before):
    save_file({"weight": torch.zeros(1)}, saved_before / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"(?s)the checkpoint is damaged: RuntimeError: .*Missing key"):
        checkpoint.load(saved_before)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"{}", b"\xff\xfe", pickle.dumps({"format_version": 1})])
def test_settings_that_cannot_be_read_are_refused(saved, content):
    (saved / "config.json").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"config\.json: expected the settings of a checkpoint, but they cannot be"
    ):
        checkpoint.load(saved)


@pytest.mark.parametrize("version", [2, 99, "1", None])
def test_newer_versions_are_refused(saved, version):
    change_config(saved, format_version=version)
    with pytest.raises(CheckpointError, match=rf"expected format version 1 or older, got {version}\. Install a newer"):
        checkpoint.load(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": ...},
        {"skeleton": None},
        {"skeleton": {**LEG.to_dict(), "parents": [0, 0, 1, 2, 3]}},
        {"skeleton": {**LEG.to_dict(), "groupings": None}},
        {"config": None},
        {"observed_frames": 0},
        {"observed_frames": "10"},
        {"record": ...},
        {"weights": None},
    ],
)
def test_settings_that_build_no_model_are_refused(saved, changes):
    change_config(saved, **changes)
    with pytest.raises(CheckpointError, match="saved: the checkpoint is damaged: "):
        checkpoint.load(saved)


def test_unknown_models_and_settings_are_answered_with_the_list(saved):
    change_config(saved, config={"chanels": 8})
    with pytest.raises(
        UnknownNameError, match=r"unknown setting of model 'traj-gcn' 'chanels'\. Did you mean 'channels'"
    ):
        checkpoint.load(saved)
    change_config(saved, model="their-plugin")
    with pytest.raises(UnknownNameError, match="unknown model 'their-plugin'"):
        checkpoint.load(saved)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_weights_that_are_a_pickle_are_not_read(saved_before, tmp_path):
    torch.save({"weights": Trap(tmp_path / "trapped")}, saved_before / "model.safetensors")
    with pytest.raises(CheckpointError, match="the checkpoint is damaged: SafetensorError"):
        checkpoint.load(saved_before)
    assert not (tmp_path / "trapped").exists()


def test_the_trap_works(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "trapped")))
    assert (tmp_path / "trapped").exists()


# Weights of the authors

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


def test_skeletons_are_not_shared_with_the_built_in_ones(tmp_path):
    """A checkpoint keeps the groupings that it was saved with, whatever the built-in skeleton's are later."""
    skeleton = presets.get("cmu").with_groupings(
        "halves", [JointGrouping((tuple(range(12)), tuple(range(12, 25))), 25)]
    )
    model = registry.build("msrgcn-2l", skeleton=skeleton, channels=8, num_blocks=1)
    again = checkpoint.load(checkpoint.save_checkpoint(model, tmp_path))
    assert [level.num_groups for level in again.groupings] == [2]
