"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(heads: Sequence[str], lines: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)) -> str:
    """A table, empty if it has no lines; lines that are too short end in empty cells.

    ``left`` are the columns that are set to the left: text, not numbers.
    """
    if not lines:
        return ""
    rule = ["---" if number in left else "--:" for number in range(len(heads))]
    filled: list[Sequence[Any]] = [heads, rule, *([*line, *[""] * (len(heads) - len(line))] for line in lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in filled)
