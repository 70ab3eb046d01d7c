"""Numbers, times and tables as text."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

from posegraph.errors import ConfigError

__all__ = ["format_seconds", "markdown_table", "mean_and_spread", "parse_seconds", "with_spread"]

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_seconds(text: str) -> float:
    """A time such as "30s", "90m" or "6h" in seconds.

    Raises:
        ConfigError: The text is none.

    Examples:
        >>> from posegraph._support.text import parse_seconds
        >>> parse_seconds("90m"), parse_seconds("1.5h")
        (5400.0, 5400.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not seconds:
        raise ConfigError(f"budget: expected a time above zero such as 30s, 90m or 6h, got {text!r}.")
    return seconds


def format_seconds(seconds: float) -> str:
    """A time in words, in its two largest units.

    Examples:
        >>> from posegraph._support.text import format_seconds
        >>> format_seconds(45), format_seconds(5520)
        ('45 s', '1 h 32 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def with_spread(mean: float, spread: float | None, digits: int = 2) -> str:
    """A mean and its spread, or the mean alone if the spread is not known.

    Examples:
        >>> from posegraph._support.text import with_spread
        >>> with_spread(48.5, 0.256), with_spread(48.5, None, digits=1)
        ('48.50 ± 0.26', '48.5')
    """
    return f"{mean:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")


def mean_and_spread(values: Sequence[float], digits: int = 2) -> str:
    """The mean of numbers and, of several, their standard deviation.

    Examples:
        >>> from posegraph._support.text import mean_and_spread
        >>> mean_and_spread([40.0, 42.0]), mean_and_spread([40.0])
        ('41.00 ± 1.41', '40.00')
    """
    return with_spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, digits)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], align: str = "l") -> str:
    """A table in Markdown, without a newline at its end.

    Args:
        header: Title of each column.
        rows: Cells; a row that is too short ends in empty ones.
        align: "l" or "r" for each of the first columns; those after them are aligned to the right, as numbers are.

    Examples:
        >>> from posegraph._support.text import markdown_table
        >>> print(markdown_table(["model", "error"], [["msrgcn", "48.50"], ["new"]]))
        | model | error |
        | --- | --: |
        | msrgcn | 48.50 |
        | new |  |
    """
    rule = ["---" if kind == "l" else "--:" for kind in align.ljust(len(header), "r")[: len(header)]]
    lines = [[*line, *[""] * (len(header) - len(line))] for line in (header, rule, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
