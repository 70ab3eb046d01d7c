"""What was reproduced of a table so far, and in what it differs from the published one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from posegraph import data
from posegraph._support.text import with_spread
from posegraph.evaluation import published
from posegraph.reproduce.comparison import Cell, compare
from posegraph.reproduce.setup import Outcome, Setup
from posegraph.reproduce.table import Row

_LISTED = 6  # most names to list before "and 3 more"


@dataclass(frozen=True)
class Reproduction:
    """A table as far as it was reproduced.

    Args:
        setup: Table, data and settings.
        rows: Rows that were asked for.
        outcomes: What the models of the rows gave, several a row for several seeds.
        pending: Label to reason of the rows that have no outcome.
    """

    setup: Setup
    rows: tuple[Row, ...]
    outcomes: tuple[Outcome, ...]
    pending: Mapping[str, str]

    def of(self, row: Row) -> list[Outcome]:
        """The outcomes of a row."""
        return [outcome for outcome in self.outcomes if outcome.row.label == row.label]

    def cells(self, row: Row) -> list[Cell]:
        """The numbers of a row beside the published ones."""
        setup = self.setup
        return compare(
            setup.table,
            row,
            self.of(row),
            setup.coverage,
            incomparable="" if setup.steps is None else "a smoke run",
        )

    def mean(self, row: Row) -> Cell:
        """The mean of a row over the measured actions and all frames of the table."""
        setup = self.setup
        whole = (setup.coverage.actions, setup.table.frames)
        return next(cell for cell in self.cells(row) if (cell.actions, cell.frames) == whole)

    def differences(self) -> list[str]:
        """What differs from the published table, in sentences, from the data, the settings and the results."""
        return [
            *self._of_smoke(),
            *self._of_data(),
            *self._of_training(),
            *self._of_selection(),
            *self._of_seeds(),
            *(self.setup.table.notes if self.setup.steps is None else ()),
            *self._of_rows(),
        ]

    def _of_smoke(self) -> Iterator[str]:
        if self.setup.steps is not None:
            yield (
                f"This is a smoke run: {self.setup.steps} training steps a row, on the data set "
                f"{self.setup.dataset.name!r}, with the window rule {self.setup.table.windows!r}. It shows that "
                "everything works; its numbers mean nothing."
            )

    def _of_data(self) -> Iterator[str]:
        dataset, coverage, table = self.setup.dataset, self.setup.coverage, self.setup.table
        if coverage.missing_training:
            yield (
                f"{len(coverage.missing_training)} training or validation files are missing: "
                f"{_listed(coverage.missing_training)}."
            )
        all_actions = data.info(dataset.name).actions if dataset.name in data.names() else ()
        chosen = [action for action in all_actions if action in dataset.actions]
        if len(chosen) < len(all_actions):
            yield f"Only these actions were chosen, for training and testing: {', '.join(chosen)}."
        trained = {clip.action for clip in dataset.clips.get("train", ())}
        without = [action for action in dataset.actions if action not in trained]
        if without:
            yield f"No training clip of {', '.join(without)}."
        for reason in dict.fromkeys(coverage.left_out.values()):
            actions = [action for action, own in coverage.left_out.items() if own == reason]
            yield f"Left out, {reason}: {', '.join(actions)}."
        yield from (
            f"{action} compares with nothing published: {reason}." for action, reason in coverage.partial.items()
        )
        if coverage.left_out:
            yield (
                f"Averages here are over {len(coverage.actions)} of {len(table.actions)} actions; published ones are "
                "computed anew over the same actions where their errors are published one by one."
            )

    def _of_training(self) -> Iterator[str]:
        if self.setup.steps is None:
            for row in self.rows:
                done = [outcome.epochs for outcome in self.of(row) if outcome.epochs is not None]
                planned = self.setup.recipe(row).schedule.epochs
                if done and min(done) < planned:
                    yield f"{row.label}: {in_range(done)} complete epochs of the recipe's {planned}, for want of time."
        for outcome in self.outcomes:
            if outcome.differences:
                yield f"{outcome.row.label}: the checkpoint {outcome.origin} has {', '.join(outcome.differences)}."

    def _of_selection(self) -> Iterator[str]:
        here = [outcome for outcome in self.outcomes if outcome.epochs is not None]
        held_out = self.setup.dataset.clips.get("val", ())
        if here and held_out:
            yield f"The epoch is chosen by the clips of the split 'val': {_listed([clip.name for clip in held_out])}."
        elif here:
            table = self.setup.table
            names = [
                clip.name
                for clip in self.setup.dataset.hold_out(table.observed_frames + table.future_frames).clips["val"]
            ]
            yield f"The epoch is chosen by training clips that are held out: {_listed(names)}."
        for outcome in self.outcomes:
            if outcome.epochs is None and outcome.best_epoch is not None:
                yield (
                    f"{outcome.row.label}: epoch {outcome.best_epoch} of the checkpoint {outcome.origin}, chosen by "
                    f"{outcome.selection}."
                )

    def _of_seeds(self) -> Iterator[str]:
        table = self.setup.table
        for row in self.rows if self.setup.steps is None else ():
            for value in published.find(system=row.compared_with) if row.compared_with else ():
                own = (value.dataset, value.windows, value.metric, value.future_frames)
                if value.runs and own == (table.dataset, table.windows, table.metric, table.future_frames):
                    frames = ", ".join(map(str, value.frames))
                    yield (
                        f"{row.label}: the table has a single run; {value.runs} runs gave "
                        f"{with_spread(value.mm, value.std)} mm over {len(value.actions)} actions and frames {frames} "
                        f"({value.source})."
                    )

    def _of_rows(self) -> Iterator[str]:
        for row in self.rows:
            if row.label in self.pending:
                yield f"{row.label} has no result: {self.pending[row.label]}."
            yield from (f"{row.label}: {note}" for note in row.notes)
            mean = self.mean(row)
            if mean.ours is not None and mean.published is not None and mean.difference is None:
                yield f"{row.label}: no difference of the means: {mean.reason}."
            notes = dict.fromkeys(cell.note for cell in self.cells(row) if cell.note)
            yield from (f"{row.label}, published numbers: {note}." for note in notes)


def in_range(numbers: Sequence[int]) -> str:
    """Lowest and highest number in words."""
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f", and {rest} more" if rest > 0 else "")
