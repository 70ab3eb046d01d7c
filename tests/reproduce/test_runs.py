from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from posegraph import checkpoint, evaluation, registry
from posegraph.errors import CheckpointError, ConfigError, UnknownNameError
from posegraph.reproduce import Row
from posegraph.reproduce.coverage import cover
from posegraph.reproduce.runs import Setup, TrainingRun, build, open_checkpoint, score
from posegraph.training import run as training_run
from posegraph.training.steps import PlainStep
from tests.data.motion import ARM
from tests.reproduce.arms import MSR, RECIPE, SMALL, STILL, TRAJ, arms, naive_errors, table
from tests.training.runs import FUTURE, OBSERVED, identical, state


def setup_of(dataset=None, own=None, **changes) -> Setup:
    dataset, own = dataset or arms(), own or table()
    return Setup(own, dataset, cover(own, dataset), device="cpu", **changes)


def trained(folder, row=TRAJ, setup=None, seed=0, **options) -> TrainingRun:
    run = TrainingRun(setup or setup_of(), row, seed, folder)
    assert run.train(options.pop("time_limit", None), lambda line: None)
    return run


def test_a_run_is_trained_and_scored(tmp_path):
    setup = setup_of()
    run = trained(tmp_path / "run", setup=setup)
    assert run.complete
    result = run.score()
    assert (result.origin, result.epochs, result.row) == ("seed 0", 2, TRAJ)
    assert result.selection == "lowest validation error on held-out training clips"
    assert result.seconds == run.seconds > 0
    model = checkpoint.load(tmp_path / "run")
    for action in ("wave", "nod"):
        np.testing.assert_allclose(result.errors[action], naive_errors(model, setup.dataset, action), rtol=1e-5)
        assert result.windows[action] == 14 - OBSERVED - FUTURE + 1


def test_seeds_give_weights_of_their_own(tmp_path):
    weights = [state(trained(tmp_path / name, seed=seed).folder) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert identical(weights[0], weights[1])
    assert not identical(weights[0], weights[2])


def test_a_run_is_read_back(tmp_path, monkeypatch):
    run = trained(tmp_path)
    result = run.score()
    monkeypatch.setattr(evaluation, "evaluate", None)  # nothing is measured again
    again = TrainingRun(setup_of(), TRAJ, 0, tmp_path)
    assert (again.trained, again.scored, again.complete, again.seconds) == (True, True, True, run.seconds)
    assert again.score() == result


def test_the_state_of_a_finished_run_may_be_deleted(tmp_path):
    result = trained(tmp_path).score()
    (tmp_path / "training.safetensors").unlink()
    again = TrainingRun(setup_of(), TRAJ, 0, tmp_path)
    assert again.complete
    assert again.score() == result


def test_new_test_clips_are_measured(tmp_path):
    before = trained(tmp_path).score()
    more = setup_of(arms(test=("wave_1", "nod_1", "nod_2")))
    after = TrainingRun(more, TRAJ, 0, tmp_path).score()
    assert after.errors["wave"] == before.errors["wave"]
    np.testing.assert_allclose(after.errors["nod"], naive_errors(checkpoint.load(tmp_path), more.dataset, "nod"), 1e-5)
    fewer = setup_of(arms(test=("wave_1",)))
    assert set(TrainingRun(fewer, TRAJ, 0, tmp_path).score().errors) == {"wave"}


def test_a_run_that_was_killed_is_known_by_its_state(tmp_path, monkeypatch):
    class KilledError(Exception):
        pass

    trained(tmp_path / "whole")
    run = trained(tmp_path / "parts", time_limit=0.0)
    run.score()
    step, steps = PlainStep._update, 0

    def killed(*arguments):
        nonlocal steps
        steps += 1
        if steps == 3:
            raise KilledError
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training_run, "_SAVE_SECONDS", 0.0)
        patch.setattr(PlainStep, "_update", killed)
        with pytest.raises(KilledError):
            run.train(None, lambda line: None)
    again = TrainingRun(setup_of(), TRAJ, 0, tmp_path / "parts")
    assert not again.complete
    assert not again.scored  # what was measured before belongs to an earlier state
    assert again.seconds > run.seconds
    again.train(None, lambda line: None)
    assert again.complete
    assert identical(state(tmp_path / "parts"), state(tmp_path / "whole"))


def test_a_run_with_no_time_left_takes_a_step(tmp_path):
    run = trained(tmp_path, time_limit=-3.0)
    assert (run.trained, run.complete) == (True, False)
    assert run.score().epochs == 0


@pytest.mark.parametrize(
    ("row", "dataset", "changes", "seed", "message"),
    [
        (
            Row(TRAJ.label, "msrgcn-1l", SMALL, recipe=RECIPE),
            None,
            {},
            0,
            r"another model: 'traj-gcn' in place of 'msrgcn-1l'",
        ),
        (
            Row(TRAJ.label, "traj-gcn", {**SMALL, "channels": 9}),
            None,
            {},
            0,
            r"another config\.channels: 8 in place of 9",
        ),
        (
            Row(TRAJ.label, "traj-gcn", SMALL, recipe={**RECIPE, "batch_size": 4}),
            None,
            {},
            0,
            r"another recipe\.batch_size: 8 in place of 4",
        ),
        (TRAJ, None, {"precision": "bf16"}, 0, r"another precision: 'fp32' in place of 'bf16'"),
        (TRAJ, None, {"steps": 3}, 0, r"another recipe\.batch_size: 8 in place of 4"),
        (TRAJ, None, {}, 1, r"another seed: 0 in place of 1"),
        (TRAJ, "longer", {}, 0, r"another train\.wave_3: 11 in place of None"),
    ],
)
def test_a_run_of_other_settings_is_not_used(tmp_path, row, dataset, changes, seed, message):
    trained(tmp_path)
    motion = arms()
    if dataset is not None:
        motion = dataclasses.replace(motion, clips={**motion.clips, "train": motion.clips["train"][:2]})
    remedy = r"\. Choose another folder for the table, or delete this one to train the row anew\."
    with pytest.raises(ConfigError, match=rf"the row there was trained with {message}{remedy}"):
        TrainingRun(setup_of(motion, **changes), row, seed, tmp_path)


def test_more_epochs_are_no_other_setting(tmp_path):
    trained(tmp_path)
    longer = Row(TRAJ.label, "traj-gcn", SMALL, recipe={**RECIPE, "epochs": 3})
    run = TrainingRun(setup_of(), longer, 0, tmp_path)
    assert not run.complete
    run.train(None, lambda line: None)
    assert run.score().epochs == 3


@pytest.mark.parametrize("text", ["{", "[]", '{"settings": {}}'])
def test_a_damaged_record_is_refused(tmp_path, text):
    (tmp_path / "row.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"row\.json: expected what is known of a row, but it cannot be read: "):
        TrainingRun(setup_of(), TRAJ, 0, tmp_path)


def test_the_record_is_written_before_training(tmp_path, monkeypatch):
    def refused(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("posegraph.training.train", refused)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path)
    assert json.loads((tmp_path / "row.json").read_text())["settings"]["model"] == "traj-gcn"
    assert not TrainingRun(setup_of(), TRAJ, 0, tmp_path).trained


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
    assert setup_of(steps=3).recipe(TRAJ) == dataclasses.replace(own, batch_size=4, epochs=1, steps_per_epoch=3)
