from __future__ import annotations

import copy
from typing import Any

import pytest

from posegraph import checkpoint
from posegraph.checkpoint.card import model_card
from posegraph.checkpoint.results import published_beside
from posegraph.evaluation import published
from posegraph.evaluation.result import Result
from tests.checkpoint.test_card import rows, section
from tests.weights.standin import REFERENCE


@pytest.fixture
def config(stand_in) -> dict[str, Any]:
    return checkpoint.read_config(stand_in / REFERENCE)


def test_errors_are_those_of_the_record(config):
    card = model_card(config)
    result = config["record"]["packed"]["evaluation"][0]["result"]
    (running,), walking = rows(card, "running"), result["actions"]["walking"]["mpjpe_mm"]
    errors = result["actions"]["running"]["mpjpe_mm"]
    assert running[1:] == ["48", *(f"{error:.2f}" for error in (*errors, sum(errors) / 6)), "120.89"]
    means = [(one + other) / 2 for one, other in zip(errors, walking, strict=True)]
    expected = [f"{error:.2f}" for error in (*means, sum(means) / 6)]
    assert rows(card, "**mean of 2**") == [["**mean of 2**", "", *expected, "101.19"]]
    by_frame, by_action = rows(card, "**this model**")
    assert by_frame == ["**this model**", "evaluated here", *expected]
    assert by_action[2:] == [f"{sum(own) / 6:.2f}" for own in (errors, walking)] + expected[-1:]


def test_actions_without_training_stand_apart(config):
    results = section(model_card(config), "Results")
    seen, _, unseen = results.partition("Actions that have no training clip, and are in no average above:")
    assert rows(unseen, "basketball")[0][1] == "255"
    assert not rows(seen, "basketball")
    assert "No test clips were there of basketball_signal, directing_traffic, jumping, soccer, washwindow." in unseen


def test_published_numbers_are_those_of_the_same_actions(config):
    card = model_card(config)
    source = "MSR-GCN repository, datas_in_paper.md"
    fields = {"dataset": "cmu", "source": source}
    actions = ["running", "walking"]
    frames = [published.mean("Traj-GCN", actions, [frame], **fields).mm for frame in (1, 3, 7, 9, 13, 24)]
    by_frame, by_action = rows(card, "Traj-GCN")
    assert by_frame == ["Traj-GCN", source, *(f"{error:.2f}" for error in (*frames, sum(frames) / 6))]
    assert by_action[:3] == ["Traj-GCN", source, "35.42"]  # the mean of what is printed for running
    assert not rows(card, "MSR-GCN-1L")  # published as one mean over eight actions only


def test_nothing_is_compared_under_another_protocol(config):
    other = copy.deepcopy(config)
    for own in other["record"]["packed"]["evaluation"][0].values():
        own["protocol"]["joints"] = "used"
    assert "published numbers" not in model_card(other)


def test_published_errors_stand_beside_a_result_of_their_protocol(config):
    result = Result.from_json(config["record"]["packed"]["evaluation"][0]["result"]).select(["running", "walking"])
    source = "MSR-GCN repository, datas_in_paper.md"
    beside = {system: errors for system, own, errors in published_beside(result) if own == source}
    fields = {"dataset": "cmu", "source": source}
    walking = [published.mean("Traj-GCN", ("walking",), (at,), **fields).mm for at in result.protocol.frames]
    assert beside["Traj-GCN"][1] == walking
