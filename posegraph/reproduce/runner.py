"""Reproducing a table: train its rows, score them, report after each."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from posegraph._support.text import format_seconds
from posegraph.data import MotionDataset
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.reproduce import report as reports
from posegraph.reproduce import tables
from posegraph.reproduce.coverage import cover
from posegraph.reproduce.options import Options
from posegraph.reproduce.reproduction import Reproduction
from posegraph.reproduce.runs import TrainingRun
from posegraph.reproduce.setup import Outcome, Setup, build, open_checkpoint, score
from posegraph.reproduce.table import Row, Table

SMOKE_STEPS = 3
"""Training steps a row of a smoke run."""


def reproduce(
    table: Table | str,
    dataset: MotionDataset,
    folder: str | Path,
    options: Options | None = None,
) -> Reproduction:
    """Train the rows of a table, score them, and report them beside the published numbers.

    Rows are trained by their authors' recipe on the training clips of ``dataset``, with validation as in
    `posegraph.training.train`, and scored on its test clips. The report is written after every row: Markdown, CSV and
    a picture, named like the table. Call it again with the same settings to go on after an interruption or a crash;
    rows that are done are not trained again. With a larger budget, or none, rows that had not reached the end of
    their recipe go on.

    Args:
        table: Table, or the name of a built-in one.
        dataset: Clips to train and to score on.
        folder: Folder of the report and of the rows' runs, made if it does not exist.
        options: Rows, seeds, budget, checkpoints, device, precision.

    Returns:
        What was reproduced.

    Raises:
        ConfigError: A setting cannot work, or a row in the folder was trained with other settings, or a checkpoint
            is not of its row, or the data set is another one than the table's.
        UnknownNameError: There is no such table, row, model or setting.
        DataError: No action of the table can be measured.
        CheckpointError: A checkpoint, or a row in the folder, cannot be read.
        KeyboardInterrupt: Training was interrupted; the state is stored.

    Examples:
        >>> import tempfile
        >>> from posegraph import data
        >>> from posegraph.reproduce import Options, Row, Table, reproduce
        >>> mine = Table(
        ...     "mine",
        ...     title="Zero velocity beside Traj-GCN",
        ...     dataset="cmu",
        ...     rows=(Row("zero velocity", "zero-velocity", system="Traj-GCN"),),
        ...     actions=("running", "walking"),
        ...     frames=(9, 24),
        ...     sources=("MSR-GCN repository, datas_in_paper.md",),
        ... )
        >>> clips = data.load("cmu", "samples")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = reproduce(mine, clips, folder, Options(report=lambda line: None))
        >>> mean = result.mean(mine.rows[0])
        >>> round(mean.ours, 2), round(mean.published, 2), round(mean.difference, 2)
        (149.08, 36.9, 112.18)
    """
    table, options = tables.get(table) if isinstance(table, str) else table, options or Options()
    _check(table, dataset, smoke=options.smoke)
    chosen = table.select(options.rows or [row.label for row in table.rows])
    labels = [row.label for row in chosen]
    for label in options.checkpoints:
        if label not in labels:
            raise UnknownNameError(f"row of {table.name} to score a checkpoint for", label, labels)
    if options.smoke:
        table = _for_smoke(table, dataset)
    steps = SMOKE_STEPS if options.smoke else None
    setup = Setup(table, dataset, cover(table, dataset), options.device, options.precision, steps)
    work = _Reproducer(setup, chosen, Path(folder), options.report)
    work.score_untrained()
    work.score_checkpoints(options.checkpoints)
    work.write()
    if options.budget is not None or not options.checkpoints:
        work.train(options.seeds, options.budget)
    else:
        work.pending = dict.fromkeys(work.pending, "no checkpoint is given for it, and no budget to train it")
    return work.write()


def _check(table: Table, dataset: MotionDataset, *, smoke: bool) -> None:
    if dataset.name != table.dataset and not smoke:
        raise ConfigError(
            f"{table.name}: expected the data set {table.dataset!r}, got {dataset.name!r}. Load the one that is named."
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "reproduce: expected a single process, got one of several that torchrun started. Start it without "
            "torchrun; different rows can run on different devices in folders of their own."
        )


def _for_smoke(table: Table, dataset: MotionDataset) -> Table:
    """The table with few windows, and the actions of the data set if it is another one."""
    actions = table.actions if table.dataset == dataset.name else dataset.actions
    return dataclasses.replace(table, dataset=dataset.name, actions=actions, windows="8")


class _Reproducer:
    """One call of `reproduce`."""

    def __init__(self, setup: Setup, rows: tuple[Row, ...], folder: Path, report: Callable[[str], object]) -> None:
        self.setup, self.rows, self.folder, self.report = setup, rows, folder, report
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.pending = dict.fromkeys((row.label for row in rows), "not trained yet")

    def score_untrained(self) -> None:
        """Score the models that have nothing to learn; the others are built too, since one may not work."""
        for row in self.rows:
            model = build(self.setup, row)
            if not model.is_trainable:
                self._add(score(self.setup, row, model, "no training"))

    def score_checkpoints(self, checkpoints: Mapping[str, Sequence[str | Path]]) -> None:
        """Score the models that are given; all are opened first, since one may not fit."""
        opened = [
            (row, path, open_checkpoint(self.setup, row, path))
            for row in self.rows
            for path in checkpoints.get(row.label, ())
        ]
        for row, path, (model, facts) in opened:
            self._add(score(self.setup, row, model, str(path), **facts))

    def train(self, seeds: int, budget: float | None) -> None:
        """Train and score the rows that have no result yet, seed by seed."""
        runs = [
            TrainingRun(self.setup, row, seed, self.folder / row.folder / f"seed-{seed}")
            for seed in range(seeds)
            for row in self.rows
            if row.label in self.pending
        ]
        for run in runs:
            if run.scored:  # so that the report keeps the rows that are done while others go on
                self._add(run.score())
        for index, run in enumerate(runs):
            spent = sum(other.seconds for other in runs[:index])
            share = None if budget is None else _share(budget - spent, runs[index:])
            self._train(run, share, f"[{index + 1}/{len(runs)}] {run.name}")
            self._add(run.score())

    def _train(self, run: TrainingRun, share: float | None, where: str) -> None:
        """Train a run until its recipe ends, or it has trained for its share of the budget."""
        limit = None if share is None else share - run.seconds
        if run.complete or (run.trained and limit is not None and limit <= 0):
            self.report(f"{where}: trained already")
            return
        self.report(f"{where}: training" + ("" if limit is None else f", at most {format_seconds(max(limit, 0.0))}"))
        if not run.train(limit, lambda line: self.report(f"  {line}")):
            self.report(f"{where}: interrupted; the same command goes on from here")
            raise KeyboardInterrupt

    def _add(self, outcome: Outcome) -> None:
        self.outcomes[outcome.row.label, outcome.origin] = outcome
        self.pending.pop(outcome.row.label, None)
        self.write()

    def write(self) -> Reproduction:
        """Write the report on what there is."""
        done = Reproduction(self.setup, self.rows, tuple(self.outcomes.values()), dict(self.pending))
        self.folder.mkdir(parents=True, exist_ok=True)
        reports.write(done, self.folder)
        return done


def _share(budget: float, runs: Sequence[TrainingRun]) -> float:
    """Time that each run may train in all, if those that are complete or have trained for longer keep their time."""
    left = budget - sum(run.seconds for run in runs if run.complete)
    spent = sorted((run.seconds for run in runs if not run.complete), reverse=True)
    while len(spent) > 1 and spent[0] > left / len(spent):
        left -= spent.pop(0)
    return max(left, 0.0) / max(len(spent), 1)
