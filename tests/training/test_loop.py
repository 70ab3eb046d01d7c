from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from posegraph import checkpoint, registry, skeletons
from posegraph.data import Clip, MotionDataset, samples
from posegraph.data.cmu import read as read_cmu
from posegraph.errors import CheckpointError, ConfigError, DataError, UnknownNameError
from posegraph.evaluation import ActionResult, Protocol, Result, evaluate
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.training import TrainingResult, log, member, seed_everything, train
from posegraph.training import run as training_run
from posegraph.training.steps import PlainStep
from tests.data.motion import ARM
from tests.training.runs import (
    FUTURE,
    OBSERVED,
    LinearForecast,
    assert_same_run,
    identical,
    motion,
    read_log,
    small_model,
    state,
    waving_clip,
    weights,
)

# `motion()` holds out wave_3, the shortest clip, which leaves 12 + 9 windows: five batches of four, and one window.
RECIPE = Recipe(learning_rate=1e-2, batch_size=4, epochs=3)
STEPS = 5


def run(folder: Path, *, model: ForecastModel | None = None, data: MotionDataset | None = None, **options: Any):
    options = {"recipe": RECIPE, "report": lambda line: None, "device": "cpu", **options}
    return train(model or small_model(), data or motion(), folder, **options)


@pytest.fixture
def each_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int, Any, torch.Tensor], object]], None]:
    """Calls a function with the number of the step, the step, and its windows, after every step."""

    def install(call: Callable[[int, Any, torch.Tensor], object]) -> None:
        number = 0
        update = PlainStep._update

        def observed(self: PlainStep, window: torch.Tensor, *labels: torch.Tensor) -> torch.Tensor:
            nonlocal number
            loss = update(self, window, *labels)
            number += 1
            call(number, self, window)
            return loss

        monkeypatch.setattr(PlainStep, "_update", observed)

    return install


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("run") / "whole").folder


# The same again


def test_a_seed_decides_every_bit(uninterrupted, tmp_path):
    run(tmp_path / "again")
    assert_same_run(tmp_path / "again", uninterrupted)


def test_the_seed_of_a_run_orders_windows_and_drops_units(uninterrupted, tmp_path):
    run(tmp_path, seed=1)
    assert not identical(weights(tmp_path), weights(uninterrupted))


def test_seed_everything_draws_the_same_weights_again():
    models = []
    for seed in (3, 3, 4):
        seed_everything(seed)
        models.append(registry.build("traj-gcn", channels=8, num_blocks=1).state_dict())
    assert identical(models[0], models[1])
    assert not identical(models[0], models[2])


# Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [2, STEPS, STEPS + 3])
def test_an_interrupted_run_continues_as_if_it_had_not_been(uninterrupted, tmp_path, each_step, number, after):
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    each_step(lambda step, *_: os.kill(os.getpid(), number) if step == after else None)
    first = run(tmp_path)
    assert (first.finished, first.epochs) == (False, after // STEPS)
    assert {n: signal.getsignal(n) for n in handlers} == handlers
    second = run(tmp_path, model=small_model(seed=9), resume=True)
    assert (second.finished, second.epochs) == (True, 3)
    assert second.seconds > first.seconds
    assert_same_run(tmp_path, uninterrupted)


def test_an_interruption_of_the_very_last_step_finishes_the_run(uninterrupted, tmp_path, each_step):
    each_step(lambda step, *_: os.kill(os.getpid(), signal.SIGINT) if step == 3 * STEPS else None)
    assert run(tmp_path).finished
    assert_same_run(tmp_path, uninterrupted)


def test_an_interruption_between_epochs_stops_there(uninterrupted, tmp_path):
    result = run(tmp_path, report=lambda line: os.kill(os.getpid(), signal.SIGINT))
    assert (result.finished, result.epochs) == (False, 1)
    run(tmp_path, resume=True)
    assert_same_run(tmp_path, uninterrupted)


def test_a_second_interruption_stops_at_once(tmp_path, each_step):
    def twice(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    each_step(twice)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)


def fail_after(steps: int) -> Callable[..., None]:
    def fail(step: int, *_: object) -> None:
        if step == steps:
            raise RuntimeError("the machine went down")

    return fail


@pytest.mark.parametrize("after", [1, 4, STEPS + 1, 3 * STEPS])
@pytest.mark.parametrize("save_seconds", [-1.0, 300.0], ids=["stored each step", "stored each epoch"])
def test_a_crashed_run_continues_from_its_last_state(
    uninterrupted, tmp_path, each_step, monkeypatch, after, save_seconds
):
    with monkeypatch.context() as patch:
        patch.setattr(training_run, "_SAVE_SECONDS", save_seconds)
        each_step(fail_after(after))
        with pytest.raises(RuntimeError, match="went down"):
            run(tmp_path)
    run(tmp_path, resume=True)
    assert_same_run(tmp_path, uninterrupted)


def test_a_state_in_the_middle_of_an_epoch_saves_its_steps(tmp_path, each_step, monkeypatch):
    monkeypatch.setattr(training_run, "_SAVE_SECONDS", -1.0)
    with monkeypatch.context() as patch:
        update = PlainStep._update
        each_step(fail_after(4))
        with pytest.raises(RuntimeError, match="went down"):
            run(tmp_path)
        patch.setattr(PlainStep, "_update", update)
        done = []
        each_step(lambda number, *_: done.append(number))
        run(tmp_path, resume=True)
    assert len(done) == 3 * STEPS - 3  # the state before the fourth step was the last to be stored


def test_rows_of_epochs_that_are_done_again_are_dropped(uninterrupted, tmp_path, monkeypatch):
    """The machine goes down between the row of an epoch and its state."""

    def down(*_: object) -> None:
        raise RuntimeError("the machine went down")

    with monkeypatch.context() as patch:
        run(tmp_path, recipe=dataclasses.replace(RECIPE, epochs=1))
        patch.setattr(training_run, "store", down)
        with pytest.raises(RuntimeError, match="went down"):
            run(tmp_path, resume=True)
    assert [row["epoch"] for row in read_log(tmp_path)] == ["1", "2"]
    run(tmp_path, resume=True)
    assert_same_run(tmp_path, uninterrupted)


def test_a_finished_run_can_go_on_for_longer(uninterrupted, tmp_path):
    first = run(tmp_path, recipe=dataclasses.replace(RECIPE, epochs=2))
    assert first.finished
    assert run(tmp_path, resume=True).epochs == 3
    assert_same_run(tmp_path, uninterrupted)


def test_a_finished_run_stays_as_it_is(uninterrupted, each_step):
    each_step(fail_after(1))
    before = state(uninterrupted)
    model = small_model(seed=9)
    result = run(uninterrupted, model=model, resume=True)
    assert (result.finished, result.epochs) == (True, 3)
    assert identical(state(uninterrupted), before)
    last = {key.removeprefix("model."): value for key, value in before.items() if key.startswith("model.")}
    assert identical(dict(model.state_dict()), last)


def test_resume_starts_a_run_where_there_is_none(uninterrupted, tmp_path):
    run(tmp_path / "new", resume=True)
    assert_same_run(tmp_path / "new", uninterrupted)


def test_training_works_outside_of_the_main_thread(uninterrupted, tmp_path):
    thread = threading.Thread(target=run, args=(tmp_path,))
    thread.start()
    thread.join()
    assert_same_run(tmp_path, uninterrupted)


KINDS = [("cpu", "fp32"), ("cpu", "bf16")]
if torch.cuda.is_available():
    KINDS += [("cuda", "fp32"), ("cuda", "bf16"), ("cuda", "fp16")]


@pytest.mark.parametrize(("device", "precision"), KINDS)
def test_every_kind_of_training_can_be_interrupted(tmp_path, each_step, device, precision):
    run(tmp_path / "whole", device=device, precision=precision)
    each_step(lambda step, *_: os.kill(os.getpid(), signal.SIGINT) if step == STEPS + 3 else None)
    assert not run(tmp_path / "parts", device=device, precision=precision).finished
    run(tmp_path / "parts", device=device, precision=precision, resume=True)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


# The recipe


def test_learning_rates_are_those_of_the_authors(tmp_path, each_step):
    """Their code multiplies the rate at the start of every epoch whose number the period divides."""
    recipe = Recipe(learning_rate=2e-4, decay=0.98, decay_every=2, batch_size=8, epochs=5)
    used: list[float] = []
    each_step(lambda number, step, _: used.append(step.optimizer.param_groups[0]["lr"]))
    run(tmp_path, recipe=recipe)
    rate, expected = 2e-4, []
    for epoch in range(1, 6):
        if epoch % 2 == 0:
            rate *= 0.98
        expected.append(rate)
    assert used == pytest.approx([rate for rate in expected for _ in range(len(used) // 5)], rel=1e-12)
    assert [float(row["learning_rate"]) for row in read_log(tmp_path)] == pytest.approx(expected, rel=1e-5)


def test_the_recipe_defaults_to_that_of_the_model(tmp_path):
    run(tmp_path, recipe=None, time_limit=0)
    recorded = checkpoint.read_config(tmp_path)["record"]["training"]["recipe"]
    authors = dataclasses.asdict(registry.info("traj-gcn").recipe)
    assert recorded == {key: value for key, value in authors.items() if key != "epochs"}


def one_step(folder: Path, linear: str, **recipe: Any) -> tuple[dict[str, torch.Tensor], LinearForecast]:
    """Parameters before, and the model after, a single step on all windows."""
    model = small_model(linear)
    assert isinstance(model, LinearForecast)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    run(folder, model=model, recipe=Recipe(batch_size=99, epochs=1, learning_rate=0.1, **recipe), validation=[])
    return before, model


def gradient(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_a_step_follows_the_gradient_of_the_loss(tmp_path, linear):
    """Against the loss written out, and the first step of Adam by hand."""
    before, model = one_step(tmp_path, linear)
    windows = motion().train_windows(OBSERVED, FUTURE).batch(list(range(26)))
    own = {name: value.clone().requires_grad_() for name, value in before.items()}
    observed = windows[:, :OBSERVED]
    padded = torch.cat([observed, observed[:, -1:].repeat(1, FUTURE, 1, 1)], 1)
    change = torch.einsum("btjc,ot->bojc", observed, own["linear.weight"]) + own["linear.bias"].view(1, -1, 1, 1)
    (padded + change - windows).square().sum(-1).sqrt().mean().backward()
    for name, parameter in model.named_parameters():
        expected = own[name].grad
        assert parameter.grad is not None
        assert expected is not None
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(parameter, before[name] - 0.1 * parameter.grad / (parameter.grad.abs() + 1e-8))


def test_the_logged_loss_is_the_mean_over_windows(tmp_path, linear):
    """With batches of eight, eight and five, and steps too small to matter."""
    model = small_model(linear)
    run(tmp_path, model=model, recipe=Recipe(learning_rate=1e-12, batch_size=8, epochs=1))
    windows = motion((18, 15)).train_windows(OBSERVED, FUTURE).batch(list(range(21)))
    loss = model.loss(model(windows[:, :OBSERVED]), windows)
    assert float(read_log(tmp_path)[0]["train_loss"]) == pytest.approx(loss.item(), rel=1e-5)


def test_a_model_in_evaluation_mode_is_trained_all_the_same(uninterrupted, tmp_path):
    run(tmp_path, model=small_model().eval())
    assert_same_run(tmp_path, uninterrupted)


def test_gradients_are_scaled_down_to_the_largest_norm(tmp_path, linear):
    free = gradient(one_step(tmp_path / "free", linear)[1])
    norm = float(free.norm())
    clipped = gradient(one_step(tmp_path / "clipped", linear, clip_norm=norm / 4)[1])
    torch.testing.assert_close(clipped, free / 4)
    assert torch.equal(gradient(one_step(tmp_path / "loose", linear, clip_norm=4 * norm)[1]), free)


def test_weight_decay_is_an_l2_penalty(tmp_path, linear):
    before, model = one_step(tmp_path, linear, weight_decay=1e4)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        total = parameter.grad + 1e4 * before[name]
        torch.testing.assert_close(parameter, before[name] - 0.1 * total / (total.abs() + 1e-8))


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4] * STEPS), (19, [19, 2]), (20, [20]), (21, [21]), (64, [21])])
def test_a_last_batch_of_one_is_left_out(tmp_path, each_step, batch_size, sizes):
    seen: list[int] = []
    each_step(lambda step, run, window: seen.append(len(window)))
    run(tmp_path, recipe=Recipe(batch_size=batch_size, epochs=1))
    assert seen == sizes


def test_every_window_comes_once_an_epoch_in_another_order(tmp_path, each_step):
    seen: list[torch.Tensor] = []
    each_step(lambda step, run, window: seen.append(window))
    run(tmp_path, recipe=Recipe(batch_size=7, epochs=2))
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    windows = motion((18, 15)).train_windows(OBSERVED, FUTURE).batch(list(range(21)))
    for epoch in (first, second):
        found = [[torch.equal(window, other) for other in windows].index(True) for window in epoch]
        assert sorted(found) == list(range(21))
    assert not torch.equal(first, second)


def numbers_of(batches: list[torch.Tensor], data: MotionDataset) -> list[int]:
    """Numbers of the training windows that batches hold."""
    windows = data.train_windows(OBSERVED, FUTURE)
    every = windows.batch(range(len(windows)))
    return [[torch.equal(window, other) for other in every].index(True) for batch in batches for window in batch]


def test_an_epoch_of_steps_takes_every_window_once_a_pass(tmp_path, each_step):
    seen: list[torch.Tensor] = []
    each_step(lambda step, run, window: seen.append(window))
    run(tmp_path, recipe=Recipe(batch_size=7, steps_per_epoch=6, epochs=1))  # 21 windows: twice
    found = numbers_of(seen, motion((18, 15)))
    assert sorted(found[:21]) == sorted(found[21:]) == list(range(21))
    assert found[:21] != found[21:]


def test_sampling_clips_draws_each_clip_as_often(tmp_path, each_step):
    seen: list[torch.Tensor] = []
    each_step(lambda step, run, window: seen.append(window))
    data = motion((27, 9, 8))  # 21 windows, 3, and the shortest clip held out
    run(tmp_path, data=data, recipe=Recipe(batch_size=40, steps_per_epoch=10, epochs=1, sampling="clips"))
    assert [len(batch) for batch in seen] == [40] * 10
    found = numbers_of(seen, motion((27, 9)))
    assert set(found) == set(range(24))
    assert sum(number >= 21 for number in found) / len(found) == pytest.approx(0.5, abs=0.1)


def test_windows_are_played_backwards_as_often_as_the_recipe_says(tmp_path, each_step):
    seen: list[torch.Tensor] = []
    each_step(lambda step, run, window: seen.append(window))
    run(tmp_path, recipe=Recipe(batch_size=21, steps_per_epoch=10, epochs=1, reverse=0.3))
    forwards = motion((18, 15)).train_windows(OBSERVED, FUTURE).batch(range(21))
    backwards = 0
    for window in torch.cat(seen):
        forward = any(torch.equal(window, other) for other in forwards)
        backward = any(torch.equal(window, other.flip(0)) for other in forwards)
        assert forward != backward
        backwards += backward
    assert backwards / 210 == pytest.approx(0.3, abs=0.1)


def test_gradient_descent_is_without_momentum(tmp_path, each_step):
    model = small_model("traj-gcn", dropout=0.0)
    before = [p.detach().clone() for p in model.parameters()]

    def compare(step, run, window):
        if step == 1:
            for old, parameter in zip(before, run.model.parameters(), strict=True):
                torch.testing.assert_close(parameter, old - 0.1 * (parameter.grad + 0.5 * old))

    each_step(compare)
    recipe = Recipe(0.1, optimizer="sgd", weight_decay=0.5, batch_size=4, epochs=1)
    run(tmp_path, model=model, recipe=recipe)


@pytest.mark.parametrize(
    "changes", [{"optimizer": "sgd"}, {"sampling": "clips", "steps_per_epoch": STEPS}, {"reverse": 0.5}]
)
def test_an_interrupted_run_of_any_recipe_continues(tmp_path, each_step, changes):
    recipe = dataclasses.replace(RECIPE, **changes)
    run(tmp_path / "whole", recipe=recipe)
    each_step(lambda step, *_: os.kill(os.getpid(), signal.SIGINT) if step == STEPS + 2 else None)
    assert not run(tmp_path / "parts", recipe=recipe).finished
    assert run(tmp_path / "parts", recipe=recipe, resume=True).finished
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_models_with_labels_are_told_the_action(tmp_path):
    seen: dict[int, set[int]] = {}

    class Labelled(LinearForecast):
        actions = ("bow", "wave")

        def forward(self, observed: torch.Tensor, action: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
            if self.training:
                for pose, label in zip(observed, action.tolist(), strict=True):
                    seen.setdefault(label, set()).add(round(float(pose[0, 0, 0]), 3))
            return super().forward(observed)

        def predict(self, observed: torch.Tensor, action: torch.Tensor | None = None) -> torch.Tensor:
            return self(observed, action)[0][:, self.observed_frames :]

    registry.register("labelled-test", summary="x")(Labelled)
    try:
        clips = [waving_clip(12, "a"), waving_clip(14, "b"), waving_clip(12, "c", "bow"), waving_clip(13, "d", "bow")]
        data = MotionDataset("arms", ARM, {"train": clips})
        model = registry.build("labelled-test", skeleton=ARM, observed_frames=OBSERVED, future_frames=FUTURE)
        run(tmp_path, model=model, data=data, recipe=Recipe(batch_size=3, epochs=1))
    finally:
        registry.unregister("labelled-test")
    for label, clip in ((0, clips[3]), (1, clips[1])):  # the others are held out
        first = ARM.reduce(clip.poses)[: clip.num_frames - FUTURE - OBSERVED + 1, 0, 0]
        assert seen[label] <= {round(float(x), 3) for x in first}


def test_statistics_are_fitted_to_training_windows_alone(tmp_path):
    model = small_model("msrgcn-1l")
    high = waving_clip(12, "high")
    high.poses.mul_(3)
    run(tmp_path, model=model, data=motion(val=[high]), recipe=Recipe(epochs=1))
    windows = motion().train_windows(OBSERVED, FUTURE)
    assert float(model.normalizer.maximum) == float(windows.frames.max())
    assert float(model.normalizer.minimum) == float(windows.frames.min())


# Validation


def clip_names(folder: Path) -> tuple[list[str], list[str]]:
    settings = checkpoint.read_config(folder)["record"]["training"]
    return settings["train"], settings["val"]


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


def fake_errors(monkeypatch: pytest.MonkeyPatch, *errors: float) -> None:
    sequence = iter(errors)

    def measured(model: ForecastModel, dataset: MotionDataset, protocol: Protocol) -> Result:
        return Result(protocol, {"wave": ActionResult(1, (next(sequence),) * len(protocol.frames))})

    monkeypatch.setattr(member, "evaluate", measured)


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
    run(tmp_path / "until", model=model, recipe=dataclasses.replace(RECIPE, epochs=best))
    assert identical(weights(tmp_path / "all"), dict(model.state_dict()))


def test_the_best_epoch_outlives_an_interruption(tmp_path, monkeypatch):
    fake_errors(monkeypatch, 1.0, 3.0, 2.0)
    run(tmp_path, recipe=dataclasses.replace(RECIPE, epochs=1))
    best = weights(tmp_path)
    assert run(tmp_path, resume=True).best_epoch == 1
    assert identical(weights(tmp_path), best)


def test_a_line_is_reported_an_epoch(tmp_path, monkeypatch):
    fake_errors(monkeypatch, 12.0, 9.0, 10.0)
    lines: list[str] = []
    run(tmp_path, report=lines.append)
    assert [re.sub(r"loss +[\d.]+", "loss L", line)[:54] for line in lines] == [
        "epoch   1  train loss L  validation error   12.00 mm *",
        "epoch   2  train loss L  validation error    9.00 mm *",
        "epoch   3  train loss L  validation error   10.00 mm  ",
    ]


def test_progress_is_drawn_on_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(log, "_SHOW_SECONDS", -1.0)
    run(tmp_path)
    text = capsys.readouterr().err
    assert re.search(r"epoch 3/3: .* 4/5 .*loss \d+\.?\d*\]", text)


# Learning


def test_training_learns_a_motion(tmp_path):
    """A swing is a linear recurrence, which a network overfits and zero velocity cannot follow."""
    data = motion((40, 40), val=[waving_clip(40, "wave_1")])
    recipe = Recipe(learning_rate=1e-2, decay=0.95, batch_size=16, epochs=40)
    model = small_model("msrgcn-1l", channels=16, dropout=0.0)
    result = run(tmp_path, model=model, data=data, recipe=recipe)
    still = evaluate(
        small_model("zero-velocity"),
        data,
        Protocol("arms", split="val", observed_frames=OBSERVED, future_frames=FUTURE),
    )
    assert result.best_error is not None
    assert result.best_error < still.mean / 2
    losses = [float(row["train_loss"]) for row in read_log(tmp_path)]
    assert losses[-1] < losses[0] / 3


def test_real_motion_is_learned_from(tmp_path):
    running = read_cmu(samples(), actions=["running"])
    seed_everything(0)
    model = registry.build("msrgcn-1l", skeleton="cmu", channels=8, num_blocks=1)
    run(tmp_path, model=model, data=running, recipe=Recipe(learning_rate=1e-3, epochs=2))
    first, second = read_log(tmp_path)
    assert float(second["val_mm"]) < float(first["val_mm"])
    assert clip_names(tmp_path)[1] == [min(running.clips["train"], key=lambda clip: clip.num_frames).name]


def test_bf16_trains_on_the_cpu(uninterrupted, tmp_path):
    run(tmp_path, precision="bf16", recipe=dataclasses.replace(RECIPE, epochs=6))
    losses = [float(row["train_loss"]) for row in read_log(tmp_path)]
    assert losses[-1] < losses[0]
    found = weights(tmp_path)
    assert all(value.dtype == weights(uninterrupted)[key].dtype for key, value in found.items())
    assert all(bool(value.isfinite().all()) for value in found.values())
    first = read_log(uninterrupted)[0]["train_loss"]
    assert f"{losses[0]:.6g}" != first
    assert losses[0] == pytest.approx(float(first), rel=0.1)


def test_the_model_keeps_the_last_epoch_and_its_device(tmp_path):
    model = small_model()
    result = run(tmp_path, model=model, device="cpu")
    assert isinstance(result, TrainingResult)
    assert result.folder == tmp_path
    last = {key: value for key, value in state(tmp_path).items() if key.startswith("model.")}
    assert identical({f"model.{key}": value for key, value in model.state_dict().items()}, last)


def test_a_time_limit_finishes_in_the_middle_of_an_epoch(uninterrupted, tmp_path, each_step):
    steps: list[int] = []
    each_step(lambda step, *_: steps.append(step))
    result = run(tmp_path, time_limit=0)
    assert (steps, result.finished, result.epochs, result.best_epoch) == ([1], True, 0, 1)
    assert [row["epoch"] for row in read_log(tmp_path)] == ["1"]
    assert checkpoint.load(tmp_path).record["training"]["epoch"] == 1
    assert run(tmp_path, resume=True).epochs == 3
    assert len(steps) == 3 * STEPS
    assert read_log(tmp_path) == read_log(uninterrupted)
    assert identical(state(tmp_path), state(uninterrupted))


def test_a_run_leaves_four_things(uninterrupted):
    assert sorted(path.name for path in uninterrupted.iterdir()) == [
        "best",
        "log.csv",
        "tensorboard",
        "training.safetensors",
    ]


# TensorBoard


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(folder / "tensorboard")).Reload()
    return {tag: [(e.step, e.value) for e in board.Scalars(tag)] for tag in board.Tags()["scalars"]}


def test_tensorboard_has_the_numbers_of_the_csv_file(tmp_path):
    run(tmp_path, recipe=dataclasses.replace(RECIPE, epochs=2))
    run(tmp_path, resume=True)
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    tags = [key for key in rows[0] if key != "epoch"]
    found = scalars(tmp_path)
    assert sorted(found) == sorted(tags)
    for tag in tags:
        assert [step for step, _ in found[tag]] == [1, 2, 3]
        assert [value for _, value in found[tag]] == pytest.approx([float(row[tag]) for row in rows], rel=1e-5)


def test_training_does_without_tensorboard(uninterrupted, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    run(tmp_path)
    assert not (tmp_path / "tensorboard").exists()
    assert_same_run(tmp_path, uninterrupted)


# What is refused


def test_a_model_without_parameters_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ZeroVelocity has no parameters to train\. Evaluate it as it is"):
        run(tmp_path, model=small_model("zero-velocity"))


def test_fp16_needs_a_gpu(tmp_path):
    with pytest.raises(ConfigError, match=r"precision 'fp16' needs a GPU, but the device is cpu\. Use 'bf16'"):
        run(tmp_path, precision="fp16", device="cpu")


def test_unknown_precisions_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="precision: expected one of 'fp32', 'bf16', 'fp16'; got 'fp8'"):
        run(tmp_path, precision="fp8")


def test_another_skeleton_is_refused(tmp_path):
    model = registry.build("traj-gcn", skeleton="cmu", channels=8, num_blocks=1)
    with pytest.raises(
        ConfigError, match=r"skeleton: expected a model of 'arm' \(.*\) as in data set 'arms', got one of 'cmu'"
    ):
        run(tmp_path, model=model)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_run_is_not_overwritten(uninterrupted):
    before = state(uninterrupted)
    with pytest.raises(CheckpointError, match=r"expected a folder without a training run, found one\. Choose another"):
        run(uninterrupted)
    assert identical(state(uninterrupted), before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 5}, "another seed: 0 in place of 5"),
        ({"recipe": dataclasses.replace(RECIPE, batch_size=8)}, "another recipe: .*'batch_size': 4.* in place of"),
        (
            {"validation": []},
            r"another train and val: \['wave_1', 'wave_2'\] in place of \['wave_1', 'wave_2', 'wave_3'",
        ),
        ({"precision": "bf16"}, "another precision: 'fp32' in place of 'bf16'"),
        ({"model": {"name": "msrgcn-1l"}}, "another model and config: 'TrajGCN' in place of 'MSRGCN'"),
        ({"model": {"channels": 16}}, "another config: .*'channels': 8.* in place of .*'channels': 16"),
        ({"model": {"future_frames": 2}}, "another future_frames: 3 in place of 2"),
    ],
)
def test_a_run_continues_with_its_own_settings_only(uninterrupted, changes, message):
    before = state(uninterrupted)
    if "model" in changes:
        settings = {"skeleton": ARM, "observed_frames": OBSERVED, "future_frames": FUTURE} | changes["model"]
        name = settings.pop("name", "traj-gcn")
        model = registry.build(name, **{"channels": 8, "num_blocks": 1, **settings})
        changes = {"model": model}
    with pytest.raises(ConfigError, match=message):
        run(uninterrupted, resume=True, **changes)
    assert identical(state(uninterrupted), before)


