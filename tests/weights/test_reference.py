from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from posegraph import checkpoint, registry
from posegraph.errors import CheckpointError, MissingDependencyError
from posegraph.weights.reference import HubOptions, TrainedWeights, resolve
from tests.weights.standin import REFERENCE

MODELS = ("traj-gcn", "msrgcn", "zero-velocity")
KNOWN = r"weights of the library \(traj-gcn/tiny\), or a repository OWNER/NAME of the Hugging Face Hub\."


class Hub:
    """What is used of huggingface_hub, and what it was asked for."""

    def __init__(self, root: Path) -> None:
        self.root, self.asked = root, list[tuple[str, dict[str, Any]]]()

    def snapshot_download(self, name: str, **options: Any) -> str:
        self.asked.append((name, options))
        folder = self.root / name
        if not folder.is_dir():
            raise OSError("404\nno such repository.")
        return str(folder)


@pytest.fixture
def hub(stand_in, shipped, tmp_path, monkeypatch) -> Hub:
    """A hub with a checkpoint me/model and a repository me/notes, and an empty working directory."""
    root = tmp_path / "hub"
    shutil.copytree(stand_in / REFERENCE, root / "me" / "model")
    (root / "me" / "notes").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub := Hub(root))
    return hub


def save(folder: str) -> Path:
    return checkpoint.save_checkpoint(registry.build("traj-gcn", channels=4, num_blocks=1), folder)


# What is found


def test_a_checkpoint_folder(hub):
    save("mine")
    assert resolve("mine") == resolve(Path("mine")) == TrainedWeights("folder", Path("mine"), "mine")


def test_a_run_folder_is_its_best_checkpoint(hub):
    save("run/best")
    assert resolve("run") == TrainedWeights("folder", Path("run/best"), "run")


def test_bundled_weights_by_their_whole_name_or_that_of_a_model(hub, shipped):
    expected = TrainedWeights("bundled", shipped / REFERENCE, REFERENCE)
    assert resolve(REFERENCE) == resolve("tiny", model="traj-gcn") == resolve(REFERENCE, model="msrgcn") == expected
    assert hub.asked == []


def test_a_file_of_weights(hub):
    save("mine")
    file = Path("mine/model.safetensors")
    assert resolve(file, model="traj-gcn") == TrainedWeights("file", file, str(file))
    assert resolve(file) == TrainedWeights("folder", Path("mine"), str(file))  # the settings lie beside it
    Path("mine/config.json").unlink()
    assert resolve("mine", model="traj-gcn") == TrainedWeights("file", file, "mine")


def test_a_repository_of_the_hub(hub):
    options = HubOptions("v1", "secret", "cache", local_files_only=True)
    assert resolve("me/model", hub=options) == TrainedWeights("repository", hub.root / "me" / "model", "me/model")
    files = ["README.md", "config.json", "model.safetensors"]
    expected = {"revision": "v1", "token": "secret", "cache_dir": "cache", "local_files_only": True}
    name, asked = hub.asked[0]
    assert (name, sorted(asked.pop("allow_patterns")), asked) == ("me/model", files, expected)
    assert resolve("me/model", model="traj-gcn").kind == "repository"


def test_what_was_found_is_found(hub):
    found = resolve(REFERENCE)
    assert resolve(found) is found


def test_folders_come_before_bundled_weights_and_these_before_the_hub(hub):
    shutil.copytree(hub.root / "me" / "model", hub.root / REFERENCE)
    assert resolve(REFERENCE).kind == "bundled"
    save(REFERENCE)
    save("me/model")
    assert resolve(REFERENCE).kind == resolve("me/model").kind == "folder"
    save("tiny")
    assert resolve("tiny", model="traj-gcn").kind == "folder"
    assert hub.asked == []


def test_a_folder_of_something_else_hides_no_bundled_weights(hub):
    Path(REFERENCE).mkdir(parents=True)
    assert resolve(REFERENCE).kind == "bundled"


# What is not


