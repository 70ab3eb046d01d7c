from __future__ import annotations

import numpy as np
import pytest

from posegraph import checkpoint, registry
from posegraph.errors import CheckpointError, ConfigError, UnknownNameError
from posegraph.reproduce import Row
from posegraph.reproduce.setup import build, open_checkpoint, score
from tests.data.motion import ARM
from tests.reproduce.arms import MSR, SMALL, STILL, TRAJ, arms, naive_errors, setup_of
from tests.training.runs import FUTURE, OBSERVED


def test_models_without_weights_are_scored_as_they_are():
    setup = setup_of()
    model = build(setup, STILL)
    assert not model.is_trainable
    assert build(setup, TRAJ).is_trainable
    result = score(setup, STILL, model.eval(), "no training")
    np.testing.assert_allclose(result.errors["nod"], naive_errors(model, setup.dataset, "nod"), rtol=1e-5)
    assert (result.epochs, result.seconds) == (None, None)


def test_models_with_labels_get_the_actions_of_the_data():
    row = Row("labels", "residual-sup", {"channels": 8})
    assert build(setup_of(), row).actions == ("wave", "nod")
    chosen = Row("labels", "residual-sup", {"channels": 8, "actions": ("nod", "wave", "bow")})
    assert build(setup_of(), chosen).actions == ("nod", "wave", "bow")


def test_what_cannot_be_built_is_refused():
    with pytest.raises(UnknownNameError, match=r"unknown model 'trajgcn'\. Did you mean 'traj-gcn'"):
        build(setup_of(), Row("mine", "trajgcn"))
    with pytest.raises(UnknownNameError, match=r"unknown setting of model 'traj-gcn' 'chanels'"):
        build(setup_of(), Row("mine", "traj-gcn", {"chanels": 8}))


def save(folder, name="traj-gcn", skeleton=ARM, observed=OBSERVED, record=None, **settings):
    model = registry.build(
        name, skeleton=skeleton, observed_frames=observed, future_frames=FUTURE, **{**SMALL, **settings}
    )
    return checkpoint.save_checkpoint(model, folder, record=record)


def test_a_checkpoint_is_opened(tmp_path):
    record = {"training": {"epoch": 7}, "selection": "last epoch"}
    model, facts = open_checkpoint(setup_of(), TRAJ, save(tmp_path, record=record, dropout=0.25))
    assert facts == {
        "best_epoch": 7,
        "selection": "last epoch",
        "differences": ("dropout 0.25 in place of 0.5",),
    }
    result = score(setup_of(), TRAJ, model, str(tmp_path), **facts)
    np.testing.assert_allclose(result.errors["wave"], naive_errors(model, arms(), "wave"), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"name": "msrgcn-1l"},
            r"row 'small Traj-GCN': expected a model 'traj-gcn', got 'msrgcn-1l' in .* Name the row",
        ),
        (
            {"skeleton": "cmu"},
            r"expected a model of 'arm' \(3 joints, 2 used\) as in data set 'arms', got one of 'cmu' ",
        ),
        (
            {"observed": 5},
            r"expected 4 observed and 3 future frames as in arms, got 5 and 3 in .* Name a checkpoint of ",
        ),
        ({"channels": 9}, r"row 'small Traj-GCN': expected channels 8, got 9 in .* Name a checkpoint of this row\."),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        open_checkpoint(setup_of(), TRAJ, save(tmp_path, **settings))


def test_a_folder_without_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"expected a trained model, found a folder without config\.json"):
        open_checkpoint(setup_of(), MSR, tmp_path)


def test_a_smoke_run_takes_a_few_steps_in_place_of_the_recipe():
    own = registry.info("traj-gcn").recipe
    assert setup_of().recipe(Row("mine", "traj-gcn")) == own
    assert setup_of(steps=3).recipe(TRAJ) == own.replace(batch_size=4, epochs=1, steps_per_epoch=3)
