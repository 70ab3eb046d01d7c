"""Training time: reading it, writing it, sharing it out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from posegraph.errors import ConfigError

__all__ = ["fair_share", "format_seconds", "parse_seconds"]

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_seconds(text: str) -> float:
    """A time such as "30s", "90m" or "6h" in seconds.

    Raises:
        ConfigError: The text is none.

    Examples:
        >>> from posegraph.reproduce.budget import parse_seconds
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
        >>> from posegraph.reproduce.budget import format_seconds
        >>> format_seconds(45), format_seconds(5520)
        ('45 s', '1 h 32 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def fair_share(total: float, spent: Sequence[float]) -> float:
    """Time up to which each of several runs may train, so that all together spend ``total``.

    Runs that already spent more keep what they have; the others share the rest equally.

    Args:
        total: Time for all runs, what they already spent included.
        spent: What each spent so far.

    Returns:
        The time that every run may reach; not above zero if nothing is left.

    Examples:
        >>> from posegraph.reproduce.budget import fair_share
        >>> fair_share(90.0, [0.0, 0.0, 0.0]), fair_share(90.0, [50.0, 0.0, 0.0])
        (30.0, 20.0)
    """
    above = sorted(spent, reverse=True)
    while len(above) > 1 and above[0] > total / len(above):
        total -= above.pop(0)
    return total / len(above)
