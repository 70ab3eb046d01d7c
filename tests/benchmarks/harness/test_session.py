"""How a run shares its time, goes on, and says what it did not do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.harness import machine, results, roof, session
from benchmarks.harness.case import Case
from benchmarks.harness.machine import NO_CUDA
from benchmarks.harness.session import Session
from tests.benchmarks import toys


@pytest.fixture(autouse=True)
def _known_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roof, "measure", lambda device, seconds: toys.ROOF)


def start(cases: list[Case], out: Path, seconds: float = 10.0, **options) -> Session:
    return Session(cases, out, seconds=seconds, **{"command": "test", "commit": "0123456789ab", **options})


def test_the_file_is_written_after_each_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, lines = tmp_path / "new" / "results.json", list[str]()
    cases = [toys.case("a"), toys.case("b", plain=lambda x: x + x, wrong=lambda x: x)]
    monkeypatch.setattr(machine, "load", lambda: {"load": 1.5})
    run = start(cases, out, report=lines.append)
    run.measure(cases[0])
    assert [row["subject"] for row in results.read(out)["rows"]] == ["a"]
    outcomes = run.measure(cases[1])
    assert [len(outcome.samples) for outcome in outcomes] == [outcomes[0].row["calls"], 0]
    content = results.read(out)
    assert [(row["subject"], row["variant"]) for row in content["rows"]] == [
        ("a", "plain"),
        ("b", "plain"),
        ("b", "wrong"),
    ]
    assert content["roofs"] == {"cpu": toys.ROOF.to_json()}
    assert content["command"] == "test"
    assert {"arithmetic_percent", "load"} <= set(content["rows"][0])
    assert lines[0].startswith("cpu inference a batch=3 plain fp32: ")
    assert lines[2].startswith("cpu inference b batch=3 wrong fp32: skipped: error 5.0e-01 is above")


def test_a_later_run_measures_what_is_missing(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    cases = [toys.case("a"), toys.case("b")]
    start(cases, out).measure(cases[0])
    start(cases, out, seconds=-1).measure(cases[1])
    before = results.read(out)
    assert before["rows"][1]["skipped"] == "the time of the run was over"
    again = start(cases, out, command="more")
    for case in cases:
        again.measure(case)
    after = results.read(out)
    assert after["rows"][0] == before["rows"][0]
    assert "time_ms" in after["rows"][1]
    assert after["seconds"] >= before["seconds"]
    assert after["command"] == "test && more"


def test_results_of_other_code_or_machines_are_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    start([toys.case("a")], out).measure(toys.case("a"))
    with pytest.raises(
        ValueError, match="expected results of this commit, ba9876543210, to go on with; found those of"
    ):
        start([toys.case("a")], out, commit="ba9876543210")
    content = results.read(out)
    results.write(out, content | {"machine": content["machine"] | {"threads": 99}})
    with pytest.raises(ValueError, match="expected results of this machine"):
        start([toys.case("a")], out)


def test_without_a_gpu_its_cases_are_rows_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    case = toys.case("a", device="cuda")
    outcomes = start([case], tmp_path / "results.json").measure(case)
    assert [outcome.row for outcome in outcomes] == [
        {**case.labels, "variant": "all", "precision": "all", "skipped": NO_CUDA}
    ]
    assert results.read(tmp_path / "results.json")["rows"] == [outcomes[0].row]


def test_the_time_is_shared_by_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []
    monkeypatch.setattr(session, "compare", lambda comparison, device, seconds, **_: shares.append(seconds) or [])
    cases = [toys.case("a", weight=6), toys.case("b", weight=2), toys.case("c", weight=2)]
    run = start(cases, tmp_path / "results.json", seconds=100)
    for case in cases:
        run.measure(case)
    assert shares == pytest.approx([60, 50, 100], rel=0.05)  # nothing took any time, so more is left for the others


def test_cases_beyond_their_share_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "least_seconds", lambda comparison, roof: 1000.0)
    (outcome,) = start([toys.case("a")], tmp_path / "results.json", seconds=10).measure(toys.case("a"))
    assert outcome.row["skipped"] == "needs about 1e+03 s, more than the 10 s that are its share"


def test_a_case_that_cannot_be_prepared_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def fail(comparison, roof) -> float:
        raise RuntimeError("no")

    monkeypatch.setattr(session, "least_seconds", fail)
    (outcome,) = start([toys.case("a")], tmp_path / "results.json", seconds=10).measure(toys.case("a"))
    assert outcome.row["skipped"] == "failed: RuntimeError: no"
    assert "Traceback" in capsys.readouterr().err


def test_the_machine_is_described() -> None:
    assert all(load >= 0 for load in machine.load().values())
    found = machine.describe()
    assert set(found) == {*results.MACHINE, *results.MACHINE_MAYBE}
    assert set(found["instructions"]) <= {name for name, has in torch.cpu.get_capabilities().items() if has}
    assert machine.without_device("cpu") is None
