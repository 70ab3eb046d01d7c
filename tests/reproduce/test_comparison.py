from __future__ import annotations

import statistics

import pytest

from posegraph.evaluation import published
from posegraph.reproduce import Cell, Row, tables
from posegraph.reproduce.comparison import compare, published_mean
from tests.reproduce.arms import coverage, outcome, table

FRAMES = range(25)
TABLE_3 = "MSR-GCN paper, Table 3"


def errors(scale, *actions):
    """Made-up errors that differ between actions, frames and seeds."""
    return {action: [scale * (10 * i + frame + 1) for frame in FRAMES] for i, action in enumerate(actions, start=1)}


def only(own, *actions, **options):
    """A coverage of these actions of a table; the others have no clip."""
    left_out = dict.fromkeys([action for action in own.actions if action not in actions], "no test clip")
    return coverage(*actions, **options, **left_out)


def printed(system, action, frame, source=TABLE_3):
    (value,) = published.find(dataset="cmu", system=system, action=action, frame=frame, source=source)
    return value.mm


def test_each_action_and_frame_is_compared():
    own = tables.get("3")
    (row,) = own.select(["MSR-GCN"])
    actions = ("running", "walking")
    first, second = (outcome(row, errors(scale, *actions), origin=f"seed {scale}") for scale in (1, 2))
    cells = compare(own, row, [first, second], only(own, *actions))
    assert [(cell.actions, cell.frames) for cell in cells] == [
        *(((action,), (frame,)) for action in own.actions for frame in own.frames),
        *((actions, (frame,)) for frame in own.frames),
        (actions, own.frames),
    ]
    by_place = {(cell.actions, cell.frames): cell for cell in cells}
    for i, action in enumerate(actions, start=1):
        for frame in own.frames:
            cell = by_place[(action,), (frame,)]
            base = 10 * i + frame + 1
            assert (cell.ours, cell.spread) == (1.5 * base, pytest.approx(statistics.stdev([base, 2 * base])))
            assert cell.published == printed("MSR-GCN", action, frame)
            assert cell.difference == pytest.approx(1.5 * base - printed("MSR-GCN", action, frame))
            assert (cell.source, cell.reason) == (TABLE_3, "")
    average = by_place[actions, (9,)]
    assert average.ours == 1.5 * (20 + 30) / 2
    assert average.published == pytest.approx((printed("MSR-GCN", "running", 9) + printed("MSR-GCN", "walking", 9)) / 2)
    mean = by_place[actions, own.frames]
    expected = statistics.fmean(printed("MSR-GCN", action, frame) for action in actions for frame in own.frames)
    assert (mean.published, mean.difference) == (pytest.approx(expected), pytest.approx(mean.ours - expected))
    missing = by_place[("soccer",), (1,)]
    assert (missing.ours, missing.published, missing.difference) == (None, printed("MSR-GCN", "soccer", 1), None)
    assert missing.reason == "left out: no test clip"


def test_a_table_of_means_has_one_cell_a_row():
    own = tables.get("5")
    row = own.rows[-1]
    (cell,) = compare(own, row, [outcome(row, errors(1, *own.actions))], coverage(*own.actions))
    assert (cell.row, cell.published, cell.source, cell.spread) == ("MSR-GCN", 37.28, "MSR-GCN paper, Table 5", None)
    expected = statistics.fmean(10 * i + frame + 1 for i in range(1, 9) for frame in own.frames)
    assert cell.difference == pytest.approx(expected - 37.28)


def test_means_over_fewer_actions_are_computed_from_another_source():
    own = tables.get("5")
    row = own.rows[-1]
    (cell,) = compare(own, row, [outcome(row, errors(1, "running"))], only(own, "running"))
    source = "MSR-GCN repository, datas_in_paper.md"
    expected = statistics.fmean(printed("MSR-GCN", "running", frame, source) for frame in own.frames)
    assert (cell.published, cell.source, cell.reason) == (pytest.approx(expected), source, "")


