from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from posegraph._support import checkpoint_files as files
from posegraph.errors import CheckpointError


def tensors(value: float) -> dict[str, torch.Tensor]:
    return {"weight": torch.full((4,), value), "steps": torch.tensor(3)}


def describe(**more: Any) -> dict[str, Any]:
    return {"format_version": 1, "model": "still", **more, "record": {}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files.write(tmp_path / "saved", tensors(1.0), describe())
    return tmp_path / "saved"


def test_what_is_written_is_read(folder):
    config, read = files.read(folder)
    assert {key: value.tolist() for key, value in read.items()} == {"weight": [1.0] * 4, "steps": 3}
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert list(config) == ["format_version", "model", "weights", "record"]
    assert config["weights"] == {"sha256": digest, "dtype": "float32"}
    assert files.read_config(folder) == config


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ({"a": torch.zeros(9, dtype=torch.float16), "b": torch.zeros(2)}, "float16"),
        ({"a": torch.zeros(9, dtype=torch.int64), "b": torch.zeros(2, dtype=torch.bfloat16)}, "bfloat16"),
        ({}, "float32"),
    ],
)
def test_the_number_type_is_that_of_most_numbers(tmp_path, state, name):
    files.write(tmp_path, state, describe())
    assert files.read_config(tmp_path)["weights"]["dtype"] == name


def test_the_folder_of_a_run_stands_for_its_best(tmp_path, folder):
    folder.rename(tmp_path / "best")
    assert files.resolve(tmp_path) == tmp_path / "best"
    assert files.is_checkpoint(tmp_path)
    assert files.read(tmp_path)[0]["model"] == "still"


def test_a_save_that_ends_between_the_two_reads_is_read_whole(folder, monkeypatch):
    """The reader has the old settings when new weights come."""
    original = files.read_config
    calls = 0

    def read_config(path: Path) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        config = original(path)
        if calls == 1:
            files.write(folder, tensors(2.0), describe(seed=2))
        return config

    monkeypatch.setattr(files, "read_config", read_config)
    config, read = files.read(folder)
    assert (config["seed"], read["weight"].tolist()) == (2, [2.0] * 4)


def test_weights_that_wait_are_read_and_put_in_place_by_the_next_save(folder):
    """As after a power cut between the settings and the last step."""
    old = (folder / "model.safetensors").read_bytes()
    files.write(folder, tensors(2.0), describe())
    digest = files.read_config(folder)["weights"]["sha256"]
    (folder / "model.safetensors").rename(folder / f".model.safetensors.{digest}")
    (folder / "model.safetensors").write_bytes(old)
    assert files.read(folder)[1]["weight"].tolist() == [2.0] * 4
    files.write(folder, tensors(3.0), describe())
    assert files.read(folder)[1]["weight"].tolist() == [3.0] * 4
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_save_into_a_folder_with_broken_settings_that_fails_leaves_no_litter(folder, monkeypatch):
    (folder / "config.json").write_text("{")
    original = files.replace_file

    def replace_file(path: Path, write: Any) -> None:
        if path.name == "config.json":
            raise OSError("disk full")
        original(path, write)

    monkeypatch.setattr(files, "replace_file", replace_file)
    with pytest.raises(OSError, match="disk full"):
        files.write(folder, tensors(2.0), describe())
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_others_weights_are_refused(folder, tmp_path):
    files.write(tmp_path / "other", tensors(2.0), describe())
    (tmp_path / "other" / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"the checkpoint is damaged: model\.safetensors is not that of config\.json"
    ):
        files.read(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing\. Save or copy both files again"):
        files.read(folder)


def test_what_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="record, config: expected values that JSON can hold, got"):
        files.write(tmp_path / "new", tensors(1.0), describe(skeleton={1, 2}))
    assert not (tmp_path / "new").exists()


def test_newer_and_unreadable_settings_are_refused(folder):
    (folder / "config.json").write_text(json.dumps(describe() | {"format_version": 2}))
    with pytest.raises(CheckpointError, match=r"expected format version 1 or older, got 2\. Install a newer"):
        files.read(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(CheckpointError, match="expected the settings of a checkpoint, but they cannot be read"):
        files.read_config(folder)
    with pytest.raises(CheckpointError, match=r"nowhere: expected a checkpoint folder with config\.json and model"):
        files.resolve(folder / "nowhere")


def test_damage_is_reported_with_the_folder(tmp_path):
    message = r"here: the checkpoint is damaged: KeyError: 'x'\. Save or copy it again"
    with pytest.raises(CheckpointError, match=message), files.reporting_damage(Path("here")):
        _ = {}["x"]
    with pytest.raises(ZeroDivisionError), files.reporting_damage(Path("here")):
        _ = 1 / 0
