"""How the rows of a table are trained and scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from posegraph._support.checks import check_positive
from posegraph._support.device import Precision
from posegraph.errors import ConfigError

__all__ = ["Options"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How `posegraph.reproduce.reproduce` trains and scores.

    Raises:
        ConfigError: A number of seeds or a budget is not above zero.
    """

    rows: Sequence[str] = ()
    """Labels of the rows; all by default."""
    seeds: int = 1
    """Number of runs a row, from seeds 0, 1, ...; their mean and standard deviation are reported."""
    budget: float | None = None
    """Training time of all rows and seeds together in seconds, what earlier calls spent included. Runs that have not
    reached the end of their recipe share it equally; what one leaves, those after it get. Each takes one step and one
    validation at least, and a validation that has begun is not cut short. Without a budget every row is trained to the
    end of its recipe."""
    checkpoints: Mapping[str, Sequence[str | Path]] = field(default_factory=dict[str, Sequence[str | Path]])
    """Label to checkpoints that are scored in place of training the row. Rows without one are trained only if there is
    a budget."""
    smoke: bool = False
    """Take a few steps a row and score a few windows, on whatever data set this is: everything runs, and the numbers
    mean nothing."""
    device: str | None = None
    """Where to train and score; by default a GPU if there is one."""
    precision: Precision = "fp32"
    """Number type of training."""
    report: Callable[[str], object] = print
    """Called with lines of text."""

    def __post_init__(self) -> None:
        check_positive(seeds=self.seeds)
        if self.budget is not None and not self.budget > 0:
            raise ConfigError(f"budget: expected a time above zero in seconds, got {self.budget!r}.")
