from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest

from posegraph import checkpoint, registry
from posegraph.reproduce import tables
from posegraph.training.steps import PlainStep

NARROW = {
    "traj-gcn": {"channels": 8, "num_blocks": 1},
    "msrgcn-released": {"channels": (8, 8, 8, 8), "num_blocks": 1, "finest_end_blocks": 1},
    "residual-sup": {"channels": 8},
}


def narrow(row):
    """The row with the smallest network that still has its scales."""
    settings = dict(NARROW.get(row.model, {}))
    if "channels" in row.settings:
        settings["channels"] = (8,) * len(row.settings["channels"])
    return dataclasses.replace(row, settings={**row.settings, **settings})


@pytest.fixture
def narrow_tables(monkeypatch):
    """The tables of the paper, with networks for which a step takes no time."""
    small = {
        name: dataclasses.replace(own, rows=tuple(narrow(row) for row in own.rows))
        for name, own in tables._TABLES.items()
    }
    monkeypatch.setattr(tables, "_TABLES", small)


def errors(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("number", "labels"), [("1", ["Residual sup.", "Traj-GCN"]), ("7", ["MSR-GCN", "MSR-GCN-1L", "MSR-FCL"])]
)
def test_a_smoke_run_needs_no_data(command, narrow_tables, number, labels):
    answer = command("reproduce", number, "--smoke", "--device", "cpu", "--rows", *labels)
    assert answer.status == 0, answer.err
    own = tables.get(number)
    folder = Path("runs") / f"table{number}-smoke"
    text = (folder / f"table{number}.md").read_text()
    assert text.startswith(f"# {own.title}\n\n**A smoke run: its numbers mean nothing.**\n")
    assert (folder / f"table{number}.png").is_file()
    lines = errors(folder / f"table{number}.csv")
    measured = {line["row"] for line in lines if line["ours_mm"]}
    assert measured == set(labels)
    assert {line["difference_mm"] for line in lines} == {""}
    for row in own.select(labels):
        assert (folder / row.folder / "seed-0" / "best" / "model.safetensors").is_file()
    assert answer.out.endswith(f"\nreport: {folder}/table{number}.md\n")


TABLE_4 = ("reproduce", "table4", "--data", "samples", "--rows", "Traj-GCN", "--device", "cpu")


def test_a_budget_and_seeds_reach_the_runs(command, narrow_tables):
    answer = command(*TABLE_4, "--budget", "0.2s", "--seeds", "2", "--actions", "running", "--out", "mine")
    assert answer.status == 0, answer.err
    first, second = (line for line in answer.out.splitlines() if line.startswith("["))
    assert first == "[1/2] Traj-GCN, seed 0: training, at most 0 s"
    assert second.startswith("[2/2] Traj-GCN, seed 1: training, at most ")
    (running,) = [line for line in errors("mine/table4.csv") if line["actions"] == "running"]
    assert (running["runs"], running["published_mm"], running["source"]) == ("2", "51.7300", "MSR-GCN paper, Table 4")
    assert float(running["difference_mm"]) == pytest.approx(float(running["ours_mm"]) - 51.73, abs=1e-3)
    assert float(running["spread_mm"]) > 0
    ours = (
        f"Traj-GCN: {float(running['ours_mm']):.2f} ± {float(running['spread_mm']):.2f} mm, published 51.73, difference"
    )
    assert ours in answer.out
    again = command(*TABLE_4, "--budget", "0.2s", "--seeds", "2", "--actions", "running", "--out", "mine")
    assert "[1/2] Traj-GCN, seed 0: trained already" in again.out


def test_an_interruption_has_its_status(command, narrow_tables, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(PlainStep, "_update", interrupted)
    answer = command(*TABLE_4)
    assert (answer.status, answer.err) == (130, "posegraph: interrupted\n")


@pytest.fixture(scope="module")
def traj_gcn(tmp_path_factory):
    """A checkpoint of an untrained Traj-GCN for CMU."""
    model = registry.build("traj-gcn", skeleton="cmu", channels=8, num_blocks=1)
    return checkpoint.save_checkpoint(model, tmp_path_factory.mktemp("checkpoint") / "a=b")


def test_checkpoints_are_scored(command, traj_gcn):
    answer = command("reproduce", "5", "--data", "samples", "--checkpoints", f"Traj-GCN={traj_gcn}", "--device", "cpu")
    assert answer.status == 0, answer.err
    lines = {line["row"]: line for line in errors("runs/table5/table5.csv")}
    own = lines["Traj-GCN"]
    assert (own["actions"], own["runs"]) == ("basketball running walking", "1")
    assert own["source"] == "MSR-GCN repository, datas_in_paper.md"
    assert [row for row, line in lines.items() if line["ours_mm"]] == ["Traj-GCN"]
    text = Path("runs/table5/table5.md").read_text()
    assert f"Traj-GCN: the checkpoint {traj_gcn} has channels 8 in place of 256, num_blocks 1 in place of 12." in text
    assert "MSR-GCN has no result: no checkpoint is given for it, and no budget to train it." in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tabel-3", "--smoke"), "unknown table 'tabel-3'. Did you mean 'table3'"),
        (("table3",), "--data: expected the folder of the data set 'cmu', got none. Pass --data DIR, or --smoke for"),
        (
            ("table3", "--smoke", "--data", "samples"),
            "--smoke: expected no --data, --budget, --checkpoints or --actions",
        ),
        (
            ("table3", "--smoke", "--budget", "30s"),
            "--smoke: expected no --data, --budget, --checkpoints or --actions",
        ),
        (("table3", "--data", "nowhere"), "nowhere: expected files of the cmu benchmark"),
        (
            ("table3", "--data", "samples", "--budget", "90 minutes"),
            "budget: expected a time above zero such as 30s, 90m or 6h, got '90 minutes'.",
        ),
        (
            ("table3", "--data", "samples", "--rows", "MSRGCN"),
            "unknown row of table3 'MSRGCN'. Did you mean 'MSR-GCN'? Known: Residual sup., DMGNN, Traj-GCN, MSR-GCN.",
        ),
        (("table3", "--data", "samples", "--actions", "runing"), "unknown action 'runing'. Did you mean 'running'"),
        (
            ("table3", "--data", "samples", "--checkpoints", "runs/x"),
            "--checkpoints: expected ROW=FOLDER, got 'runs/x', as in Traj-GCN=runs/traj-gcn.",
        ),
    ],
)
def test_errors_are_one_line_and_leave_nothing(command, tmp_path, arguments, message):
    answer = command("reproduce", *arguments)
    assert answer.status == 2
    assert answer.err.startswith(f"posegraph: error: {message}")
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_skeleton_is_refused(command, tmp_path):
    model = registry.build("traj-gcn", skeleton="h36m", channels=8, num_blocks=1)
    folder = checkpoint.save_checkpoint(model, tmp_path / "human")
    answer = command("reproduce", "3", "--data", "samples", "--checkpoints", f"Traj-GCN={folder}")
    assert answer.status == 2
    assert "expected a model of 'cmu' (38 joints, 25 used) as in data set 'cmu', got one of 'h36m'" in answer.err
