"""Times as text."""

from __future__ import annotations

import re

from posegraph.errors import ConfigError

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