@pytest.mark.parametrize("actions", [("running", "walking"), ("walking",)])
def test_means_over_other_actions_are_not_subtracted(actions):
    own = tables.get("5")
    (row,) = own.select(["MSR-GCN w/o global residual"])
    (cell,) = compare(own, row, [outcome(row, errors(1, *actions))], only(own, *actions))
    base = statistics.fmean(10 * i for i, _ in enumerate(actions, start=1))
    assert (cell.ours, cell.published, cell.difference) == (pytest.approx(base + 9.5 + 1), 46.92, None)
    assert cell.reason == "published is the mean of 8 actions"


def test_an_action_that_lacks_a_file_is_not_subtracted():
    own = tables.get("2")
    row = own.rows[-1]
    partly = only(own, "walking", "eating", partial={"walking": "S5/walking_1.txt is missing"})
    cells = compare(own, row, [outcome(row, errors(1, "walking", "eating"))], partly)
    by_place = {(cell.actions, cell.frames): cell for cell in cells}
    assert by_place[("walking",), (24,)].published == 63.04
    assert by_place[("walking",), (24,)].difference is None
    assert by_place[("walking",), (24,)].reason == "S5/walking_1.txt is missing"
    assert by_place[("eating",), (24,)].difference is not None
    assert by_place[("walking", "eating"), (24,)].difference is None


def test_a_smoke_run_is_not_subtracted():
    own = tables.get("4")
    row = own.rows[-1]
    cells = compare(own, row, [outcome(row, errors(1, "running"))], only(own, "running"), incomparable="a smoke run")
    assert {cell.reason for cell in cells if cell.ours is not None} == {"a smoke run"}
    assert {cell.difference for cell in cells} == {None}


def test_what_is_known_of_published_numbers_comes_with_them():
    own = tables.get("4")
    (row,) = own.select(["Residual sup."])
    cells = compare(own, row, [outcome(row, errors(1, *own.actions))], coverage(*own.actions))
    assert all(cell.note.startswith("the eight rows look assigned to wrong actions") for cell in cells)


def test_rows_that_nobody_published_have_no_published_number():
    own = table(Row("mine", "traj-gcn"), sources=(TABLE_3,))
    cells = compare(own, own.rows[0], [outcome(own.rows[0], errors(1, "wave", "nod"))], coverage("wave", "nod"))
    assert {(cell.published, cell.source, cell.difference, cell.reason) for cell in cells} == {(None, "", None, "")}
    assert published_mean(own, own.rows[0], ["wave"], [1]) is None


def test_rows_without_outcome_have_published_numbers_only():
    own = tables.get("5")
    (cell,) = compare(own, own.rows[0], [], coverage(*own.actions))
    assert (cell.ours, cell.published, cell.difference) == (None, 53.05, None)


def test_the_mean_of_a_single_action_stands_there_once():
    own = table(Row("mine", "traj-gcn"), frames=(2,))
    cells = compare(own, own.rows[0], [outcome(own.rows[0], errors(1, "wave"))], coverage("wave", nod="no test clip"))
    assert [cell.actions for cell in cells] == [("wave",), ("nod",)]


@pytest.mark.parametrize(
    ("ours", "spread", "theirs", "reason", "text"),
    [
        (48.5, None, 48.03, "", "48.50 mm, published 48.03, difference +0.47"),
        (47.5, 0.256, 48.03, "", "47.50 ± 0.26 mm, published 48.03, difference -0.53"),
        (48.5, None, 48.03, "other actions", "48.50 mm, published 48.03 (other actions)"),
        (48.5, None, None, "", "48.50 mm"),
        (None, None, 48.03, "", "no result"),
    ],
)
def test_cells_are_described(ours, spread, theirs, reason, text):
    assert Cell("row", ("a",), (1,), ours, spread, theirs, reason, "", "").describe() == text
