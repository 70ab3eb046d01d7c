"""``posegraph reproduce``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from posegraph import reproduce as reproducing
from posegraph._support.device import Precision
from posegraph._support.text import parse_seconds
from posegraph.cli.options import read
from posegraph.errors import ConfigError
from posegraph.reproduce import tables

__all__ = ["reproduce"]


def reproduce(
    table: tyro.conf.Positional[str],
    /,
    data: str | None = None,
    budget: str | None = None,
    rows: tuple[str, ...] = (),
    seeds: int = 1,
    actions: tuple[str, ...] = (),
    checkpoints: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ROW=FOLDER")] = (),
    out: Path | None = None,
    smoke: bool = False,
    device: str | None = None,
    precision: Precision = "fp32",
) -> None:
    """Train and score the rows of a published table, and report them beside its numbers.

    Args:
        table: Table of the MSR-GCN paper: table1 to table8.
        data: Folder of the table's data set; 'samples' for the bundled clips.
        budget: Training time of all rows together, as in 30s, 90m or 6h; the whole recipes if not given.
        rows: Labels of the rows to reproduce; all if not given.
        seeds: Runs a row, from seeds 0, 1, and so on.
        actions: Train and test on these actions only.
        checkpoints: Score these trained models in place of training, as in Traj-GCN=runs/traj-gcn; named as for
            'evaluate'.
        out: Folder of the report and of the runs; runs/TABLE by default.
        smoke: Take a few steps a row on the bundled CMU clips, to see that everything works.
        device: Where to train and score, as in cpu or cuda:0; a GPU if there is one.
        precision: Mixed precision with bf16 or fp16.
    """
    spec = tables.get(table)
    given = _parse_checkpoints(checkpoints)
    seconds = None if budget is None else parse_seconds(budget)
    if smoke and (data or budget or checkpoints or actions):
        raise ConfigError(
            "--smoke: expected no --data, --budget, --checkpoints or --actions beside it: it takes a few steps on the "
            "bundled clips. Leave them out."
        )
    if data is None and not smoke:
        raise ConfigError(
            f"--data: expected the folder of the data set {spec.dataset!r}, got none. Pass --data DIR, or --smoke for "
            "a few steps on the bundled clips."
        )
    motion = read("cmu", "samples") if smoke else read(spec.dataset, data or "", actions=actions)
    folder = out or Path("runs") / (f"{spec.name}-smoke" if smoke else spec.name)
    options = reproducing.Options(
        rows=rows,
        seeds=seeds,
        budget=seconds,
        checkpoints=given,
        smoke=smoke,
        device=device,
        precision=precision,
    )
    result = reproducing.reproduce(spec, motion, folder, options)
    print()
    for row in result.rows:
        print(f"{row.label}: {result.mean(row).describe()}")
    if smoke:
        print("\nThese numbers mean nothing: a few steps show that everything works, not how well.")
    print(f"\nreport: {folder / spec.name}.md")


def _parse_checkpoints(texts: Sequence[str]) -> dict[str, list[str]]:
    """Folders by row."""
    checkpoints: dict[str, list[str]] = {}
    for text in texts:
        label, equals, folder = text.partition("=")
        if not equals or not label or not folder:
            raise ConfigError(f"--checkpoints: expected ROW=FOLDER, got {text!r}, as in Traj-GCN=runs/traj-gcn.")
        checkpoints.setdefault(label, []).append(folder)
    return checkpoints
