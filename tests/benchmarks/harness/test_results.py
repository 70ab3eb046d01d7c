"""Files of results: the committed ones, and what a check finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import results
from benchmarks.harness.case import KINDS
from posegraph import registry
from tests.benchmarks import toys

COMMITTED = sorted(results.FOLDER.glob("*.json"))


def test_there_are_results_of_every_kind() -> None:
    files = [results.measured(results.read(path)["rows"]) for path in COMMITTED]
    assert {row["kind"] for rows in files for row in rows} == set(KINDS)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_committed_results_have_the_form(path: Path) -> None:
    content = results.read(path)
    assert not content["commit"].endswith("-dirty"), "measure committed code"
    assert {row["kind"] for row in results.measured(content["rows"])} <= set(KINDS)
    models = {row["subject"] for row in content["rows"] if row["kind"] in ("inference", "training")}
    assert models <= set(registry.names())


def test_written_and_read(tmp_path: Path) -> None:
    content = toys.facts([toys.row(), toys.row("eager", 2.0)])
    path = tmp_path / "new" / "cpu.json"
    results.write(path, content)
    assert results.read(path) == content
    assert len(path.read_text().splitlines()) == len(json.dumps(toys.facts([]), indent=1).splitlines()) + 3
    results.write(path, toys.facts([]))
    assert results.read(path) == toys.facts([])


def change(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["rows"][0].update(changes)


def remove(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["rows"][0].pop(key)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content.pop("commit"), "results: expected"),
        (lambda content: content.update(format_version=1), "format_version: expected 2"),
        (lambda content: content.update(commit="main"), "commit: expected a hash, got 'main'"),
        (lambda content: content.update(date="today"), "date: expected YYYY-MM-DD, got 'today'"),
        (lambda content: content.update(seconds=-1), "seconds: expected a time"),
        (lambda content: content.update(seconds="1"), "results: seconds: expected float, got '1'"),
        (lambda content: content["machine"].pop("gpu"), "machine: expected"),
        (lambda content: content["roofs"].update(tpu={}), "roofs: unknown device 'tpu'"),
        (lambda content: content["roofs"]["cpu"].pop("copy_gb_per_s"), "roofs: unknown keys"),
        (lambda content: content["roofs"]["cpu"]["gflop_per_s"].update(int8=1), "roofs: unknown precision"),
        (lambda content: content["rows"].append(toys.row()), "came before"),
        (change(kind="speed"), "unknown kind 'speed'"),
        (change(device="tpu"), "unknown device 'tpu'"),
        (change(precision="int8"), "unknown precision 'int8'"),
        (change(batch=0), "expected a positive batch, got 0"),
        (change(batch="1"), "batch: expected int, got '1'"),
        (change(speed=1), r"unknown keys \['speed'\]"),
        (change(skipped="why"), "both a time and a reason for having none"),
        (change(calls=0.5), "calls: expected a number, got 0.5"),
        (change(error=None), "error: expected a number, got None"),
        (change(setup_s=-1), "setup_s: expected at least 0, got -1"),
        (change(arithmetic_percent=5460.0), "arithmetic_percent: expected at most 100"),
        (change(host_min_ms=100.0), "host times do not rise"),
        (change(device="cuda"), r"missing \['device_min_ms'"),
        (remove("error"), r"missing \['error'\]"),
        (
            lambda content: content["rows"].__setitem__(0, {**toys.facts([]), "kind": 1}),
            r"rows\[0\]: kind: expected str",
        ),
    ],
)
def test_what_is_wrong_is_found(spoil: Callable[[dict[str, Any]], object], message: str, tmp_path: Path) -> None:
    content = toys.facts([toys.row()])
    results.check(content)
    spoil(content)
    with pytest.raises(ValueError, match=message):
        results.check(content)
    path = tmp_path / "spoiled.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"spoiled.json: .*{message}"):
        results.read(path)


def test_a_reason_is_text() -> None:
    row = {label: value for label, value in toys.row().items() if label in results.LABELS} | {"skipped": ""}
    with pytest.raises(ValueError, match="expected a reason for a skip"):
        results.check(toys.facts([row]))


def test_the_readme_explains_every_figure() -> None:
    text = (results.FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert not [figure for figure in results.FIGURES if f"`{figure}`" not in text]
