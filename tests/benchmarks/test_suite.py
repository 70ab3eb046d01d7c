"""The cases: all models, sizes and layers, and that each kind is measured as it is in a run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import inference, layers, results, roof, run, scaling, suite, training
from benchmarks.compare import compare
from benchmarks.subjects import subject
from posegraph import registry
from posegraph.recipe import Recipe
from tests.benchmarks import toys

ROOT = Path(__file__).parents[2]


def test_every_model_is_measured_at_every_batch_size_on_both_devices() -> None:
    found = {(case.device, case.subject, case.batch) for case in suite.cases(kinds=["inference"])}
    assert found >= {(d, m, b) for d in ("cpu", "cuda") for m in registry.names() for b in inference.BATCHES}


def test_every_model_with_parameters_is_trained() -> None:
    found = {case.subject for case in suite.cases(["cpu"], kinds=["training"])}
    assert found == {name for name in registry.names() if next(registry.build(name).parameters(), None) is not None}


def test_no_two_cases_are_the_same_and_important_ones_come_first() -> None:
    cases = suite.cases()
    assert len({str(case) for case in cases}) == len(cases)
    assert [case.rank for case in cases] == sorted(case.rank for case in cases)
    assert str(cases[0]) == "cpu inference msrgcn-released batch=1"


def test_plain_and_optimised_forecasts_are_compared() -> None:
    about = subject("msrgcn-1l", settings=toys.NARROW)
    keys = [("plain", "fp32"), ("plain", "bf16"), ("eager", "fp32"), ("eager", "bf16")]
    comparison = inference.comparison(about, 3, keys)
    rows = {(o.row["variant"], o.row["precision"]): o.row for o in compare(comparison, "cpu", seconds=0.02)}
    assert list(rows) == keys
    assert all("time_ms" in row for row in rows.values())
    assert rows["eager", "fp32"]["mflop_per_window"] < rows["plain", "fp32"]["mflop_per_window"]
    assert rows["eager", "fp32"]["operations"] < rows["plain", "fp32"]["operations"]


def test_backends_that_do_not_serve_a_model_say_so() -> None:
    comparison = inference.comparison(subject("zero-velocity"), 2, [("plain", "fp32"), ("static", "fp32")])
    plain, static = (outcome.row for outcome in compare(comparison, "cpu", seconds=0.02))
    assert "time_ms" in plain
    assert "expected a layered network" in static["skipped"]


def test_ways_to_train_are_compared() -> None:
    about = subject("msrgcn-1l", settings=toys.NARROW)
    comparison = training.comparison(about, [*list(training.WAYS)[:3], ("8 seeds", "fp32")], Recipe(batch_size=4))
    plain, fused, narrow, several = (outcome.row for outcome in compare(comparison, "cpu", seconds=0.02))
    assert plain["ratio"] == 1.0
    assert fused["operations"] < plain["operations"]
    assert several["windows_per_s"] == pytest.approx(8 * 4000 / several["time_ms"], rel=1e-2)
    assert [row["precision"] for row in (plain, fused, narrow, several)] == ["fp32", "fp32", "bf16", "fp32"]
    assert 0 < narrow["error"] < training.TOLERANCE["bf16"]


def test_a_wrong_step_gets_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(*arguments):
        step = training.plain(*arguments)
        return lambda numbers: 1.01 * step(numbers)

    monkeypatch.setitem(training.WAYS, ("fused", "fp32"), training.Way(shifted))
    about = subject("msrgcn-1l", settings=toys.NARROW)
    comparison = training.comparison(about, [("plain", "fp32"), ("fused", "fp32")], Recipe(batch_size=4))
    _, wrong = (outcome.row for outcome in compare(comparison, "cpu", seconds=0.02))
    assert "is above the tolerance 1e-03" in wrong["skipped"]


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "forward+backward"])
@pytest.mark.parametrize("name", layers.LAYERS)
def test_layers_have_the_numbers_of_others(name: str, backward: bool) -> None:
    layer = layers.LAYERS[name]()
    if backward and not layer.backward:
        assert not any(case.subject == name and "backward" in case.setting for case in layers.cases("cpu"))
        return
    comparison = layers.comparison(layer, 2, "cpu", backward=backward)
    rows = [outcome.row for outcome in compare(comparison, "cpu", seconds=0.02)]
    assert len(rows) == len(layer.makers) + 1
    assert all("time_ms" in row for row in rows), [row.get("skipped") for row in rows]


@pytest.mark.parametrize(
    ("setting", "size"),
    [
        ("joints=10", lambda model: model.num_joints),
        ("future_frames=50", lambda model: model.future_frames),
        ("scales=2", lambda model: len(model(torch.zeros(2, 10, model.num_joints, 3)))),
    ],
)
@pytest.mark.parametrize("name", scaling.MODELS)
def test_models_grow_along_an_axis(name: str, setting: str, size) -> None:
    axis, _, value = setting.partition("=")
    assert size(subject(name, **scaling._changes(name, axis, int(value))).model) == int(value)
    assert any((case.subject, case.setting) == (name, setting) for case in scaling.cases("cpu"))


def test_the_command_writes_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roof, "measure", lambda device, seconds: toys.ROOF)
    out = tmp_path / "results.json"
    arguments = ["--kinds", "inference", "--models", "zero-velocity", "--minutes", "0.02", "--out", str(out)]
    assert run.main(arguments) == 0
    content = results.read(out)
    assert content["command"] == f"python -m benchmarks.run {' '.join(arguments)}"
    assert len(results.measured(content["rows"])) >= 2
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{out}: ")
    results.write(out, content | {"commit": "0123456789ab"})
    with pytest.raises(SystemExit):
        run.main(arguments)
    assert "expected results of this commit" in capsys.readouterr().err


def test_the_command_says_if_something_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no")

    monkeypatch.setattr(roof, "measure", lambda device, seconds: toys.ROOF)
    monkeypatch.setattr(suite, "cases", lambda *_, **__: [toys.case("a", plain=fail)])
    assert run.main(["--out", str(tmp_path / "results.json"), "--minutes", "0.01"]) == 1


def test_pytest_shows_what_was_measured(tmp_path: Path) -> None:
    """`make bench`, of the smallest model, in a process of its own."""
    out, report = tmp_path / "results.json", tmp_path / "report.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "benchmarks", "--benchmark-only"]
    options = ["--budget=1", f"--results={out}", f"--benchmark-json={report}", "-k", "zero-velocity and inference"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "benchmark 'cpu inference zero-velocity batch=1'" in done.stdout
    rows = results.measured(results.read(out)["rows"])
    measured = {(row["batch"], row["precision"]): 1e-3 * row["host_min_ms"] for row in rows if row["device"] == "cpu"}
    shown = {
        (one["extra_info"]["batch"], one["extra_info"]["precision"]): one["stats"]["min"]
        for one in json.loads(report.read_text())["benchmarks"]
        if one["extra_info"]["device"] == "cpu"
    }
    assert shown == pytest.approx(measured, rel=1e-3)
