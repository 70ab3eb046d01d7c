from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

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
from posegraph.weights.reference import TrainedWeights, resolve
from tests.checkpoint.trap import Trap
from tests.weights.standin import REFERENCE

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
@pytest.mark.parametrize(("dtype", "bound"), [("fp16", 2e-3), (torch.bfloat16, 2e-2)])
def test_rounded_weights_are_half_as_large_and_forecast_nearly_the_same(tmp_path, case, dtype, bound):
    model = built(case)
    whole = checkpoint.save_checkpoint(model, tmp_path / "whole") / "model.safetensors"
    folder = checkpoint.save_checkpoint(model, tmp_path / "half", dtype=dtype)
    tensors = load_file(folder / "model.safetensors")
    sizes = [sum(t.nbytes for t in load_file(f).values()) for f in (whole, folder / "model.safetensors")]
    assert sizes[1] < 0.52 * sizes[0]
    name = {"fp16": "float16", torch.bfloat16: "bfloat16"}[dtype]
    assert checkpoint.read_config(folder)["weights"]["dtype"] == name
    assert {str(t.dtype) for key, t in tensors.items() if "running_mean" in key} == {f"torch.{name}"}
    again = checkpoint.load(folder)
    assert {t.dtype for t in again.parameters()} == {torch.float32}
    assert 0 < error(model, again) < bound


def test_rounding_twice_changes_nothing(tmp_path):
    first = checkpoint.save_checkpoint(built("released"), tmp_path / "first", dtype="fp16")
    second = checkpoint.save_checkpoint(checkpoint.load(first), tmp_path / "second", dtype="fp16")
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


def test_a_range_of_millimetres_is_not_rounded():
    """In float16 a coordinate of 5500.3 mm would be 5500, and every forecast scaled by that."""
    model = built("released")
    assert isinstance(model, MSRGCNReleased)
    model.normalizer.set_values(-5500.3, 6000.7)
    state = checkpoint.rounded_state(model, "fp16")
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


@pytest.mark.parametrize("dtype", ["int8", "float16", "tf32", torch.float64])
def test_other_types_are_refused(tmp_path, dtype):
    message = rf"dtype: expected one of 'fp32', 'bf16', 'fp16'; got '{dtype}'"
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
        CheckpointError, match=r"nowhere: expected a trained model, found no such folder, file or weights of the lib"
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


def test_weights_that_are_a_pickle_are_not_read(saved_before, tmp_path):
    torch.save({"weights": Trap(tmp_path / "trapped")}, saved_before / "model.safetensors")
    with pytest.raises(CheckpointError, match="the checkpoint is damaged: SafetensorError"):
        checkpoint.load(saved_before)
    assert not (tmp_path / "trapped").exists()


def test_skeletons_are_not_shared_with_the_built_in_ones(tmp_path):
    """A checkpoint keeps the groupings that it was saved with, whatever the built-in skeleton's are later."""
    skeleton = presets.get("cmu").with_groupings(
        "halves", [JointGrouping((tuple(range(12)), tuple(range(12, 25))), 25)]
    )
    model = registry.build("msrgcn-2l", skeleton=skeleton, channels=8, num_blocks=1)
    again = checkpoint.load(checkpoint.save_checkpoint(model, tmp_path))
    assert [level.num_groups for level in again.groupings] == [2]


def test_the_trap_works(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "trapped")))
    assert (tmp_path / "trapped").exists()


# References


def test_every_kind_of_reference_is_loaded(saved, shipped, monkeypatch):
    monkeypatch.chdir(saved.parent)
    for reference in (saved, "saved", saved / "model.safetensors", resolve(saved)):
        assert checkpoint.load(reference).config == built("trajectories").config
        assert checkpoint.read_config(reference)["model"] == "traj-gcn"
    own = checkpoint.load("traj-gcn/tiny").state_dict()
    assert all(torch.equal(own[key], value) for key, value in checkpoint.load(shipped / REFERENCE).state_dict().items())


@pytest.mark.parametrize("read", [checkpoint.load, checkpoint.read_config])
def test_a_mistyped_name_is_answered_with_the_nearest(read):
    with pytest.raises(CheckpointError, match=r"msrgnc: expected a trained model, .*Did you mean 'msrgcn'\?"):
        read("msrgnc")


def test_weights_alone_have_no_settings_to_build_a_model_of(saved):
    alone = TrainedWeights("file", saved / "model.safetensors", "x.safetensors")
    with pytest.raises(CheckpointError, match=r"x\.safetensors: expected a checkpoint, got weights alone\. Use"):
        checkpoint.load(alone)


@pytest.mark.parametrize("wrap", [torch.nn.DataParallel, partial(torch.compile, backend="eager")])
def test_of_a_wrapped_model_what_is_inside_is_saved(wrap, tmp_path):
    model = built("trajectories")
    again = checkpoint.load(checkpoint.save_checkpoint(wrap(model), tmp_path))
    assert torch.equal(again.predict(observed(model)), model.predict(observed(model)))


def test_other_modules_are_not_saved(tmp_path):
    with pytest.raises(CheckpointError, match=r"model: expected a ForecastModel to save, got Linear\. Pass the model"):
        checkpoint.save_checkpoint(torch.nn.Linear(2, 2), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", [[], 3, None])
def test_a_model_that_is_no_name_is_damage(saved, name):
    change_config(saved, model=name)
    with pytest.raises((CheckpointError, UnknownNameError), match=r"is damaged|unknown model"):
        checkpoint.load(saved)
