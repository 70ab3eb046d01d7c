from __future__ import annotations

import dataclasses

import pytest

from posegraph import data
from posegraph.reproduce import Reproduction, Row, tables
from posegraph.reproduce.coverage import cover
from posegraph.reproduce.reproduction import in_range
from posegraph.reproduce.setup import Setup
from tests.reproduce.arms import STILL, TRAJ, arms, outcome, table
from tests.training.runs import waving_clip

ERRORS = {"wave": (1.0, 2.0, 3.0), "nod": (4.0, 5.0, 6.0)}


def reproduction(*outcomes, own=None, dataset=None, pending=None, **changes) -> Reproduction:
    dataset, own = dataset or arms(), own or table(TRAJ, STILL)
    setup = Setup(own, dataset, cover(own, dataset), device="cpu", **changes)
    return Reproduction(setup, own.rows, outcomes, pending or {})


def test_a_full_reproduction_differs_in_nothing():
    complete = outcome(STILL, ERRORS)
    assert reproduction(complete).differences() == []


def test_outcomes_belong_to_their_rows():
    first, second = outcome(TRAJ, ERRORS), outcome(TRAJ, ERRORS, origin="seed 1")
    result = reproduction(first, outcome(STILL, ERRORS), second)
    assert result.of(TRAJ) == [first, second]
    assert result.mean(TRAJ).spread == 0.0


def test_the_mean_is_over_what_was_measured():
    result = reproduction(outcome(STILL, {"wave": (1.0, 2.0, 3.0)}), dataset=arms(test=("wave_1",)), own=table(STILL))
    assert result.mean(STILL).ours == 2.0
    one_frame = table(STILL, frames=(2,))  # its only action's cell is the mean
    result = reproduction(outcome(STILL, {"wave": (1.0, 2.0, 3.0)}), dataset=arms(test=("wave_1",)), own=one_frame)
    assert (result.mean(STILL).ours, result.mean(STILL).actions) == (3.0, ("wave",))


def test_fewer_epochs_are_said():
    facts = {"epochs": 1, "best_epoch": 1, "seconds": 2.0}
    result = reproduction(outcome(TRAJ, ERRORS, **facts), outcome(STILL, ERRORS))
    assert "small Traj-GCN: 1 complete epochs of the recipe's 2, for want of time." in result.differences()
    result = reproduction(outcome(TRAJ, ERRORS, **facts | {"epochs": 2}))
    assert not [text for text in result.differences() if "for want of time" in text]


def test_the_choice_of_the_epoch_is_said():
    trained = outcome(TRAJ, ERRORS, epochs=2, best_epoch=2)
    (held_out,) = reproduction(trained).differences()
    assert held_out == "The epoch is chosen by training clips that are held out: wave_3."
    motion = arms()
    with_split = dataclasses.replace(motion, clips={**motion.clips, "val": [waving_clip(12, "wave_9")]})
    (split,) = reproduction(trained, dataset=with_split).differences()
    assert split == "The epoch is chosen by the clips of the split 'val': wave_9."


def test_checkpoints_are_said():
    given = outcome(
        TRAJ,
        ERRORS,
        origin="runs/x",
        best_epoch=7,
        selection="last epoch",
        differences=("channels 9 in place of 8", "dropout 0.1 in place of 0.5"),
    )
    assert reproduction(given).differences() == [
        "small Traj-GCN: the checkpoint runs/x has channels 9 in place of 8, dropout 0.1 in place of 0.5.",
        "small Traj-GCN: epoch 7 of the checkpoint runs/x, chosen by last epoch.",
    ]


def test_missing_data_are_said():
    motion = data.load("cmu", "samples", actions=["basketball", "jumping", "running"])
    own = tables.get("3")
    texts = reproduction(own=own, dataset=motion).differences()
    assert "8 training or validation files are missing: train/basketball/basketball_1.txt, " in texts[0]
    assert texts[0].endswith(", and 2 more.")
    assert texts[1:5] == [
        "Only these actions were chosen, for training and testing: basketball, jumping, running.",
        "No training clip of jumping.",
        "Left out, not among the actions that were chosen: basketball_signal, directing_traffic, soccer, walking, "
        "washwindow.",
        "Left out, no test clip: jumping.",
    ]
    assert texts[5].startswith("Averages here are over 2 of 8 actions")


def test_an_action_that_lacks_a_file_is_said():
    found = cover(table(), arms())
    setup = Setup(table(), arms(), dataclasses.replace(found, partial={"wave": "S5/wave_2.txt is missing"}))
    result = Reproduction(setup, setup.table.rows, (), {})
    assert result.differences() == ["wave compares with nothing published: S5/wave_2.txt is missing."]


def test_notes_and_runs_of_published_rows_are_said():
    own = dataclasses.replace(tables.get("4"), rows=tables.get("4").select(["Residual sup.", "MSR-GCN"]))
    motion = data.load("cmu", "samples")
    texts = reproduction(own=own, dataset=motion, pending={"MSR-GCN": "not trained yet"}).differences()
    assert (
        "MSR-GCN: the table has a single run; 5 runs gave 37.52 ± 0.48 mm over 8 actions and frames 1, 3, 7, 9, 13, 24 "
        "(MSR-GCN supplement, Table 2)."
    ) in texts
    assert set(own.notes) < set(texts)
    assert {f"{row.label}: {note}" for row in own.rows for note in row.notes} < set(texts)
    assert "MSR-GCN has no result: not trained yet." in texts
    published_note = [
        text for text in texts if text.startswith("Residual sup., published numbers: the eight rows look")
    ]
    assert len(published_note) == 1


def test_the_reason_for_a_missing_difference_is_said():
    own = dataclasses.replace(tables.get("5"), rows=tables.get("5").rows[1:3])
    errors = dict.fromkeys(("basketball", "running", "walking"), [1.0] * 25)
    outcomes = [outcome(row, errors) for row in own.rows]
    texts = reproduction(*outcomes, own=own, dataset=data.load("cmu", "samples")).differences()
    reasons = [text for text in texts if "no difference" in text]
    assert reasons == ["Traj-GCN w/o global residual: no difference of the means: published is the mean of 8 actions."]


def test_a_smoke_run_is_said():
    result = reproduction(outcome(TRAJ, ERRORS, epochs=0, best_epoch=1), steps=3)
    first, *others = result.differences()
    assert first == (
        "This is a smoke run: 3 training steps a row, on the data set 'arms', with the window rule 'all'. It shows "
        "that everything works; its numbers mean nothing."
    )
    assert not [text for text in others if "for want of time" in text]
    assert {cell.reason for cell in result.cells(TRAJ)} == {"a smoke run"}


def test_rows_compare_with_the_system_that_they_name():
    row = Row("mine", "zero-velocity", system="Traj-GCN", notes=("It is another.",))
    own = dataclasses.replace(tables.get("3"), rows=(row,), notes=())
    texts = reproduction(own=own, dataset=data.load("cmu", "samples")).differences()
    assert texts[-2].startswith("mine: the table has a single run; 5 runs gave 40.56 ± 0.51 mm")
    assert texts[-1] == "mine: It is another."


@pytest.mark.parametrize(("numbers", "text"), [([3], "3"), ([3, 3], "3"), ([5, 3, 4], "3 to 5")])
def test_ranges(numbers, text):
    assert in_range(numbers) == text
