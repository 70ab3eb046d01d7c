from __future__ import annotations

import csv
import dataclasses
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest

from posegraph import checkpoint, evaluation, registry
from posegraph.errors import CheckpointError, ConfigError, DataError, UnknownNameError
from posegraph.reproduce import Options, Row, reproduce, runs, tables
from posegraph.reproduce.runner import _share
from posegraph.training import run as training_run
from posegraph.training.steps import PlainStep
from tests.data.motion import ARM
from tests.reproduce.arms import MSR, RECIPE, SMALL, STILL, TRAJ, arms, naive_errors, outcome, table
from tests.training.runs import FUTURE, OBSERVED


def quiet(own, folder, *, dataset=None, **options):
    options = {"device": "cpu", "report": lambda line: None, **options}
    return reproduce(own, dataset or arms(), folder, Options(**options))


def numbers(folder, name="arms"):
    """The errors of a report: (row, actions, frames) to mean and deviation."""
    with (folder / f"{name}.csv").open(newline="") as file:
        return {
            (line["row"], line["actions"], line["frames"]): (line["ours_mm"], line["spread_mm"])
            for line in csv.DictReader(file)
        }


def count_steps(patch, stop_at=None, stop=None):
    """Count training steps, and do something before one of them."""
    counted, step = [0], PlainStep._update

    def counting(*arguments):
        counted[0] += 1
        if counted[0] == stop_at:
            stop()
        return step(*arguments)

    patch.setattr(PlainStep, "_update", counting)
    return counted


def test_a_table_is_trained_scored_and_reported(tmp_path):
    own, dataset = table(TRAJ, STILL, MSR), arms()
    result = quiet(own, tmp_path, dataset=dataset, seeds=2)
    assert [(o.row.label, o.origin) for o in result.outcomes] == [
        ("zero velocity", "no training"),
        ("small Traj-GCN", "seed 0"),
        ("small MSR-GCN", "seed 0"),
        ("small Traj-GCN", "seed 1"),
        ("small MSR-GCN", "seed 1"),
    ]
    assert result.pending == {}
    reported = numbers(tmp_path)
    models = {
        "small Traj-GCN": [checkpoint.load(tmp_path / "small-traj-gcn" / f"seed-{seed}") for seed in (0, 1)],
        "small MSR-GCN": [checkpoint.load(tmp_path / "small-msr-gcn" / f"seed-{seed}") for seed in (0, 1)],
        "zero velocity": [
            registry.build("zero-velocity", skeleton=ARM, observed_frames=OBSERVED, future_frames=FUTURE)
        ],
    }
    for label, seeds in models.items():
        errors = np.array([[naive_errors(m.eval(), dataset, a) for a in own.actions] for m in seeds])
        means = {
            **{(a, str(f)): errors[:, i, f] for i, a in enumerate(own.actions) for f in own.frames},
            **{("wave nod", str(f)): errors[:, :, f].mean(1) for f in own.frames},
            ("wave nod", "0 2"): errors[:, :, [0, 2]].mean((1, 2)),
        }
        for (actions, frames), by_seed in means.items():
            ours, spread = reported[label, actions, frames]
            assert float(ours) == pytest.approx(by_seed.mean(), rel=1e-4)
            if len(seeds) == 1:
                assert spread == ""
            else:
                assert float(spread) == pytest.approx(by_seed.std(ddof=1), rel=1e-3, abs=1e-3)
    assert {path.name for path in tmp_path.iterdir()} == {
        "arms.md",
        "arms.csv",
        "arms.png",
        "small-traj-gcn",
        "small-msr-gcn",
    }


