"""The page of accuracy: every number from a file, seeds averaged, published ones beside."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.report import accuracy, zoo
from posegraph.evaluation import published
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import ActionResult, Result

COMMAND = "posegraph train traj-gcn --dataset cmu --data DIR --out RUN"
SYSTEM = ("MSR-GCN", "MSR-GCN repository, README.md")


def result(*means: float) -> Result:
    """Errors that grow with the frame, their mean in each action as given."""
    actions = {
        action: ActionResult(5, tuple(mean + step for step in (-5, -3, -1, 1, 3, 5)))
        for action, mean in zip(accuracy.ACTIONS, means, strict=True)
    }
    return Result(Protocol("cmu", actions=accuracy.ACTIONS), actions)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    seeds = [
        {"seed": seed, "epoch": 7 + seed, "validation": 30.0 + seed, "result": own.to_json()}
        for seed, own in enumerate([result(20, 30, 40, 50, 60), result(22, 30, 40, 50, 68)])
    ]
    content = {
        "label": "`traj-gcn`",
        "commands": [COMMAND],
        "training": "for a while",
        "epochs": {"done": 9, "planned": 9},
    }
    content["seeds"] = seeds
    (folder / "traj-gcn.json").write_text(json.dumps(content))
    rows = [
        {"name": "base", "model": "graph-mixer", "num_parameters": 1234, "errors": [30.0, 32.0], "ensemble": 29.5},
        {"name": "worse", "model": "graph-mixer", "num_parameters": 1234, "errors": [33.0], "ensemble": None},
    ]
    search = {"command": "python -m x", "device": "Some GPU", "date": "2026-01-01", "validation": ["a", "b"]}
    (folder / accuracy.RECIPES).write_text(json.dumps({**search, "rows": rows}))
    return folder


def cells(text: str, label: str) -> list[str]:
    """The first line that begins with a label."""
    line = next(line for line in map(str.strip, text.splitlines()) if line.startswith(f"| {label} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_has_the_numbers_of_the_files(results, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "none")
    page = tmp_path / "accuracy.md"
    accuracy.main(["--results", str(results), "--out", str(page)])
    text = page.read_text()
    own = cells(text, "`traj-gcn`, 2 seeds")
    assert own[1:] == ["measured here", "36.00", "38.00", "40.00", "42.00", "44.00", "46.00", "41.00 ± 1.41"]
    by_action = text.partition("Mean over the six frames, by action")[2]
    assert cells(by_action, "`traj-gcn`, 2 seeds")[2:] == ["21.00", "30.00", "40.00", "50.00", "64.00"]
    walking = text.partition("Frames of walking")[2]
    assert cells(walking, "`traj-gcn`, 2 seeds")[-1] == "64.00"
    assert COMMAND in text
    runs = text.partition("## Runs")[2]
    assert cells(runs, "`traj-gcn`, 2 seeds")[1:] == ["7, 8", "30.00, 31.00", "40.00, 42.00", "for a while"]


def test_unfinished_runs_are_in_no_table_of_systems(results, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "none")
    content = json.loads((results / "traj-gcn.json").read_text())
    cut = content | {"label": "`cut short`", "epochs": {"done": 11, "planned": 100}}
    (results / "cut.json").write_text(json.dumps(cut))
    text = accuracy.render(results)
    systems, _, rest = text.partition("## Unfinished runs")
    assert "cut short" not in systems
    assert cells(rest, "`cut short`, 2 seeds") == ["`cut short`, 2 seeds", "11 of 100", "41.00 ± 1.41", "for a while"]
    assert "`traj-gcn`" not in rest.partition("## ")[0]
    marked = "`cut short`, 2 seeds (**unfinished**: 11 of 100 epochs)"
    assert cells(rest.partition("## Runs")[2], marked)[3] == "40.00, 42.00"
    assert "Unfinished" not in accuracy.render(_without(results, "cut.json"))


def _without(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder


def test_runs_must_say_how_far_they_came(results):
    content = json.loads((results / "traj-gcn.json").read_text())
    del content["epochs"]
    (results / "traj-gcn.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"traj-gcn.json: epochs: expected how many are done and planned"):
        accuracy.measured(results)


def test_no_committed_run_says_in_words_that_it_is_unfinished():
    for system, content in accuracy.measured(accuracy.FOLDER):
        words = re.search(r"(\d+) of (\d+) epochs", content["training"])
        assert words is None, f"{system.name}: epochs are numbers"


def test_published_numbers_stand_beside(results, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "none")
    text = accuracy.render(results)
    (line,) = [
        line for line in text.partition("Mean over")[0].splitlines() if line.startswith(f"| {' | '.join(SYSTEM)} |")
    ]
    mean = published.mean(SYSTEM[0], accuracy.ACTIONS, (1, 3, 7, 9, 13, 24), dataset="cmu", source=SYSTEM[1])
    assert mean is not None
    assert line.endswith(f"| {mean.mm:.2f} |")
    assert f"{mean.mm:.1f}" == "40.8"


def test_the_comparison_of_recipes(results, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "none")
    text = accuracy.render(results)
    assert cells(text, "base")[1:] == ["1,234", "31.00 ± 1.41", "", "29.50"]
    assert cells(text, "worse")[1:] == ["1,234", "33.00", "+2.00", ""]
    assert "2 seeds each, on the\ntraining clips a, b, which were held out" in text


def test_the_search_log(results, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "none")
    rows = [
        {"name": "first", "errors": [30.0, 40.0, None]},
        {"name": "better", "errors": [29.0, 38.0, 20.0]},
        {"name": "one fold", "errors": [None, 41.0, None]},
        {"name": "elsewhere", "errors": [None, None, 5.0]},
    ]
    (results / accuracy.SEARCH).write_text(json.dumps({"groups": [{"setting": "Small networks", "rows": rows}]}))
    text = accuracy.render(results)
    assert "**Small networks**" in text
    assert cells(text, "first")[1:] == ["30.0", "40.0", "-", "", ""]
    assert cells(text, "better")[1:] == ["29.0", "38.0", "20.0", "29.00", "-1.50 ± 0.50"]
    assert cells(text, "one fold")[1:] == ["-", "41.0", "-", "", "+1.00"]
    assert cells(text, "elsewhere")[1:] == ["-", "-", "5.0", "", ""]


def test_weights_of_the_library_come_first(results, stand_in, monkeypatch):
    """The stand-in knows two actions only; the page takes those of the first row."""
    monkeypatch.setattr(zoo, "WEIGHTS", stand_in)
    monkeypatch.setattr(accuracy, "ACTIONS", ("running", "walking"))
    text = accuracy.render(results)
    (entry,) = zoo.find(stand_in)
    own, still = entry.results
    assert cells(text, f"**`{entry.reference}`**")[1:] == [
        "weights of the library",
        *(f"{error:.2f}" for error in own.errors),
        f"{own.mean:.2f}",
    ]
    assert cells(text, "zero velocity")[-1] == f"{still.mean:.2f}"


def test_the_page_is_that_of_the_committed_results():
    assert accuracy.PAGE.read_text() == accuracy.render(accuracy.FOLDER), "run python -m benchmarks.report.accuracy"


def test_nothing_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    assert accuracy.render(tmp_path).endswith("No results come with this version.\n")
