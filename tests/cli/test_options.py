from __future__ import annotations

import sys
from functools import partial

import pytest
import tqdm

from posegraph import checkpoint, data, weights
from posegraph.cli.options import open_model, parse_settings, progress_bar, read
from posegraph.errors import CheckpointError, ConfigError
from posegraph.models import ZeroVelocity


def test_settings_are_json_or_text():
    given = ["channels=[8, 8]", "num_coefficients=null", "dropout=0.2", "grouping=25-12=x", "operator=learned", "a="]
    assert parse_settings(given) == {
        "channels": [8, 8],
        "num_coefficients": None,
        "dropout": 0.2,
        "grouping": "25-12=x",
        "operator": "learned",
        "a": "",
    }


@pytest.mark.parametrize("setting", ["channels", "=8", ""])
def test_settings_need_a_name_and_a_value(setting):
    with pytest.raises(ConfigError, match=rf"--set: expected KEY=VALUE, got '{setting}', as in --set channels=64"):
        parse_settings([setting])


def test_reading_says_what_was_found(capsys):
    motion = read("cmu", "samples", split="test", actions=["walking"])
    assert [clip.name for clip in motion.clips["test"]] == ["walking_1"]
    assert capsys.readouterr().out == "cmu: 1 test clips at 60 frames a second\n"


def test_reading_lists_the_first_missing_files(capsys):
    folder = str(data.samples())
    read("cmu", folder, split="test")
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("5 of 8 files missing")
    assert second.startswith("missing: test/basketball_signal/basketball_signal_1.txt, test/directing_traffic/")
    assert second.endswith(", ...")
    read("cmu", folder, actions=["basketball"])
    assert capsys.readouterr().out.splitlines()[1].count(",") == 2


def test_that_the_bundled_clips_are_few_is_no_news(capsys):
    read("cmu", "samples", split="test")
    assert capsys.readouterr().out == "cmu: 3 test clips at 60 frames a second\n"


def test_one_of_several_processes_says_what_was_found(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    read("cmu", "samples", split="test")
    assert capsys.readouterr().out == ""


def test_a_folder_is_a_checkpoint_and_a_name_a_baseline(saved):
    opened = open_model(str(saved), skeleton="cmu", device="cpu")
    assert opened.config == checkpoint.load(saved).config
    assert not opened.training
    assert isinstance(open_model("zero-velocity", skeleton="cmu", device=None), ZeroVelocity)


def test_a_folder_named_like_a_model_is_a_folder(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint.save_checkpoint(checkpoint.load(saved), "traj-gcn")
    assert open_model("traj-gcn", skeleton="cmu", device="cpu").registry_name == "msrgcn-1l"


@pytest.mark.usefixtures("shipped")
def test_weights_of_the_library_have_a_name(monkeypatch):
    opened = open_model("traj-gcn/tiny", skeleton="cmu", device="cpu")
    assert (opened.registry_name, opened.config.channels) == ("traj-gcn", 8)
    with pytest.raises(ConfigError, match=r"model 'traj-gcn' is not trained: .*, or weights of the library: traj"):
        open_model("traj-gcn", skeleton="cmu", device=None)
    with pytest.raises(CheckpointError, match=r"tinny: expected a trained model, .*Did you mean 'traj-gcn/tiny'"):
        open_model("tinny", skeleton="cmu", device=None)
    monkeypatch.setattr(weights, "DEFAULT", "traj-gcn/tiny")
    assert open_model(None, skeleton="cmu", device="cpu").record == opened.record


@pytest.mark.usefixtures("shipped")
def test_without_default_weights_a_model_has_to_be_named():
    message = r"model: expected a checkpoint folder or a model, got none, and the default weights .* do not come with"
    with pytest.raises(ConfigError, match=message):
        open_model(None, skeleton="cmu", device="cpu")


def test_what_is_neither_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"zero-velo: expected a trained model, .* Did you mean 'zero-velocity'"):
        open_model("zero-velo", skeleton="cmu", device=None)
    with pytest.raises(CheckpointError, match=r"found a folder without config\.json and"):
        open_model(str(tmp_path), skeleton="cmu", device=None)
    with pytest.raises(ConfigError, match=r"model 'msrgcn' is not trained: .* which 'posegraph train msrgcn' writes"):
        open_model("msrgcn", skeleton="cmu", device=None)


def test_progress_is_drawn_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("tqdm.tqdm", partial(tqdm.tqdm, mininterval=0))  # else it is drawn ten times a second at most
    with progress_bar("evaluate") as progress:
        assert progress is not None
        progress(3, 8)
        progress(8, 8)
    text = capsys.readouterr().err
    assert "evaluate" in text
    assert "8/8" in text


def test_progress_is_not_drawn_elsewhere(capsys):
    with progress_bar("evaluate") as progress:
        assert progress is None
    assert capsys.readouterr().err == ""