@pytest.mark.parametrize(
    ("reference", "found", "hint"),
    [
        ("msrgnc", "no such folder, file or weights of the library", "msrgcn"),
        ("tinny", "no such folder, file or weights of the library", "traj-gcn/tiny"),
        ("tiny", "no such folder, file or weights of the library", "traj-gcn/tiny"),
        ("traj-gcn", "the name of a model alone, whose weights would be random", "traj-gcn/tiny"),
        ("zero-velocity", "the name of a model alone, whose weights would be random", None),
        ("a/b/c", "no such folder, file or weights of the library", None),
        ("spaces in/it", "no such folder, file or weights of the library", None),
        ("./me/model", "no such folder, file or weights of the library", None),
        ("../model", "no such folder, file or weights of the library", None),
        ("me/weights.safetensors", "no such folder, file or weights of the library", None),
        (Path("me/model"), "no such folder, file or weights of the library", None),
        (Path(REFERENCE), "no such folder, file or weights of the library", "traj-gcn/tiny"),
        ("x" * 5000, "no such folder, file or weights of the library", None),
        ("null\0byte", "no such folder, file or weights of the library", None),
        ("empty/folder", r"a folder without config\.json and model\.safetensors", None),
        ("notes.pth", r"a file that is not \.safetensors", None),
        ("", "neither a text nor a path", None),
        (None, "neither a text nor a path", None),
        (3, "neither a text nor a path", None),
    ],
)
def test_one_text_says_what_was_tried_and_what_exists(hub, reference, found, hint):
    Path("empty/folder").mkdir(parents=True)
    Path("notes.pth").touch()
    question = "" if hint is None else rf" Did you mean '{hint}'\?"
    message = rf"expected a trained model, found {found}\.{question} Pass a checkpoint or run folder, .*{KNOWN}$"
    with pytest.raises(CheckpointError, match=message):
        resolve(reference, models=MODELS)
    assert hub.asked == []  # nothing but OWNER/NAME is looked for in the network


def test_of_a_model_its_own_weights_are_listed(hub):
    with pytest.raises(
        CheckpointError, match=r"tinny: .*Did you mean 'traj-gcn/tiny'\?.*\(traj-gcn/tiny of traj-gcn\)"
    ):
        resolve("tinny", model="traj-gcn")
    with pytest.raises(CheckpointError, match=r"tiny: .* found no such .*weights of the library \(none of msrgcn\)"):
        resolve("tiny", model="msrgcn")


def test_weights_alone_need_a_model(hub):
    model = registry.build("traj-gcn", channels=4, num_blocks=1)
    save_file(model.state_dict(), "alone.safetensors")
    message = (
        r"alone\.safetensors: expected a trained model, found weights alone, without config\.json, .*registry\.build"
    )
    with pytest.raises(CheckpointError, match=message):
        resolve("alone.safetensors")
    assert resolve("alone.safetensors", model="traj-gcn").kind == "file"


def test_what_the_hub_answers_is_passed_on_in_one_line(hub):
    message = (
        rf"traj-gcn/tinny: .*Did you mean '{REFERENCE}'\?.*{KNOWN} The Hugging Face Hub was asked for that repository: "
        r"OSError: 404 no such repository\. Check name, network and token\.$"
    )
    with pytest.raises(CheckpointError, match=message):
        resolve("traj-gcn/tinny")


def test_a_repository_without_a_checkpoint_is_refused(hub):
    message = r"me/notes: .* found a repository of the Hugging Face Hub without config\.json and model\.safetensors"
    with pytest.raises(CheckpointError, match=message):
        resolve("me/notes")


def test_without_the_package_it_says_what_to_install(hub, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    message = r"runs/mistyped: expected a trained model, .* needs the package 'huggingface_hub', .*posegraph\[hub\]"
    with pytest.raises(MissingDependencyError, match=message):
        resolve("runs/mistyped")
    assert resolve(REFERENCE).kind == "bundled"


# All doors


def test_every_door_opens_the_same_and_says_the_same(hub, capsys):
    from posegraph import cli
    from posegraph.forecast import Forecaster

    save("mine")
    doors = {
        "build": lambda reference: registry.build("traj-gcn", weights=reference).config.channels,
        "load": lambda reference: checkpoint.load(reference).config.channels,
        "Forecaster": lambda reference: Forecaster(reference).model.config.channels,
    }
    for reference, channels in {"mine": 4, REFERENCE: 8, "me/model": 8}.items():
        for open_door in doors.values():
            assert open_door(reference) == channels
        assert cli.main(["info", reference]) == 0
        assert capsys.readouterr().out.startswith(f"{reference}: ")
    for reference in ("nowhere", "me/notes", "you/nothing"):
        with pytest.raises(CheckpointError) as answer:
            checkpoint.load(reference)
        with pytest.raises(CheckpointError) as other:
            Forecaster(reference)
        for command in (["info"], ["forecast"], ["evaluate", "--dataset", "cmu", "--data", "samples"]):
            assert cli.main([command[0], reference, *command[1:]]) == 2
            assert capsys.readouterr().err == f"posegraph: error: {answer.value}\n"
        assert str(other.value) == str(answer.value)
