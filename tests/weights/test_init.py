from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from posegraph import checkpoint, registry, weights
from posegraph.checkpoint import release
from posegraph.checkpoint.card import model_card
from posegraph.errors import ConfigError, UnknownNameError
from tests.weights import checks
from tests.weights.checks import check_shipped
from tests.weights.standin import MODEL, NAME, REFERENCE

SHIPPED = weights.references()  # before a test puts the stand-in in their place


# What comes with the library


@pytest.mark.parametrize("reference", [REFERENCE, *SHIPPED])
def test_weights_are_what_they_claim(reference, stand_in):
    root = stand_in if reference == REFERENCE else Path(weights.__file__).parent
    check_shipped(root / reference)


def test_the_default_is_among_them():
    assert weights.DEFAULT in SHIPPED or not SHIPPED


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what is recorded, and the card with it."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    change(config["record"]["packed"])
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "README.md").write_text(model_card(folder))


def better_numbers(folder: Path) -> None:
    edit(folder, lambda packed: packed["bundled"]["result"]["actions"]["walking"]["mpjpe_mm"].__setitem__(0, 1.0))


def no_command(folder: Path) -> None:
    edit(folder, lambda packed: packed["commands"].clear())


def own_path(folder: Path) -> None:
    edit(folder, lambda packed: packed["commands"].append("posegraph train msrgcn --data /" + "home/me/mocap"))


def other_weights(folder: Path) -> None:
    model = checkpoint.load(folder)
    with torch.no_grad():
        model.get_parameter("head.weight").mul_(1.5)
    checkpoint.save_checkpoint(model, folder, dtype="fp16")
    (folder / "README.md").write_text(model_card(folder))


def other_card(folder: Path) -> None:
    card = folder / "README.md"
    card.write_text(card.read_text().replace("NSF EIA-0196217", "somebody"))


def more_files(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")


def other_name(folder: Path) -> None:
    edit(folder, lambda packed: packed.update(reference="traj-gcn/large"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (better_numbers, r"walking: \d+\.\d+ mm from the stored numbers"),
        (other_weights, r"\d+\.\d+ mm from the stored numbers"),
        (no_command, "the command that made the weights is unknown"),
        (own_path, "a path of one machine"),
        (other_card, "the card is not that of config.json"),
        (more_files, "other files: .*notes.txt"),
        (other_name, "several names: .*traj-gcn/large"),
    ],
)
def test_what_is_wrong_is_found(spoil, message, stand_in, tmp_path):
    folder = tmp_path / REFERENCE
    shutil.copytree(stand_in / REFERENCE, folder)
    spoil(folder)
    with pytest.raises(AssertionError, match=message):
        check_shipped(folder)


@pytest.mark.parametrize("sentence", [*checks.SENTENCES, "## Limits"])
def test_a_card_that_leaves_something_out_is_found(sentence, stand_in, tmp_path, monkeypatch):
    folder = tmp_path / REFERENCE
    shutil.copytree(stand_in / REFERENCE, folder)
    shorter = model_card(folder).replace(sentence, "")
    (folder / "README.md").write_text(shorter)
    monkeypatch.setattr(checks, "model_card", lambda folder: shorter)
    with pytest.raises(AssertionError, match=r"the card does not say|other sections"):
        check_shipped(folder)


def test_a_large_file_is_found(stand_in, monkeypatch):
    monkeypatch.setattr(release, "MAX_BYTES", 1000)
    with pytest.raises(AssertionError, match=r"\d+ bytes are too many"):
        check_shipped(stand_in / REFERENCE)


# By name


def test_weights_are_listed(shipped):
    assert weights.references() == [REFERENCE]
    assert weights.names(MODEL) == [NAME]
    assert weights.names("msrgcn") == []
    assert weights.folder(REFERENCE) == shipped / REFERENCE
    assert registry.info(MODEL).weights == (NAME,)
    assert registry.info("msrgcn").weights == ()


def test_the_default_is_there_or_none(shipped, monkeypatch):
    assert weights.default() is None
    monkeypatch.setattr(weights, "DEFAULT", REFERENCE)
    assert weights.default() == REFERENCE


@pytest.mark.usefixtures("shipped")
def test_unknown_weights_are_answered_with_the_list():
    with pytest.raises(
        UnknownNameError, match=r"unknown weights 'traj-gcn/tony'\. Did you mean 'traj-gcn/tiny'\? Known: traj-gcn/tiny"
    ):
        weights.folder("traj-gcn/tony")


@pytest.mark.usefixtures("shipped")
def test_a_model_is_built_with_them():
    model = registry.build(MODEL, weights=NAME)
    assert (model.skeleton.name, model.observed_frames, model.future_frames) == ("cmu", 10, 25)
    assert model.config.channels == 8
    assert not model.training
    assert model.dtype == torch.float32
    assert model.record["packed"]["reference"] == REFERENCE
    same = registry.build(MODEL, weights=NAME, skeleton="cmu", observed_frames=10, future_frames=25, channels=8)
    assert torch.equal(same.get_parameter("head.weight"), model.get_parameter("head.weight"))


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"skeleton": "h36m"}, r"skeleton: expected 'cmu' \(38 joints, 25 used\), which the weights in .*tiny were"),
        ({"future_frames": 10}, r"future_frames: expected 25, which the weights in .*tiny were trained with, got 10\."),
        ({"channels": 64}, r"channels: expected 8, which the weights in .*tiny were trained with, got 64\. Leave it"),
    ],
)
def test_what_contradicts_them_is_refused(wishes, message):
    with pytest.raises(ConfigError, match=message):
        registry.build(MODEL, weights=NAME, **wishes)
