"""Comparisons of recipes: trained as said, measured on held-out training clips, gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.experiments import recipes
from posegraph import data, registry
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol

SEVERAL = ("running", "walking")


@pytest.fixture
def quick(monkeypatch):
    """Three changes of a narrow network, trained for a moment."""
    monkeypatch.setattr(recipes, "SETTINGS", {"channels": 8, "num_blocks": 1, "num_heads": 2})
    monkeypatch.setattr(recipes, "RECIPE", {"epochs": 1, "steps_per_epoch": 4, "learning_rate": 1e-2})
    monkeypatch.setattr(recipes, "ACTIONS", SEVERAL)
    changes = [
        recipes.Change("first"),
        recipes.Change("no steps to speak of", recipe={"learning_rate": 1e-9}),
        recipes.Change("fewer clips", settings={"mirrored": False}, only_actions=True),
    ]
    monkeypatch.setattr(recipes, "CHANGES", tuple(changes))


def run(out: Path, *options: str) -> dict[str, Any]:
    recipes.main(["--data", "samples", "--out", str(out), "--device", "cpu", "--commit", "abc", *options])
    return json.loads(out.read_text())


def test_rows_say_what_was_trained_and_how_well(quick, tmp_path):
    content = run(tmp_path / "recipes.json", "--seeds", "2")
    first, still, fewer = content["rows"]
    assert [len(row["errors"]) for row in content["rows"]] == [2, 2, 2]
    assert content["validation"] == ["running_2", "walking_2"]
    assert (fewer["settings"]["mirrored"], fewer["only_actions"], first["only_actions"]) == (False, True, False)
    assert still["recipe"]["learning_rate"] == 1e-9
    clips = data.load("cmu", "samples", split="train").hold_out(35, content["validation"])
    repeated = evaluate(
        registry.build("zero-velocity", skeleton="cmu"), clips, Protocol.named(clips, split="val", actions=SEVERAL)
    )
    assert still["errors"] == pytest.approx([repeated.mean] * 2, abs=0.01)  # a new model repeats the last pose
    assert still["ensemble"] == pytest.approx(repeated.mean, abs=0.01)
    assert max(first["errors"]) < repeated.mean - 0.1
    assert first["ensemble"] < repeated.mean - 0.1


def test_the_same_command_goes_on_with_what_is_missing(quick, tmp_path, capsys, monkeypatch):
    out = tmp_path / "recipes.json"
    with monkeypatch.context() as patch:
        patch.setattr(recipes, "CHANGES", recipes.CHANGES[:1])
        begun = run(out, "--seeds", "1")
    assert run(out, "--seeds", "1", "--minutes", "0")["rows"] == begun["rows"]  # no time for more
    complete = run(out, "--seeds", "1")
    assert len(complete["rows"]) == 3
    assert complete["rows"][0] == begun["rows"][0]
    assert complete["rows"][0]["ensemble"] is None
    capsys.readouterr()
    assert run(out, "--seeds", "1")["rows"] == complete["rows"]
    assert not capsys.readouterr().out.strip()


def test_the_command_names_no_folder(quick, tmp_path, monkeypatch):
    own = data.load("cmu", "samples", split="train")
    monkeypatch.setattr(recipes.data, "load", lambda name, folder, **options: own)
    out, options = tmp_path / "recipes.json", ["--seeds", "1", "--device", "cpu", "--commit", "abc"]
    recipes.main(["--data", "/somewhere/private", "--minutes", "0", "--out", str(out), *options])
    assert not out.exists()  # nothing measured, nothing written
    recipes.main(["--data", "/somewhere/private", "--out", str(out), *options])
    assert "--data DIR --out" in json.loads(out.read_text())["command"]


def test_changes_have_names_of_their_own_and_known_settings():
    names = [change.name for change in recipes.CHANGES]
    assert len(set(names)) == len(names)
    for change in recipes.CHANGES:
        registry.config(change.model, **change.settings)
    assert not recipes.CHANGES[0].settings
    assert not recipes.CHANGES[0].recipe
