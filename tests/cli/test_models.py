from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from posegraph import checkpoint, data, registry
from posegraph.evaluation.result import Result
from posegraph.skeleton import presets
from tests.weights.standin import REFERENCE


def test_list_shows_models_data_sets_and_skeletons(command):
    lines = command("list").out.splitlines()
    names = [line.split()[0] for line in lines[1 : lines.index("weights")]]
    assert names == registry.names()
    assert lines[0] == "models"
    assert lines[-3:] == [f"  {', '.join(data.names())}", "skeletons", f"  {', '.join(presets.names())}"]
    assert all(registry.info(name).summary in line for name, line in zip(names, lines[1:], strict=False))


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(("pattern", "shown"), [("*", "traj-gcn/tiny"), ("msrgcn*", "none")])
def test_list_shows_the_weights_of_the_models(command, pattern, shown):
    lines = command("list", pattern).out.splitlines()
    assert lines[lines.index("weights") + 1 : lines.index("data sets")] == [f"  {shown}"]


@pytest.mark.usefixtures("shipped")
def test_info_shows_the_weights_of_a_model(command):
    assert "weights     traj-gcn/tiny" in command("info", "traj-gcn").out.splitlines()
    assert "weights     none" in command("info", "zero-velocity").out.splitlines()


@pytest.mark.parametrize(("pattern", "names"), [("msrgcn-?l", ["msrgcn-1l", "msrgcn-2l", "msrgcn-3l"]), ("none*", [])])
def test_list_takes_a_pattern(command, pattern, names):
    answer = command("list", pattern)
    assert answer.status == 0
    assert [line.split()[0] for line in answer.out.partition("weights")[0].splitlines()[1:]] == names


@pytest.mark.parametrize(
    ("name", "skeleton", "scales", "parameters"),
    [
        ("msrgcn-released", "cmu", "25, 12, 7, 4", "6,367,791"),
        ("msrgcn-released", None, "22, 12, 7, 4", "6,298,185"),
        ("traj-gcn", "cmu", "25", "2,703,469"),
    ],
)
def test_info_describes_a_model(command, name, skeleton, scales, parameters):
    lines = command("info", name, *(["--skeleton", skeleton] if skeleton else [])).out.splitlines()
    spec = registry.info(name)
    assert lines[0] == f"{name}: {spec.summary}"
    assert lines[1] == f"class       {spec.cls.__module__}.{spec.cls.__name__}"
    assert lines[2] == f"skeleton    {skeleton or 'h36m'}, joints at each scale: {scales}"
    assert lines[3:5] == ["frames      10 observed, 25 forecast", f"parameters  {parameters}"]
    fields = {"settings": dataclasses.asdict(spec.config), "recipe": dataclasses.asdict(spec.recipe)}
    rest = [line for title, own in fields.items() for line in (title, *(f"  {k} = {v}" for k, v in own.items()))]
    assert lines[5] == f"weights     {', '.join(f'{name}/{own}' for own in spec.weights) or 'none'}"
    assert lines[6:] == rest


def test_info_has_no_recipe_for_what_cannot_be_trained(command):
    answer = command("info", "zero-velocity")
    assert answer.out.splitlines()[-2:] == ["parameters  0", "weights     none"]


def test_info_refuses_unknown_skeletons(command):
    answer = command("info", "msrgcn", "--skeleton", "cmv")
    assert answer.status == 2
    assert answer.err.startswith("posegraph: error: unknown skeleton 'cmv'. Did you mean 'cmu'?")


@pytest.mark.usefixtures("shipped")
def test_info_shows_the_essentials_of_the_card(command, shipped):
    packed = checkpoint.read_config(REFERENCE)["record"]["packed"]
    result = Result.from_json(packed["evaluation"][0]["result"]).select(["running", "walking"])
    lines = command("info", REFERENCE).out.splitlines()
    assert lines[0] == f"{REFERENCE}: {registry.info('traj-gcn').summary}"
    rows = ["model", "skeleton", "frames", "data", "trained", "selection", "protocol", "errors", ""]
    assert [line[:12].strip() for line in lines[1:]] == [*rows, *["command"] * len(packed["commands"]), "folder"]
    clips = len(checkpoint.read_config(REFERENCE)["record"]["training"]["train"])
    assert f"data        cmu: {clips} clips, 2 held out for validation; licence mit" in lines
    assert f"protocol    {result.protocol.describe()}" in lines
    errors = ", ".join(f"{at} {error:.2f}" for at, error in zip(result.protocol.frames, result.errors, strict=True))
    assert f"errors      mm at frame {errors}; mean {result.mean:.2f}" in lines
    assert "            zero velocity: mean 101.19" in lines
    assert [line[12:] for line in lines if line.startswith("command")] == packed["commands"]
    assert lines[-1] == f"folder      {shipped / REFERENCE}"


def test_info_describes_a_run(command, stand_in_runs):
    lines = command("info", stand_in_runs[0]).out.splitlines()
    record = checkpoint.read_config(stand_in_runs[0])["record"]
    error = Result.from_json(record["validation"])
    assert f"validation  {error.mean:.2f} mm ({error.protocol.describe()})" in lines
    assert f"selection   {record['selection']}" in lines


def test_info_describes_a_checkpoint_without_notes(command, tmp_path):
    checkpoint.save_checkpoint(registry.build("zero-velocity", skeleton="cmu"), tmp_path / "still")
    lines = command("info", "still").out.splitlines()
    assert "data        not recorded" in lines
    assert lines[-1] == f"folder      {Path('still')}"


def test_info_reports_damage(command, stand_in, tmp_path):
    shutil.copytree(stand_in / REFERENCE, tmp_path / "own")
    config = json.loads((tmp_path / "own" / "config.json").read_text())
    config["record"]["training"]["train"] = 3
    (tmp_path / "own" / "config.json").write_text(json.dumps(config))
    answer = command("info", "own")
    assert answer.status == 2
    assert answer.err.startswith("posegraph: error: own: the checkpoint is damaged: TypeError: ")
