"""Files of results: what is in them, how they are checked, written and read.

A file is JSON: facts about the run, then a list of rows, one a variant. Units are part of the names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.case import ALL, DEVICES, DTYPES, KINDS, Row
from benchmarks.harness.counts import MIB

FORMAT_VERSION = 2
FOLDER = Path(__file__).parents[1] / "results"
ACCURACY = FOLDER / "accuracy"

FACTS: Mapping[str, type] = {
    "format_version": int,
    "command": str,
    "commit": str,
    "date": str,
    "seconds": float,
    "machine": dict,
    "roofs": dict,
    "backends": dict,
    "rows": list,
}
"""What a file holds; `seconds` is the time that all measuring took."""
MACHINE = ("processor", "cores", "threads", "platform", "python", "versions", "omp_wait_policy", "gpu")
MACHINE_MAYBE = ("family", "instructions")
"""Facts of the machine that older files do not have."""
LABELS: Mapping[str, type] = {
    "kind": str,
    "device": str,
    "subject": str,
    "setting": str,
    "batch": int,
    "variant": str,
    "precision": str,
}
"""What every row begins with."""
ALWAYS = ("setup_s", "error", "calls", "time_ms", "windows_per_s", "host_min_ms", "host_p50_ms", "host_p99_ms")
"""Figures of every row that has a time."""
ON_GPU = ("device_min_ms", "device_p50_ms", "device_p99_ms", "held_memory_mib")
FIGURES = {
    *(*ALWAYS, *ON_GPU, "ratio", "operations", "kernels", "busy_ms", "call_memory_mib", "mflop_per_window"),
    *("least_mib", "load", "arithmetic_percent", "memory_percent"),
}
"""All figures of a row; `benchmarks/README.md` says what they mean."""
_WHOLE = ("calls", "operations", "kernels")


def check(content: Any) -> None:
    """Require the form of a file of results.

    Raises:
        ValueError: Something is missing, unknown, or contradicts the rest.
    """
    _require_types("results", content, FACTS)
    _require(content["format_version"] == FORMAT_VERSION, f"format_version: expected {FORMAT_VERSION}")
    commit, date = content["commit"], content["date"]
    _require(bool(re.fullmatch(r"[0-9a-f]{7,40}(-dirty)?|unknown", commit)), f"commit: expected a hash, got {commit!r}")
    _require(bool(re.fullmatch(r"\d{4}-\d\d-\d\d", date)), f"date: expected YYYY-MM-DD, got {date!r}")
    _require(content["seconds"] >= 0, "seconds: expected a time")
    facts = set(content["machine"]) - set(MACHINE_MAYBE)
    _require(facts == set(MACHINE), f"machine: expected {MACHINE}, got {sorted(content['machine'])}")
    for device, roof in content["roofs"].items():
        _require(device in DEVICES, f"roofs: unknown device {device!r}")
        _require(set(roof) == {"gflop_per_s", "copy_gb_per_s"}, f"roofs: unknown keys in {sorted(roof)}")
        _require(set(roof["gflop_per_s"]) <= set(DTYPES), f"roofs: unknown precision in {roof['gflop_per_s']}")
    seen = set()
    for number, row in enumerate(content["rows"]):
        _check_row(f"rows[{number}]", row)
        key = tuple(row[label] for label in LABELS)
        _require(key not in seen, f"rows[{number}]: {key} came before")
        seen.add(key)


def _check_row(place: str, row: Any) -> None:
    _require_types(place, {label: row.get(label) for label in LABELS}, LABELS)
    _require(row["kind"] in KINDS, f"{place}: unknown kind {row['kind']!r}")
    _require(row["device"] in DEVICES, f"{place}: unknown device {row['device']!r}")
    _require(row["precision"] in (*DTYPES, ALL[1]), f"{place}: unknown precision {row['precision']!r}")
    _require(row["batch"] > 0, f"{place}: expected a positive batch, got {row['batch']}")
    unknown = set(row) - set(LABELS) - FIGURES - {"skipped"}
    _require(not unknown, f"{place}: unknown keys {sorted(unknown)}")
    if "skipped" in row:
        _require(isinstance(row["skipped"], str) and bool(row["skipped"]), f"{place}: expected a reason for a skip")
        _require("time_ms" not in row, f"{place}: both a time and a reason for having none")
        return
    needed = (*ALWAYS, *(ON_GPU if row["device"] == "cuda" else ()))
    _require(set(needed) <= set(row), f"{place}: missing {sorted(set(needed) - set(row))}")
    for figure in FIGURES & set(row):
        expected = int if figure in _WHOLE else int | float
        _require(isinstance(row[figure], expected), f"{place}: {figure}: expected a number, got {row[figure]!r}")
        low = float("-inf") if figure == "held_memory_mib" else 0  # setting up may free memory
        _require(row[figure] >= low, f"{place}: {figure}: expected at least 0, got {row[figure]}")
    _require(row.get("arithmetic_percent", 0) <= 100, f"{place}: arithmetic_percent: expected at most 100")
    for clock in ("host", "device") if row["device"] == "cuda" else ("host",):
        least, median, most = (row[f"{clock}_{name}_ms"] for name in ("min", "p50", "p99"))
        _require(least <= median <= most, f"{place}: {clock} times do not rise: {least}, {median}, {most}")


def with_percents(row: Row, roofs: Mapping[str, Any]) -> Row:
    """A row with its shares of what the machine can do at most."""
    if "time_ms" not in row or row["device"] not in roofs:
        return row
    roof, percents = roofs[row["device"]], {}
    if "mflop_per_window" in row:
        gflop_per_s = 1e-3 * row["mflop_per_window"] * row["windows_per_s"]
        percents["arithmetic_percent"] = 100 * gflop_per_s / roof["gflop_per_s"][row["precision"]]
    if "least_mib" in row:
        percents["memory_percent"] = 100 * row["least_mib"] * MIB / (1e6 * row["time_ms"] * roof["copy_gb_per_s"])
    # More than all is noise of the ceiling, or of the time.
    kept = {name: p for name, p in percents.items() if p <= 100 or name == "memory_percent"}
    return row | {name: float(f"{percent:.3g}") for name, percent in kept.items()}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file of results: facts indented, one row a line."""
    check(content)
    facts = {key: value for key, value in content.items() if key != "rows"}
    head = json.dumps(facts, indent=1)[:-2]
    rows = ",\n".join(f"  {json.dumps(row)}" for row in content["rows"])
    text = f'{head},\n "rows": [\n{rows}\n ]\n}}\n' if rows else f'{head},\n "rows": []\n}}\n'
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole: who reads it meanwhile, or after an interruption, finds the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Read and check a file of results.

    Raises:
        ValueError: It is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        check(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return content


def measured(rows: Sequence[Row]) -> list[Row]:
    """Rows that have a time."""
    return [row for row in rows if "skipped" not in row]


def _require_types(place: str, content: Any, types: Mapping[str, type]) -> None:
    _require(isinstance(content, dict), f"{place}: expected an object, got {type(content).__name__}")
    _require(set(content) == set(types), f"{place}: expected {sorted(types)}, got {sorted(content)}")
    for key, kind in types.items():
        allowed = (int, float) if kind is float else kind
        _require(isinstance(content[key], allowed), f"{place}: {key}: expected {kind.__name__}, got {content[key]!r}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