def test_the_report_grows_row_by_row(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr("posegraph.reproduce.report.write", lambda result, folder: done.append(dict(result.pending)))
    lines = []
    reproduce(table(), arms(), tmp_path, Options(device="cpu", report=lines.append))
    wait = "not trained yet"
    assert done == [{TRAJ.label: wait, MSR.label: wait}, {MSR.label: wait}, {}, {}]
    assert [line for line in lines if line.startswith("[")] == [
        "[1/2] small Traj-GCN, seed 0: training",
        "[2/2] small MSR-GCN, seed 0: training",
    ]
    assert len([line for line in lines if line.startswith("  epoch")]) == 4


def test_what_is_done_is_not_done_again(tmp_path, monkeypatch):
    first = quiet(table(), tmp_path)
    text = (tmp_path / "arms.csv").read_text()
    steps = count_steps(monkeypatch)
    monkeypatch.setattr(evaluation, "evaluate", None)
    lines = []
    again = reproduce(table(), arms(), tmp_path, Options(device="cpu", report=lines.append))
    assert again.outcomes == first.outcomes
    assert steps == [0]
    assert (tmp_path / "arms.csv").read_text() == text
    assert lines == [f"[{i}/2] {label}, seed 0: trained already" for i, label in ((1, TRAJ.label), (2, MSR.label))]


def test_a_killed_table_goes_on_where_it_was(tmp_path, monkeypatch):
    class KilledError(Exception):
        pass

    def kill():
        raise KilledError

    with monkeypatch.context() as patch:
        whole_steps = count_steps(patch)
        whole = quiet(table(), tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(training_run, "_SAVE_SECONDS", 0.0)
        count_steps(patch, stop_at=whole_steps[0] - 1, stop=kill)  # in the middle of the second row's last epoch
        with pytest.raises(KilledError):
            quiet(table(), tmp_path / "parts")
    assert (tmp_path / "parts" / "arms.md").is_file()
    steps = count_steps(monkeypatch)
    parts = quiet(table(), tmp_path / "parts")
    assert steps == [2]
    assert [o.errors for o in parts.outcomes] == [o.errors for o in whole.outcomes]
    assert numbers(tmp_path / "parts") == numbers(tmp_path / "whole")


def test_an_interruption_keeps_what_was_trained(tmp_path, monkeypatch):
    lines = []
    with monkeypatch.context() as patch:
        count_steps(patch, stop_at=1, stop=lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            reproduce(table(), arms(), tmp_path, Options(device="cpu", report=lines.append))
    assert lines[-1] == "[1/2] small Traj-GCN, seed 0: interrupted; the same command goes on from here"
    parts = quiet(table(), tmp_path)
    assert numbers(tmp_path) == numbers_of_a_whole_run(tmp_path / "whole")
    assert parts.pending == {}


def numbers_of_a_whole_run(folder):
    quiet(table(), folder)
    return numbers(folder)


def test_other_rows_may_follow(tmp_path, monkeypatch):
    quiet(table(), tmp_path, rows=[MSR.label])
    assert {row for row, *_ in numbers(tmp_path)} == {MSR.label}
    monkeypatch.setattr(runs.TrainingRun, "train", None)  # the row is there already
    again = quiet(table(MSR, STILL), tmp_path)
    assert {row for row, *_ in numbers(tmp_path)} == {MSR.label, STILL.label}
    assert len(again.outcomes) == 2


@pytest.fixture
def pretended(monkeypatch):
    """Runs that need a time each, without training: (name, limit) of every one, and the time that they need."""
    calls, needed = [], {}

    def train(self, time_limit, report):
        calls.append((self.name, time_limit))
        enough = needed.get(self.name, 1e9)
        seconds = enough if time_limit is None else min(self.seconds + max(time_limit, 0.0), enough)
        self._trained = {"epochs": 2 * (seconds == enough), "best_epoch": 1, "seconds": seconds}
        self._write()
        return True

    def score(self):
        return outcome(self.row, {"wave": [1.0] * 3, "nod": [2.0] * 3}, origin=f"seed {self.seed}", epochs=0)

    monkeypatch.setattr(runs.TrainingRun, "train", train)
    monkeypatch.setattr(runs.TrainingRun, "score", score)
    return calls, needed


def test_a_budget_is_shared_equally(tmp_path, pretended):
    calls, _ = pretended
    quiet(table(), tmp_path, budget=80.0, seeds=2)
    names = ["small Traj-GCN, seed 0", "small MSR-GCN, seed 0", "small Traj-GCN, seed 1", "small MSR-GCN, seed 1"]
    assert calls == [(name, 20.0) for name in names]


def test_time_that_a_row_leaves_goes_to_those_after_it(tmp_path, pretended):
    calls, needed = pretended
    needed["small Traj-GCN, seed 0"] = 5.0
    quiet(table(), tmp_path, budget=80.0, seeds=2)
    assert [limit for _, limit in calls] == [20.0, 25.0, 25.0, 25.0]


def test_a_larger_budget_goes_to_rows_that_are_not_done(tmp_path, pretended):
    calls, needed = pretended
    needed["small Traj-GCN, seed 0"] = 5.0
    quiet(table(), tmp_path, budget=20.0)
    assert calls == [("small Traj-GCN, seed 0", 10.0), ("small MSR-GCN, seed 0", 15.0)]
    calls.clear()
    quiet(table(), tmp_path, budget=20.0)
    assert calls == []
    quiet(table(), tmp_path, budget=60.0)
    assert calls == [("small MSR-GCN, seed 0", 40.0)]
    calls.clear()
    quiet(table(), tmp_path)
    assert calls == [("small MSR-GCN, seed 0", None)]


def test_every_row_gets_a_step_at_least(tmp_path, monkeypatch):
    steps = count_steps(monkeypatch)
    lines = []
    result = reproduce(table(), arms(), tmp_path, Options(budget=1e-6, device="cpu", report=lines.append))
    assert steps == [2]
    assert [o.epochs for o in result.outcomes] == [0, 0]
    assert "[1/2] small Traj-GCN, seed 0: training, at most 0 s" in lines
    assert "small MSR-GCN: 0 complete epochs of the recipe's 2, for want of time." in result.differences()
    longer = quiet(table(), tmp_path, budget=600.0)
    assert [o.epochs for o in longer.outcomes] == [2, 2]


def save(folder, name="traj-gcn", **settings):
    model = registry.build(name, skeleton=ARM, observed_frames=OBSERVED, future_frames=FUTURE, **{**SMALL, **settings})
    return checkpoint.save_checkpoint(model, folder)


def test_checkpoints_are_scored_in_place_of_training(tmp_path):
    folders = [save(tmp_path / name) for name in "ab"]
    result = quiet(table(), tmp_path / "out", checkpoints={TRAJ.label: folders})
    assert [o.origin for o in result.outcomes] == [str(folder) for folder in folders]
    assert result.pending == {MSR.label: "no checkpoint is given for it, and no budget to train it"}
    reported = numbers(tmp_path / "out")
    errors = np.array([naive_errors(checkpoint.load(folder), arms(), "nod")[2] for folder in folders])
    ours, spread = map(float, reported[TRAJ.label, "nod", "2"])
    assert (ours, spread) == (pytest.approx(errors.mean(), abs=1e-3), pytest.approx(errors.std(ddof=1), abs=1e-3))
    assert reported[MSR.label, "nod", "2"] == ("", "")
    text = (tmp_path / "out" / "arms.md").read_text()
    assert "small MSR-GCN has no result: no checkpoint is given for it, and no budget to train it." in text


def test_checkpoints_and_a_budget_go_together(tmp_path):
    result = quiet(table(), tmp_path / "out", checkpoints={TRAJ.label: [save(tmp_path / "a")]}, budget=60.0)
    assert [(o.row.label, o.origin) for o in result.outcomes] == [
        (TRAJ.label, str(tmp_path / "a")),
        (MSR.label, "seed 0"),
    ]


def test_wrong_checkpoints_are_found_before_anything_is_scored(tmp_path, monkeypatch):
    monkeypatch.setattr("posegraph.reproduce.runner.score", None)
    right, wrong = save(tmp_path / "right"), save(tmp_path / "wrong", "msrgcn-2l")
    with pytest.raises(ConfigError, match=r"row 'small MSR-GCN': expected a model 'msrgcn-1l', got 'msrgcn-2l'"):
        quiet(table(), tmp_path / "out", checkpoints={TRAJ.label: [right], MSR.label: [wrong]})
    with pytest.raises(CheckpointError, match=r"nowhere: expected a trained model"):
        quiet(table(), tmp_path / "out", checkpoints={TRAJ.label: [tmp_path / "nowhere"]})


def test_missing_actions_are_left_out(tmp_path):
    result = quiet(table(STILL), tmp_path, dataset=arms(test=("nod_1",)))
    mean = result.mean(STILL)
    assert (mean.actions, mean.frames) == (("nod",), (0, 2))
    text = (tmp_path / "arms.md").read_text()
    assert "### wave\n\nLeft out: no test clip.\n" in text
    assert "* Left out, no test clip: wave." in text


def test_a_smoke_run_takes_a_few_steps(tmp_path, monkeypatch):
    steps = count_steps(monkeypatch)
    result = quiet(table(), tmp_path, smoke=True)
    assert steps == [2 * 3]
    assert result.setup.table.windows == "8"
    assert "**A smoke run: its numbers mean nothing.**" in (tmp_path / "arms.md").read_text()


def test_a_smoke_run_may_be_on_another_data_set(tmp_path):
    own = dataclasses.replace(
        tables.get("1"), rows=(TRAJ,), observed_frames=OBSERVED, future_frames=FUTURE, frames=(0, 2)
    )
    result = quiet(own, tmp_path, smoke=True)
    assert result.setup.table.dataset == "arms"
    assert result.setup.coverage.actions == ("wave", "nod")
    assert {cell.published for cell in result.cells(TRAJ)} == {None}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rows": ["small GCN"]}, UnknownNameError, r"unknown row of arms 'small GCN'\. Did you mean 'small "),
        ({"seeds": 0}, ConfigError, r"seeds: expected an integer of at least 1, got 0\."),
        ({"budget": 0.0}, ConfigError, r"budget: expected a time above zero in seconds, got 0\.0\."),
        (
            {"checkpoints": {"small MSR": ["x"]}},
            UnknownNameError,
            r"unknown row of arms to score a checkpoint for 'small MSR'\. Did you mean 'small MSR-GCN'",
        ),
        (
            {"checkpoints": {MSR.label: ["x"]}, "rows": [TRAJ.label]},
            UnknownNameError,
            r"unknown row of arms to score a checkpoint for 'small MSR-GCN'\. .*Known: small Traj-GCN\.",
        ),
        ({"own": table(dataset="cmu")}, ConfigError, r"arms: expected the data set 'cmu', got 'arms'\. Load the one "),
        ({"own": "table33"}, UnknownNameError, r"unknown table 'table33'"),
        ({"own": table(Row("mine", "trajgcn"))}, UnknownNameError, r"unknown model 'trajgcn'"),
        (
            {"own": table(TRAJ, Row("b", "traj-gcn", {"channels": 0}))},
            ConfigError,
            r"channels: expected an integer of ",
        ),
        (
            {"own": table(Row("b", "traj-gcn", SMALL, recipe={"epochs": 0}))},
            ConfigError,
            r"epochs: expected an integer",
        ),
        ({"dataset": arms(test=())}, DataError, r"expected test clips of at least one action of arms, got none"),
    ],
)
def test_what_cannot_be_reproduced_is_refused_before_training(tmp_path, monkeypatch, options, error, message):
    monkeypatch.setattr("posegraph.training.train", None)
    with pytest.raises(error, match=message):
        quiet(options.pop("own", table()), tmp_path / "out", **options)


def test_a_row_of_other_settings_is_refused_before_training(tmp_path, monkeypatch):
    quiet(table(), tmp_path)
    monkeypatch.setattr("posegraph.training.train", None)
    other = dataclasses.replace(MSR, recipe={**RECIPE, "learning_rate": 0.1})
    with pytest.raises(
        ConfigError, match=r"small-msr-gcn.seed-0: the row there was trained with another recipe\.learn"
    ):
        quiet(table(TRAJ, other), tmp_path)


def test_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"reproduce: expected a single process, got one of several that torchrun"):
        quiet(table(), tmp_path)


def test_tables_of_the_same_rows_share_a_folder(tmp_path, monkeypatch):
    quiet(table(), tmp_path)
    monkeypatch.setattr("posegraph.training.train", None)
    monkeypatch.setattr(evaluation, "evaluate", None)
    result = quiet(table(name="long", actions=("nod",), frames=(1, 2)), tmp_path)
    assert result.mean(TRAJ).ours is not None
    assert {path.stem for path in tmp_path.iterdir() if path.suffix == ".md"} == {"arms", "long"}


@pytest.mark.parametrize(
    ("budget", "runs", "share"),
    [
        (90, [(0, False), (0, False), (0, False)], 30),
        (90, [(0, False), (10, True), (0, False)], 40),  # a complete run leaves the rest of its share
        (78, [(0, False), (33, False), (33, False)], 12),  # what others have trained too long is gone
        (60, [(0, False), (33, False), (33, False)], 0),
        (60, [(70, False)], 60),
        (60, [(10, True)], 50),
    ],
)
def test_shares_are_equal_among_those_that_have_not_had_theirs(budget, runs, share):
    known = [SimpleNamespace(seconds=seconds, complete=complete) for seconds, complete in runs]
    assert _share(budget, known) == share
