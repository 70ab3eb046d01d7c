"""Which rows of a run stand for what, and how their figures are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.harness import results
from benchmarks.harness.case import Row
from benchmarks.harness.machine import processor_name
from benchmarks.suites.inference import HEADLINE

Content = dict[str, Any]
"""A file of results."""
Choice = Callable[[Sequence[Row]], Row | None]
"""One of the rows of a comparison."""


def machine_name(content: Content) -> str:
    """What a run is called: its GPU, or its processor and threads."""
    machine = content["machine"]
    if device(content) == "cuda":
        return machine["gpu"]["name"]
    return f"{processor_name(machine)}, {machine['threads']} {'thread' if machine['threads'] == 1 else 'threads'}"


def device(content: Content) -> str:
    """The device of a run, or of its part that `by_device` gave."""
    return next((row["device"] for row in results.measured(content["rows"])), "cpu")


def by_device(stem: str, content: Content) -> dict[str, Content]:
    """A run by name; one that measured several devices as several, with the rows of one device each."""
    devices = dict.fromkeys(row["device"] for row in results.measured(content["rows"]))
    if len(devices) < 2:
        return {stem: content}
    return {
        f"{stem}-{one}": content
        | {
            "rows": [row for row in content["rows"] if row["device"] == one],
            "roofs": {one: content["roofs"][one]},
            "backends": {one: content["backends"][one]},
        }
        for one in devices
    }


def of_kind(content: Content, kind: str) -> list[Row]:
    """Rows of a kind that have a time."""
    return [row for row in results.measured(content["rows"]) if row["kind"] == kind]


def models(content: Content) -> list[str]:
    """Models whose forecasts were timed, the most important first."""
    names = {row["subject"] for row in of_kind(content, "inference")}
    return sorted(names, key=lambda name: (HEADLINE.index(name) if name in HEADLINE else len(HEADLINE), name))


def forecasts(content: Content, model: str, batch: int) -> list[Row]:
    """All ways to forecast so many windows."""
    return [row for row in of_kind(content, "inference") if (row["subject"], row["batch"]) == (model, batch)]


def plain(rows: Iterable[Row]) -> Row | None:
    """The plain model in float32, from the comparison with most variants."""
    return next((row for row in rows if (row["variant"], row["precision"]) == ("plain", "fp32")), None)


def fastest(rows: Iterable[Row], precision: str = "fp32") -> Row | None:
    """The optimised variant of a precision that is the most times faster than the plain model beside it."""
    others = [row for row in rows if row["precision"] == precision and row["variant"] != "plain" and "ratio" in row]
    return max(others, key=lambda row: row["ratio"], default=None)


def fastest_bf16(rows: Iterable[Row]) -> Row | None:
    return fastest(rows, "bf16")


# Cells of tables.


def clock(row: Row) -> list[str]:
    """The time that counts, the median, and the 99th percentile."""
    name = "device" if row["device"] == "cuda" else "host"
    return [ms(row["time_ms"]), ms(row[f"{name}_p50_ms"]), ms(row[f"{name}_p99_ms"])]


def ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def rate(row: Row | None) -> str:
    """Windows a second, to three digits."""
    return "" if row is None else f"{float(format(row['windows_per_s'], '.3g')):,.0f}"


def error(row: Row) -> str:
    """An error with one digit and a power of ten, which no line break parts."""
    if not row["error"]:
        return "0"
    digit, _, power = f"{row['error']:.0e}".partition("e")
    return f"{digit}·10{str(int(power)).translate(_RAISED)}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def cell(row: Row, key: str, form: str) -> str:
    """A figure, or nothing where there is none."""
    return format(row[key], form) if key in row else ""
