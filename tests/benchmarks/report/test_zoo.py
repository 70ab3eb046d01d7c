"""The page of models: every number from a file, sensible with and without weights and results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.report import plots, zoo
from posegraph import checkpoint, registry
from posegraph.evaluation.result import Result
from tests.weights.standin import MODEL, REFERENCE


def row(variant: str, time_ms: float, **changes: Any) -> dict[str, Any]:
    own = {"kind": "inference", "device": "cpu", "subject": MODEL, "setting": "", "batch": 1, "precision": "fp32"}
    return {**own, "variant": variant, "time_ms": time_ms, **changes}


CPU = {"processor": "Some(R) Processor(TM)", "threads": 2, "gpu": None}
ROWS = [
    row("plain", 8.04),
    row("eager", 2.5),
    row("onnx", 1.25),
    row("onnx", 0.01, batch=128),
    row("onnx", 0.01, precision="bf16"),
    row("eager", 0.01, subject="msrgcn"),
    row("eager", 0.01, kind="training"),
    {**row("openvino", 0.01), "skipped": "not installed"} | {"time_ms": None},
]
ROWS[-1].pop("time_ms")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    gpu = {**CPU, "gpu": {"name": "Some GPU"}}
    both = [*ROWS[:3], row("triton", 0.125, device="cuda"), row("plain", 1.5, device="cuda")]
    (folder / "a.json").write_text(json.dumps({"machine": CPU, "rows": ROWS}))
    (folder / "b.json").write_text(json.dumps({"machine": gpu, "rows": both}))
    (folder / "older.json").write_text(json.dumps({"machine": CPU, "results": []}))
    return folder


def cells(page: str, label: str) -> list[str]:
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_has_the_numbers_of_the_files(stand_in, results, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "names", lambda: [MODEL, "pgbig"])
    page = tmp_path / "docs" / "zoo.md"
    zoo.main(["--weights", str(stand_in), "--results", str(results), "--out", str(page)])
    text = page.read_text()
    config = checkpoint.read_config(stand_in / REFERENCE)
    result = Result.from_json(config["record"]["packed"]["evaluation"][0]["result"]).select(["running", "walking"])
    assert f"Protocol: {result.protocol.describe()}." in text
    own = cells(text, f"`{REFERENCE}`")
    assert own[1:8] == [*(f"{error:.2f}" for error in result.errors), f"**{result.mean:.2f}**"]
    assert own[8] == f"{config['num_parameters']:,}"
    times = ["8.04 → 1.25 (onnx)", "1.5 → 0.125 (triton)"]
    assert own[-2:] == times
    assert cells(text, "zero velocity")[7] == "101.19"
    columns = cells(text, "model")
    assert columns[3] == "Some Processor, 2 threads, ms"
    assert columns[-1] == "Some GPU, ms"
    assert cells(text, f"`{MODEL}`")[3:] == times
    assert cells(text, "`pgbig`")[3:] == [""] * 2
    with Image.open(page.parent / "assets" / "zoo.png") as picture:
        assert picture.format == "PNG"
    assert "![Error against the time of a forecast](assets/zoo.png)" in text


def test_the_page_is_that_of_the_committed_results():
    entries, machines = zoo.find(zoo.WEIGHTS), zoo.timed(zoo.RESULTS)
    text = zoo.render(entries, machines, registry.names())
    assert zoo.PAGE.read_text() == text, "run python -m benchmarks.report.zoo"
    with Image.open(zoo.PAGE.parent / zoo.PICTURE) as picture:
        assert picture.info["Description"] == plots.digest(text), "run python -m benchmarks.report.zoo"


def test_all_models_are_there_with_their_sizes(tmp_path):
    page = tmp_path / "zoo.md"
    zoo.main(["--weights", str(tmp_path), "--results", str(tmp_path), "--out", str(page)])
    text = page.read_text()
    assert "No trained weights come with this version." in text
    assert not (tmp_path / "assets").exists()
    for name in registry.names():
        assert cells(text, f"`{name}`")[1]
    assert cells(text, "`msrgcn-released`")[1] == "6,298,185"
    assert cells(text, "`zero-velocity`")[1:] == ["0", "0.0"]


def test_flop_of_a_network_by_hand():
    """A layer multiplies its features, then mixes the 75 coordinates; a multiplication and an addition are two."""
    model = registry.build("traj-gcn", skeleton="cmu", channels=4, num_blocks=1, dct=False)
    widths = [(35, 4), (4, 4), (4, 4), (4, 35)]
    assert 1e6 * zoo.mflop(model) == sum(2 * 75 * ins * outs + 2 * 75 * 75 * outs for ins, outs in widths)


def test_weights_of_other_protocols_stand_in_another_table(stand_in, tmp_path):
    shutil.copytree(stand_in, tmp_path / "weights")
    shutil.copytree(stand_in / REFERENCE, tmp_path / "weights" / MODEL / "other")
    file = tmp_path / "weights" / MODEL / "other" / "config.json"
    config = json.loads(file.read_text())
    config["record"]["packed"]["unseen"].append("running")
    file.write_text(json.dumps(config))
    text = zoo.render(zoo.find(tmp_path / "weights"), [], [])
    second, first = (part.splitlines() for part in text.split("Protocol: ")[1:])
    assert "actions: running, walking," in first[0]
    assert "actions: walking," in second[0]
    assert any(line.startswith(f"| `{REFERENCE}` |") for line in first)
    assert any(line.startswith(f"| `{MODEL}/other` |") for line in second)


def test_files_of_one_machine_are_taken_together(tmp_path):
    for name, subject in (("a", MODEL), ("b", "pgbig")):
        content = {"machine": CPU, "rows": [row("plain", 2.0, subject=subject)]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (machine,) = zoo.timed(tmp_path)
    assert (machine.plain(MODEL), machine.plain("pgbig"), machine.plain("simlpe")) == (2.0, 2.0, None)


def test_a_picture_needs_times_of_these_models(stand_in, results, tmp_path):
    entries = zoo.find(stand_in)
    machines = [zoo.Machine("m", "cpu", [row("eager", 1.0, subject="pgbig")])]
    assert not zoo.draw(entries, machines, tmp_path / "a.png", mark="")
    assert not zoo.draw([], zoo.timed(results), tmp_path / "a.png", mark="")
    assert not (tmp_path / "a.png").exists()
