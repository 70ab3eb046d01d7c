from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from posegraph import checkpoint, registry
from posegraph.checkpoint.card import model_card
from posegraph.errors import CheckpointError, ConfigError, MissingDependencyError
from posegraph.models.base import ForecastModel


@pytest.fixture
def model() -> ForecastModel:
    torch.manual_seed(0)
    return registry.build("msrgcn-released", skeleton="cmu", channels=(8, 6), num_blocks=1, finest_end_blocks=1).eval()


def assert_same(ours: ForecastModel, theirs: ForecastModel) -> None:
    assert type(ours) is type(theirs)
    assert (ours.config, ours.skeleton, ours.registry_name) == (theirs.config, theirs.skeleton, theirs.registry_name)
    state = theirs.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in ours.state_dict().items())


# Folders


def test_a_folder_is_a_checkpoint_with_a_card(model, tmp_path):
    assert checkpoint.save_pretrained(model, tmp_path / "new") == tmp_path / "new"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    assert (tmp_path / "new" / "README.md").read_text() == model_card(tmp_path / "new")
    again = checkpoint.load(tmp_path / "new")
    assert_same(again, model)
    assert not again.training


def test_a_model_keeps_its_kind_and_record_through_another_save(model, tmp_path):
    model.record = {"seed": 4}
    checkpoint.save_pretrained(model, tmp_path / "first")
    checkpoint.save_pretrained(checkpoint.load(tmp_path / "first"), tmp_path / "second")
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert checkpoint.read_config(tmp_path / "second")["model"] == "msrgcn-released"


def test_weights_are_rounded_if_asked_for(model, tmp_path):
    checkpoint.save_pretrained(model, tmp_path, dtype=torch.bfloat16)
    assert checkpoint.read_config(tmp_path)["weights"]["dtype"] == "bfloat16"
    assert "bfloat16 in the file, float32 in memory" in (tmp_path / "README.md").read_text()
    assert checkpoint.load(str(tmp_path)).dtype == torch.float32
    with pytest.raises(ConfigError, match="dtype: expected one of 'fp32', 'bf16', 'fp16'; got 'int8'"):
        checkpoint.save_pretrained(model, tmp_path, dtype="int8")


# The Hub, of which nothing is asked here: its package is stood in for


class Stub:
    """What posegraph uses of huggingface_hub, with a folder for every repository."""

    def __init__(self, root: Path) -> None:
        self.root, self.calls = root, list[tuple[str, dict[str, Any]]]()
        self.error: Exception | None = None
        stub = self

        class HfApi:
            def __init__(self, token: str | None = None) -> None:
                stub.note("HfApi", token=token)

            def create_repo(self, repo_id: str, **options: Any) -> SimpleNamespace:
                stub.note("create_repo", repo_id=repo_id, **options)
                return SimpleNamespace(repo_id=repo_id)

            def create_branch(self, repo_id: str, **options: Any) -> None:
                stub.note("create_branch", repo_id=repo_id, **options)

            def upload_folder(self, *, repo_id: str, folder_path: str, **options: Any) -> SimpleNamespace:
                stub.note("upload_folder", repo_id=repo_id, **options)
                Path(folder_path).replace(stub.root / repo_id.replace("/", "--"))
                Path(folder_path).mkdir()  # the caller removes it
                return SimpleNamespace(commit_url=f"https://hub.example/{repo_id}/commit/1")

        self.HfApi = HfApi

    def note(self, function: str, **arguments: Any) -> None:
        self.calls.append((function, arguments))
        if self.error is not None:
            raise self.error

    def snapshot_download(self, repo_id: str, **options: Any) -> str:
        self.note("snapshot_download", repo_id=repo_id, **options)
        return str(self.root / repo_id.replace("/", "--"))


@pytest.fixture
def stub(tmp_path, monkeypatch) -> Stub:
    stub = Stub(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", stub)
    return stub


def test_a_model_comes_back_from_a_repository(model, stub):
    assert checkpoint.push_to_hub(model, "me/model") == "https://hub.example/me/model/commit/1"
    assert_same(checkpoint.load("me/model"), model)
    assert [function for function, _ in stub.calls] == ["HfApi", "create_repo", "upload_folder", "snapshot_download"]
    files = ["config.json", "model.safetensors", "README.md"]
    assert stub.calls[-1][1]["allow_patterns"] == files
    assert sorted(path.name for path in (stub.root / "me--model").iterdir()) == sorted(files)


def test_options_reach_the_hub(model, stub):
    checkpoint.push_to_hub(
        model, "me/model", private=True, branch="small", token="secret", message="Half as large", dtype="fp16"
    )
    assert stub.calls == [
        ("HfApi", {"token": "secret"}),
        ("create_repo", {"repo_id": "me/model", "private": True, "exist_ok": True}),
        ("create_branch", {"repo_id": "me/model", "branch": "small", "exist_ok": True}),
        ("upload_folder", {"repo_id": "me/model", "commit_message": "Half as large", "revision": "small"}),
    ]
    assert checkpoint.read_config(stub.root / "me--model")["weights"]["dtype"] == "float16"
    checkpoint.load("me/model", revision="small", token="secret", cache_dir="cache", local_files_only=True)
    arguments = stub.calls[-1][1]
    expected = {"revision": "small", "token": "secret", "cache_dir": "cache", "local_files_only": True}
    assert {key: arguments[key] for key in expected} == expected


@pytest.mark.parametrize("error", [OSError("no network"), ValueError("no such repository"), RuntimeError("401")])
def test_what_the_hub_answers_is_passed_on(model, stub, error):
    stub.error = error
    with pytest.raises(CheckpointError, match=rf"me/model: the upload to the Hugging Face Hub failed: .*{error} Check"):
        checkpoint.push_to_hub(model, "me/model")


def test_without_the_package_folders_work_and_an_upload_says_what_to_install(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert_same(checkpoint.load(checkpoint.save_pretrained(model, tmp_path / "saved")), model)
    with pytest.raises(MissingDependencyError, match=r"push_to_hub needs the package 'huggingface_hub'"):
        checkpoint.push_to_hub(model, "me/model")


def test_the_package_has_the_functions_that_are_called():
    package = pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
    api = package.HfApi
    wanted = {
        package.snapshot_download: ("revision", "token", "cache_dir", "local_files_only", "allow_patterns"),
        api.__init__: ("token",),
        api.create_repo: ("repo_id", "private", "exist_ok"),
        api.create_branch: ("repo_id", "branch", "exist_ok"),
        api.upload_folder: ("repo_id", "folder_path", "commit_message", "revision"),
    }
    for function, names in wanted.items():
        assert set(names) <= set(inspect.signature(function).parameters)
    assert "commit_url" in package.CommitInfo.__annotations__
