"""The committed results of the benchmarks are what they claim to be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare
from posegraph import registry

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
NUMBERS = ("setup_s", "min_ms", "p50_ms", "p99_ms", "ratio_min", "ratio_p50", "windows_per_second")


def check(content: dict[str, Any]) -> None:
    """Require the form of a result; `compare.run` says what it means."""
    assert set(content) == {"format_version", "what", "commit", "machine", "seconds", "results"}
    assert content["format_version"] == compare.FORMAT_VERSION
    assert re.fullmatch(r"[0-9a-f]{7,40}(-dirty)?|unknown", content["commit"])
    machine = content["machine"]
    assert set(machine) == {"processor", "cores", "threads", "platform", "python", "versions"}
    assert machine["threads"] >= 1
    assert {"torch", "posegraph"} <= set(machine["versions"])
    assert content["results"]
    for result in content["results"]:
        assert set(result) == {"model", "skeleton", "batch", "rows"}
        assert result["model"] in registry.names()
        assert result["rows"][0]["backend"] == "plain"
        for row in result["rows"]:
            within = row["error"] <= compare.TOLERANCE[row["precision"]]
            assert ("min_ms" in row) == within, "a time for a wrong forecast, or none for a right one"
            if within:
                assert all(row[number] >= 0 for number in NUMBERS)
                assert row["calls"] >= 1
                assert row["min_ms"] <= row["p50_ms"] <= row["p99_ms"]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_committed_results_have_the_form(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    check(content)
    assert not content["commit"].endswith("-dirty"), "measure committed code"


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_the_documentation_has_the_committed_numbers(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare.main(["--table", str(path)])
    assert capsys.readouterr().out in (ROOT / "docs" / "how-to" / "fast.md").read_text(encoding="utf-8")


def test_there_are_results() -> None:
    assert RESULTS


def test_a_run_writes_the_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        compare, "trained", lambda name, skeleton: registry.build(name, channels=4, num_blocks=1).eval()
    )
    out = tmp_path / "new" / "cpu.json"
    arguments = ["--models", "msrgcn-1l", "--batches", "1", "--backends", "eager", "--bf16", "--seconds", "0.01"]
    assert compare.main([*arguments, "--out", str(out)]) == out
    content = json.loads(out.read_text())
    check(content)
    assert [row["precision"] for row in content["results"][0]["rows"]] == ["fp32", "fp32", "bf16"]


def test_a_wrong_variant_gets_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        compare.posegraph, "optimize", lambda *_, **__: lambda poses: poses.new_zeros(len(poses), 25, 22, 3)
    )
    rows = compare.compare(registry.build("msrgcn-1l", channels=4, num_blocks=1).eval(), 2, [("eager", "fp32")], 0.01)
    assert "min_ms" in rows[0]
    assert "min_ms" not in rows[1]
