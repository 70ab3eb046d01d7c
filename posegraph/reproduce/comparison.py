"""Errors beside the published ones."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from posegraph._support.text import with_spread
from posegraph.evaluation import published
from posegraph.reproduce.coverage import Coverage
from posegraph.reproduce.setup import Outcome
from posegraph.reproduce.table import Row, Table


@dataclass(frozen=True)
class Cell:
    """One number of a row beside the published one. Errors are in millimetres.

    Args:
        row: Label of the row.
        actions: The action, or the actions averaged over.
        frames: The forecast frame, or the frames averaged over.
        ours: Mean over the seeds; None if there is none.
        spread: Standard deviation over the seeds; None for fewer than two.
        published: Published number; None if there is none.
        reason: Why the two cannot be subtracted; empty if they can.
        source: Where the published number is from.
        note: What is known to be wrong with it.
    """

    row: str
    actions: tuple[str, ...]
    frames: tuple[int, ...]
    ours: float | None
    spread: float | None
    published: float | None
    reason: str
    source: str
    note: str

    @property
    def difference(self) -> float | None:
        """Ours less the published number, where both are means over the same actions and frames."""
        if self.ours is None or self.published is None or self.reason:
            return None
        return self.ours - self.published

    def describe(self) -> str:
        """Both numbers in words.

        Examples:
            >>> from posegraph.reproduce import Cell
            >>> Cell("MSR-GCN", ("running",), (24,), 48.5, None, 48.03, reason="", source="", note="").describe()
            '48.50 mm, published 48.03, difference +0.47'
        """
        if self.ours is None:
            return "no result"
        text = f"{with_spread(self.ours, self.spread)} mm"
        if self.published is not None:
            text += f", published {self.published:.2f}"
            text += f" ({self.reason})" if self.difference is None else f", difference {self.difference:+.2f}"
        return text


def compare(
    table: Table, row: Row, outcomes: Sequence[Outcome], coverage: Coverage, *, incomparable: str = ""
) -> list[Cell]:
    """All numbers of a row: each action at each frame if the table prints them, averages, and the overall mean.

    Args:
        table: Table.
        row: Row of it.
        outcomes: What the row's models gave, one a seed; may be empty.
        coverage: What was measured of the table.
        incomparable: Why nothing can be compared; empty if it can.

    Returns:
        The cells, action by action, then the averages at each frame, then the mean over actions and frames.
    """
    groups: list[tuple[tuple[str, ...], tuple[int, ...]]] = []
    single = [(frame,) for frame in table.frames]
    if table.detail == "actions":
        groups += [((action,), frame) for action in table.actions for frame in single]
        groups += [(coverage.actions, frame) for frame in single]
    if table.detail == "mean" or len(single) > 1:
        groups.append((coverage.actions, table.frames))
    return [
        _cell(table, row, outcomes, coverage, actions, frames, incomparable)
        for actions, frames in dict.fromkeys(groups)  # with a single action its mean is itself
    ]


def published_mean(table: Table, row: Row, actions: Sequence[str], frames: Sequence[int]) -> published.Value | None:
    """The published mean of a row over actions and frames, from the first source that has it."""
    if row.compared_with is None:
        return None
    for source in table.sources:
        value = published.mean(
            row.compared_with,
            actions,
            frames,
            dataset=table.dataset,
            source=source,
            windows=table.windows,
            metric=table.metric,
            future_frames=table.future_frames,
        )
        if value is not None:
            return value
    return None


def _cell(
    table: Table,
    row: Row,
    outcomes: Sequence[Outcome],
    coverage: Coverage,
    actions: tuple[str, ...],
    frames: tuple[int, ...],
    incomparable: str,
) -> Cell:
    left_out = [action for action in actions if action in coverage.left_out]
    own = [] if left_out else [_mean(outcome, actions, frames) for outcome in outcomes]
    value = published_mean(table, row, actions, frames)
    reasons = [incomparable] if incomparable else []
    reasons += [f"left out: {coverage.left_out[action]}" for action in left_out]
    reasons += [coverage.partial[action] for action in actions if action in coverage.partial]
    is_average = actions == coverage.actions and (len(actions) > 1 or table.detail == "mean")
    if value is None and is_average and len(actions) < len(table.actions):
        value = published_mean(table, row, table.actions, frames)
        reasons += [f"published is the mean of {len(table.actions)} actions"] if value is not None else []
    return Cell(
        row.label,
        actions,
        frames,
        ours=statistics.fmean(own) if own else None,
        spread=statistics.stdev(own) if len(own) > 1 else None,
        published=None if value is None else value.mm,
        reason="; ".join(reasons),
        source="" if value is None else value.source,
        note="" if value is None else value.note,
    )


def _mean(outcome: Outcome, actions: Sequence[str], frames: Sequence[int]) -> float:
    return statistics.fmean(outcome.errors[action][frame] for action in actions for frame in frames)
