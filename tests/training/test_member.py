from __future__ import annotations

import pytest
import torch

from posegraph import checkpoint
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from tests.training.runs import (
    FUTURE,
    OBSERVED,
    RECIPE,
    assert_same_run,
    clip_names,
    fake_errors,
    identical,
    motion,
    read_log,
    run,
    small_model,
    waving_clip,
    weights,
)


def test_the_shortest_clip_is_held_out(uninterrupted):
    assert clip_names(uninterrupted) == (["wave_1", "wave_2"], ["wave_3"])


def test_named_clips_are_held_out(tmp_path):
    run(tmp_path, validation=["wave_1"])
    assert clip_names(tmp_path) == (["wave_2", "wave_3"], ["wave_1"])


def test_a_validation_split_of_the_data_set_is_used(tmp_path):
    result = run(tmp_path, data=motion(val=[waving_clip(12, "own")]))
    assert clip_names(tmp_path) == (["wave_1", "wave_2", "wave_3"], ["own"])
    assert result.best_error is not None


@pytest.mark.parametrize("splits", [{}, {"val": [waving_clip(12, "own")]}], ids=["no split", "a split"])
def test_without_validation_the_last_epoch_is_kept(tmp_path, splits):
    model = small_model()
    result = run(tmp_path, model=model, data=motion(**splits), validation=[])
    assert clip_names(tmp_path) == (["wave_1", "wave_2", "wave_3"], [])
    assert (result.best_epoch, result.best_error) == (3, None)
    assert list(read_log(tmp_path)[0]) == ["epoch", "learning_rate", "train_loss"]
    assert identical(weights(tmp_path), dict(model.state_dict()))
    record = checkpoint.read_config(tmp_path)["record"]
    assert (record["selection"], record["validation"]) == ("last epoch", None)


def test_test_clips_are_never_looked_at(uninterrupted, tmp_path):
    poisoned = waving_clip(20, "test_1")
    poisoned.poses.fill_(torch.nan)
    run(tmp_path, data=motion(test=[poisoned]))
    assert_same_run(tmp_path, uninterrupted)


def test_validation_is_the_error_of_the_checkpoint_on_held_out_clips(tmp_path):
    data = motion()
    result = run(tmp_path, data=data)
    held_out = data.hold_out(OBSERVED + FUTURE)
    protocol = Protocol("arms", split="val", observed_frames=OBSERVED, future_frames=FUTURE, actions=("wave",))
    measured = evaluate(checkpoint.load(tmp_path), held_out, protocol)
    rows = read_log(tmp_path)
    errors = [float(row["val_mm"]) for row in rows]
    assert result.best_error == measured.mean == pytest.approx(min(errors), rel=1e-5)
    assert result.best_epoch == 1 + errors.index(min(errors))
    best = rows[result.best_epoch - 1]
    assert float(best["val_frame_1_mm"]) == pytest.approx(measured.errors[0], rel=1e-5)
    record = checkpoint.read_config(tmp_path)["record"]
    assert record["validation"]["mean"] == measured.to_json()["mean"]
    assert record["validation"]["protocol"]["split"] == "val"
    assert record["training"]["epoch"] == result.best_epoch
    assert record["selection"] == "lowest validation error on held-out training clips"


@pytest.mark.parametrize(
    ("errors", "best"),
    [((3.0, 1.0, 2.0), 2), ((1.0, 1.0, 1.0), 1), ((3.0, 2.0, 1.0), 3), ((float("nan"), 2.0, float("nan")), 2)],
)
def test_the_epoch_with_the_lowest_error_becomes_the_checkpoint(tmp_path, monkeypatch, errors, best):
    fake_errors(monkeypatch, *errors)
    result = run(tmp_path / "all")
    assert (result.best_epoch, result.best_error) == (best, errors[best - 1])
    model = small_model()
    fake_errors(monkeypatch, *errors)
    run(tmp_path / "until", model=model, recipe=RECIPE.replace(epochs=best))
    assert identical(weights(tmp_path / "all"), dict(model.state_dict()))


def test_the_best_epoch_outlives_an_interruption(tmp_path, monkeypatch):
    fake_errors(monkeypatch, 1.0, 3.0, 2.0)
    run(tmp_path, recipe=RECIPE.replace(epochs=1))
    best = weights(tmp_path)
    assert run(tmp_path, resume=True).best_epoch == 1
    assert identical(weights(tmp_path), best)
