from __future__ import annotations

import csv
import dataclasses
import io

import pytest

from posegraph import data, viz
from posegraph.errors import MissingDependencyError
from posegraph.reproduce import Reproduction, tables
from posegraph.reproduce.coverage import cover
from posegraph.reproduce.report import csv_text, markdown, write
from posegraph.reproduce.setup import Setup
from tests.reproduce.arms import outcome

DRAW = viz.error_curve  # the tests of this folder replace it
ACTIONS = ("basketball", "running", "walking")


def reproduction(number="3", labels=("Traj-GCN", "MSR-GCN"), runs=2, **changes) -> Reproduction:
    """A table on the bundled clips with made-up errors: 20, 40, 60 for the actions, one more a frame, ten a seed."""
    own = tables.get(number)
    rows = own.select(labels)
    motion = data.load("cmu", "samples")
    setup = Setup(own, motion, cover(own, motion), device="cpu", **changes)
    outcomes = tuple(
        outcome(
            row,
            {action: [20.0 * i + frame + 10 * seed for frame in range(25)] for i, action in enumerate(ACTIONS, 1)},
            origin=f"seed {seed}",
            epochs=40 + seed,
            best_epoch=30,
            seconds=1800.0,
        )
        for row in rows[:1]
        for seed in range(runs)
    )
    return Reproduction(setup, rows, outcomes, {row.label: "not trained yet" for row in rows[1:]})


def section(text, heading):
    """Lines of a section of Markdown, without empty ones."""
    lines = text.split(f"\n{heading}\n", 1)[1].splitlines()
    end = next((i for i, line in enumerate(lines) if line.startswith("#")), len(lines))
    return [line for line in lines[:end] if line]


def test_the_head_says_what_was_measured_and_how():
    text = markdown(reproduction())
    assert text.startswith("# MSR-GCN, Table 3: CMU Mocap, short-term\n\n* protocol: cmu test, windows: all, ")
    assert "frames, mpjpe_at, full joints, actions: basketball, running, walking, ms labels at 25 fps\n" in text
    assert "* data: cmu: 12 train, 3 test clips at 60 frames a second; 33 of 48 files missing\n" in text
    assert "smoke" not in text


def test_means_come_with_how_they_came_about():
    result = reproduction()
    lines = section(markdown(result), "## Means")
    cell = result.mean(result.rows[0])
    assert cell.ours == pytest.approx(40 + (1 + 3 + 7 + 9) / 4 + 5)
    assert lines == [
        "Over 3 actions and frames 1, 3, 7, 9.",
        "| row | model | ours | published | difference | runs | epochs | training | published in |",
        "| --- | --- | --: | --: | --: | --: | --: | --: | --: |",
        f"| Traj-GCN | `traj-gcn` | 50.00 ± 7.07 | {cell.published:.2f} | {50 - cell.published:+.2f} | "
        "seed 0, seed 1 | 40 to 41 of 50 | 1 h 0 min | MSR-GCN paper, Table 3 |",
        f"| MSR-GCN | `msrgcn-released` | - | {result.mean(result.rows[1]).published:.2f} | - | - | - | - | "
        "MSR-GCN paper, Table 3 |",
    ]


def test_actions_are_tables_of_their_own():
    text = markdown(reproduction())
    assert section(text, "### walking") == [
        "| row |  | frame 1 (80 ms) | frame 3 (160 ms) | frame 7 (320 ms) | frame 9 (400 ms) |",
        "| --- | --- | --: | --: | --: | --: |",
        "| Traj-GCN | ours | 66.00 ± 7.07 | 68.00 ± 7.07 | 72.00 ± 7.07 | 74.00 ± 7.07 |",
        "|  | published | 6.62 | 10.74 | 17.40 | 20.35 |",
        "|  | difference | +59.38 | +57.26 | +54.60 | +53.65 |",
        "| MSR-GCN | ours | - | - | - | - |",
        "|  | published | 6.31 | 10.30 | 17.64 | 21.12 |",
    ]
    assert section(text, "### soccer") == ["Left out: no test clip."]
    average = section(text, "### average of 3")
    assert average[2] == "| Traj-GCN | ours | 46.00 ± 7.07 | 48.00 ± 7.07 | 52.00 ± 7.07 | 54.00 ± 7.07 |"


