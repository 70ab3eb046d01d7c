"""Tables and numbers in Markdown."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def table(heads: Sequence[str], lines: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)) -> str:
    """A table, empty if it has no lines; lines that are too short end in empty cells.

    ``left`` are the columns that are set to the left: text, not numbers.
    """
    if not lines:
        return ""
    rule = ["---" if number in left else "--:" for number in range(len(heads))]
    filled: list[Sequence[Any]] = [heads, rule, *([*line, *[""] * (len(heads) - len(line))] for line in lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in filled)


def folded(title: str, text: str) -> str:
    """A part of a page that opens at a click."""
    return f'??? note "{title}"\n\n{textwrap.indent(text.rstrip(), "    ")}\n'


def mean_and_spread(values: Sequence[float]) -> str:
    """Mean and, of several, standard deviation."""
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{spread}"


def clock(row: Mapping[str, Any]) -> list[str]:
    """The time that counts, the median, and the 99th percentile."""
    name = "device" if row["device"] == "cuda" else "host"
    return [ms(row["time_ms"]), ms(row[f"{name}_p50_ms"]), ms(row[f"{name}_p99_ms"])]


def ms(value: float) -> str:
    """Milliseconds, to three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def rate(row: Mapping[str, Any] | None) -> str:
    """Windows a second, to three digits."""
    return "" if row is None else f"{float(format(row['windows_per_s'], '.3g')):,.0f}"


def error(row: Mapping[str, Any]) -> str:
    """An error with one digit and a power of ten, which no line break parts."""
    if not row["error"]:
        return "0"
    digit, _, power = f"{row['error']:.0e}".partition("e")
    return f"{digit}·10{str(int(power)).translate(_RAISED)}"


def cell(row: Mapping[str, Any], key: str, form: str) -> str:
    """A figure, or nothing where there is none."""
    return format(row[key], form) if key in row else ""
