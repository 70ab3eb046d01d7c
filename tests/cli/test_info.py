from __future__ import annotations

import dataclasses

import pytest

from posegraph import registry


@pytest.mark.usefixtures("shipped")
def test_info_shows_the_weights_of_a_model(command):
    assert "weights     tiny" in command("info", "traj-gcn").out.splitlines()
    assert "weights     none" in command("info", "zero-velocity").out.splitlines()


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
    assert lines[5] == f"weights     {', '.join(spec.weights) or 'none'}"
    assert lines[6:] == rest


def test_info_has_no_recipe_for_what_cannot_be_trained(command):
    answer = command("info", "zero-velocity")
    assert answer.out.splitlines()[-2:] == ["parameters  0", "weights     none"]


def test_info_refuses_unknown_skeletons(command):
    answer = command("info", "msrgcn", "--skeleton", "cmv")
    assert answer.status == 2
    assert answer.err.startswith("posegraph: error: unknown skeleton 'cmv'. Did you mean 'cmu'?")
