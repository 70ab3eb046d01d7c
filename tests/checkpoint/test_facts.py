from __future__ import annotations

from typing import Any

import pytest

from posegraph import checkpoint
from posegraph.checkpoint.facts import Facts
from posegraph.errors import UnknownNameError
from tests.weights.standin import REFERENCE


@pytest.fixture
def config(stand_in) -> dict[str, Any]:
    return checkpoint.read_config(stand_in / REFERENCE)


def test_packed_weights_are_known_well(config):
    facts = Facts(config)
    assert (facts.name, facts.dataset, facts.licence, facts.skeleton.name) == (REFERENCE, "cmu", "mit", "cmu")
    assert [result.mean for result in facts.results] == [
        pytest.approx(own["result"]["mean"]["mean_mm"]) for own in config["record"]["packed"]["evaluation"]
    ]
    assert facts.seen(facts.results[0]) == ["running", "walking"]
    assert facts.unseen == ["basketball"]
    assert facts.true_fps(25.0) == 60.0


@pytest.mark.parametrize("record", [{}, {"training": "by hand", "packed": 3}])
def test_notes_may_be_anything(config, record):
    facts = Facts({**config, "record": record})
    assert (facts.name, facts.dataset, facts.licence, facts.results) == ("traj-gcn", None, "other", [])
    assert facts.true_fps(25.0) is None


def test_a_model_that_is_not_registered_is_said(config):
    with pytest.raises(UnknownNameError, match="unknown model 'theirs'"):
        Facts({**config, "model": "theirs"})