def test_a_damaged_state_is_refused(tmp_path):
    (tmp_path / "training.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"training\.safetensors: expected the state of a training run"):
        run(tmp_path, resume=True)


def test_a_single_window_is_not_enough(tmp_path):
    with pytest.raises(ConfigError, match=r"batch: expected at least two training windows a process, got 1 windows"):
        run(tmp_path, data=motion((7,)), validation=[])


def test_clips_must_hold_a_window(tmp_path):
    with pytest.raises(DataError, match="expected at least 7 frames at 25 a second for a window of 4 observed"):
        run(tmp_path, data=motion((12, 6)), validation=[])


def test_a_single_clip_needs_validation_to_be_chosen(tmp_path):
    with pytest.raises(ConfigError, match="clips: expected some of the 1 training clips to hold out"):
        run(tmp_path, data=motion((12,)))


def test_unknown_clips_cannot_be_held_out(tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown training clip 'wave_9'\. Did you mean 'wave_"):
        run(tmp_path, validation=["wave_9"])


def test_a_data_set_without_training_clips_is_refused(tmp_path):
    clip = waving_clip(12, "wave_1")
    with pytest.raises(UnknownNameError, match=r"unknown split 'train'\. Known: test"):
        run(tmp_path, data=MotionDataset("arms", ARM, {"test": [clip]}))


# What is recorded


def test_settings_are_recorded_as_json(uninterrupted):
    settings = checkpoint.read_config(uninterrupted)["record"]["training"]
    assert settings["dataset"] == "arms"
    assert (settings["seed"], settings["precision"], settings["processes"]) == (0, "fp32", 1)
    assert settings["config"]["channels"] == 8
    assert settings["recipe"]["batch_size"] == 4
    assert settings["epochs"] == 3
    assert json.loads(json.dumps(settings)) == settings


def test_tuples_among_the_settings_do_not_hinder_resumption(tmp_path):
    """JSON has no tuples: what comes back must still compare equal."""
    clips = [
        Clip(
            torch.randn(40, 38, 3, generator=torch.Generator().manual_seed(k)), skeletons.get("cmu"), 60.0, "", f"c{k}"
        )
        for k in range(2)
    ]
    data = MotionDataset("noise", skeletons.get("cmu"), {"train": clips})
    small = {"channels": (8, 8), "num_blocks": 1, "finest_end_blocks": 1}
    for epochs in (1, 2):
        model = registry.build("msrgcn-released", skeleton="cmu", **small)
        recipe = Recipe(epochs=epochs, batch_size=4)
        assert run(tmp_path, model=model, data=data, recipe=recipe, resume=epochs > 1).epochs == epochs
