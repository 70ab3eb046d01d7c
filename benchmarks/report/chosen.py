"""Which rows of a run stand for what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.harness import results
from benchmarks.harness.case import Row
from benchmarks.harness.machine import processor_name
from benchmarks.suites.inference import HEADLINE
from benchmarks.suites.scaling import MIN_CALLS

Content = dict[str, Any]
"""A file of results."""
Choice = Callable[[Sequence[Row]], Row | None]
"""One of the rows of a comparison."""
Curve = Mapping[float, Sequence[Row]]
"""All rows at each value of an axis."""
FALL = 0.1
"""Share by which a time may be below that of a smaller size: so much differs from one run to the next."""


def machine_name(machine: Mapping[str, Any], device: str) -> str:
    """What a described machine is called: its GPU, or its processor and threads."""
    if device == "cuda":
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


def growth(content: Content) -> tuple[dict[tuple[str, str], Curve], list[str]]:
    """How times grow: the curves that can be believed, by model and axis, and of the others what is wrong with them.

    A point needs enough calls for its least time to be one that nothing disturbed. Neither the plain times nor the
    fastest may fall by more than `FALL` where the size grows.
    """
    curves: dict[tuple[str, str], dict[float, list[Row]]] = {}
    for row in of_kind(content, "scaling"):
        axis, _, value = row["setting"].partition("=")
        curves.setdefault((row["subject"], axis), {}).setdefault(float(value), []).append(row)
    kept: dict[tuple[str, str], Curve] = {}
    doubts: list[str] = []
    for (model, axis), curve in curves.items():
        named = f"`{model}` along {axis.replace('_', ' ')}"
        shown = [[choose(rows) for _, rows in sorted(curve.items())] for choose in (plain, fastest)]
        times = [[row["time_ms"] for row in rows if row is not None] for rows in shown]
        fewest = min(row["calls"] for rows in curve.values() for row in rows)
        if fewest < MIN_CALLS:
            doubts.append(f"{named}: {fewest} calls of some points, too few; {MIN_CALLS} are needed")
        elif any(map(_falls, times)):
            doubts.append(f"{named}: a time is more than {100 * FALL:.0f} % below that of a smaller size")
        else:
            kept[model, axis] = dict(sorted(curve.items()))
    return kept, doubts


def _falls(times: Sequence[float]) -> bool:
    return any(later < (1 - FALL) * max(times[: i + 1]) for i, later in enumerate(times[1:]))
