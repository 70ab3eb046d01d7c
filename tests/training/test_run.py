from __future__ import annotations

import csv
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from posegraph import checkpoint, registry
from posegraph.data import Clip, MotionDataset
from posegraph.errors import CheckpointError, ConfigError
from posegraph.recipe import Recipe
from posegraph.skeleton import presets
from posegraph.training import log
from posegraph.training import run as training_run
from posegraph.training.steps import PlainStep
from tests.data.motion import ARM
from tests.training.runs import (
    FUTURE,
    OBSERVED,
    RECIPE,
    STEPS,
    assert_same_run,
    fake_errors,
    identical,
    read_log,
    run,
    small_model,
    state,
    weights,
)


def test_a_seed_decides_every_bit(uninterrupted, tmp_path):
    run(tmp_path / "again")
    assert_same_run(tmp_path / "again", uninterrupted)


def test_the_seed_of_a_run_orders_windows_and_drops_units(uninterrupted, tmp_path):
    run(tmp_path, seed=1)
    assert not identical(weights(tmp_path), weights(uninterrupted))


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
        run(tmp_path, recipe=RECIPE.replace(epochs=1))
        patch.setattr(training_run, "store", down)
        with pytest.raises(RuntimeError, match="went down"):
            run(tmp_path, resume=True)
    assert [row["epoch"] for row in read_log(tmp_path)] == ["1", "2"]
    run(tmp_path, resume=True)
    assert_same_run(tmp_path, uninterrupted)


def test_a_finished_run_can_go_on_for_longer(uninterrupted, tmp_path):
    first = run(tmp_path, recipe=RECIPE.replace(epochs=2))
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


@pytest.mark.parametrize(
    "changes", [{"optimizer": "sgd"}, {"sampling": "clips", "steps_per_epoch": STEPS}, {"reverse": 0.5}]
)
def test_an_interrupted_run_of_any_recipe_continues(tmp_path, each_step, changes):
    recipe = RECIPE.replace(**changes)
    run(tmp_path / "whole", recipe=recipe)
    each_step(lambda step, *_: os.kill(os.getpid(), signal.SIGINT) if step == STEPS + 2 else None)
    assert not run(tmp_path / "parts", recipe=recipe).finished
    assert run(tmp_path / "parts", recipe=recipe, resume=True).finished
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


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


def test_a_time_limit_covers_validation(tmp_path, each_step, monkeypatch):
    """Steps of a second, validation of four: a limit of 26 s leaves four steps of the third epoch, not five."""
    now = [0.0]
    monkeypatch.setattr(training_run, "time", SimpleNamespace(monotonic=lambda: now[0]))
    fake_errors(monkeypatch, 12.0, 9.0, 10.0)
    each_step(lambda *_: now.__setitem__(0, now[0] + 1))
    result = run(tmp_path, time_limit=26, report=lambda _: now.__setitem__(0, now[0] + 4))
    assert (result.finished, result.epochs, now[0]) == (True, 2, 26.0)


def test_a_run_leaves_four_things(uninterrupted):
    assert sorted(path.name for path in uninterrupted.iterdir()) == [
        "best",
        "log.csv",
        "tensorboard",
        "training.safetensors",
    ]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(folder / "tensorboard")).Reload()
    return {tag: [(e.step, e.value) for e in board.Scalars(tag)] for tag in board.Tags()["scalars"]}


def test_tensorboard_has_the_numbers_of_the_csv_file(tmp_path):
    run(tmp_path, recipe=RECIPE.replace(epochs=2))
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


def test_a_folder_with_a_run_is_not_overwritten(uninterrupted):
    before = state(uninterrupted)
    with pytest.raises(CheckpointError, match=r"expected a folder without a training run, found one\. Choose another"):
        run(uninterrupted)
    assert identical(state(uninterrupted), before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 5}, "another seed: 0 in place of 5"),
        ({"recipe": RECIPE.replace(batch_size=8)}, "another recipe: .*'batch_size': 4.* in place of"),
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
        Clip(torch.randn(40, 38, 3, generator=torch.Generator().manual_seed(k)), presets.get("cmu"), 60.0, "", f"c{k}")
        for k in range(2)
    ]
    data = MotionDataset("noise", presets.get("cmu"), {"train": clips})
    small = {"channels": (8, 8), "num_blocks": 1, "finest_end_blocks": 1}
    for epochs in (1, 2):
        model = registry.build("msrgcn-released", skeleton="cmu", **small)
        recipe = Recipe.of(epochs=epochs, batch_size=4)
        assert run(tmp_path, model=model, data=data, recipe=recipe, resume=epochs > 1).epochs == epochs