def test_tables_of_means_have_no_tables_of_actions():
    text = markdown(reproduction("6"))
    assert "###" not in text
    assert "Over 3 actions and frames 1, 3, 7, 9, 13, 24." in text


def test_differences_and_picture_are_in_the_text():
    result = reproduction()
    text = markdown(result, picture="table3.png")
    assert "![error against the forecast frame](table3.png)" in text
    assert section(text, "## What differs from the paper") == [f"* {line}" for line in result.differences()]
    assert "![" not in markdown(result)


def test_a_smoke_run_says_so_at_the_top():
    text = markdown(reproduction(steps=3))
    assert text.splitlines()[2] == "**A smoke run: its numbers mean nothing.**"
    assert "| 3 steps |" in text


def test_the_csv_has_every_cell():
    result = reproduction()
    rows = list(csv.DictReader(io.StringIO(csv_text(result))))
    cells = [cell for row in result.rows for cell in result.cells(row)]
    assert len(rows) == len(cells) == 2 * (8 * 4 + 4 + 1)
    for line, cell in zip(rows, cells, strict=True):
        assert (line["table"], line["row"]) == ("table3", cell.row)
        assert tuple(line["actions"].split()) == cell.actions
        assert tuple(map(int, line["frames"].split())) == cell.frames
        for column, number in (
            ("ours_mm", cell.ours),
            ("spread_mm", cell.spread),
            ("published_mm", cell.published),
            ("difference_mm", cell.difference),
        ):
            assert line[column] == "" if number is None else float(line[column]) == pytest.approx(number, abs=5e-5)
        assert (line["no_difference_because"], line["source"]) == (cell.reason, cell.source)
    assert {line["runs"] for line in rows} == {"2", "0"}


def test_files_are_written_and_replaced(tmp_path, monkeypatch):
    drawn = {}

    def error_curve(curves, path, **options):
        drawn.update(curves=dict(curves), **options)
        path.write_bytes(b"picture")
        return path

    monkeypatch.setattr(viz, "error_curve", error_curve)
    result = reproduction()
    (tmp_path / "table3.md").write_text("old")
    files = write(result, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table3.csv", "table3.md", "table3.png"]
    assert set(files) == set(tmp_path.iterdir())
    assert (tmp_path / "table3.md").read_text() == markdown(result, picture="table3.png")
    assert (tmp_path / "table3.csv").read_text() == csv_text(result)
    averages = [cell for cell in result.cells(result.rows[0]) if len(cell.actions) == 3 and len(cell.frames) == 1]
    assert drawn["curves"] == {
        "Traj-GCN": pytest.approx([cell.ours for cell in averages]),
        "Traj-GCN, published": pytest.approx([cell.published for cell in averages]),
    }
    assert (drawn["frames"], drawn["fps"], drawn["label_fps"]) == ((1, 3, 7, 9), 60.0, 25.0)


def test_a_table_of_one_frame_is_drawn_at_six(tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        viz, "error_curve", lambda curves, path, **options: drawn.update(options, curves=curves) or path
    )
    write(reproduction("4"), tmp_path)
    assert drawn["frames"] == (1, 3, 7, 9, 13, 24)
    assert list(drawn["curves"]) == ["Traj-GCN", "Traj-GCN, published"]


def test_published_curves_are_of_the_same_windows(tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(viz, "error_curve", lambda curves, path, **options: drawn.update(curves=curves) or path)
    result = reproduction()
    partial = dataclasses.replace(result.setup.coverage, partial={"running": "running_2 is missing"})
    write(dataclasses.replace(result, setup=dataclasses.replace(result.setup, coverage=partial)), tmp_path)
    assert list(drawn["curves"]) == ["Traj-GCN"]


def test_a_report_without_results_or_matplotlib_has_no_picture(tmp_path, monkeypatch):
    write(reproduction(runs=0), tmp_path)
    assert not (tmp_path / "table3.png").exists()

    def missing(*arguments, **options):
        raise MissingDependencyError("pictures need matplotlib")

    monkeypatch.setattr(viz, "error_curve", missing)
    assert len(write(reproduction(), tmp_path)) == 2
    assert "![" not in (tmp_path / "table3.md").read_text()


def test_the_picture_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(viz, "error_curve", DRAW)
    *_, picture = write(reproduction(), tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
