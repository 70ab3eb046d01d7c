"""A table to reproduce, and its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from posegraph._support.checks import check_choice
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.evaluation import published

__all__ = ["Detail", "Row", "Table"]


Detail = Literal["actions", "mean"]
"""What a table prints: each action at each frame and their mean, or a single mean over actions and frames."""


@dataclass(frozen=True)
class Row:
    """A row of a table: a model that is trained and scored.

    Args:
        label: Name of the row.
        model: Registry name of the model.
        settings: Settings of the model that differ from its defaults.
        system: Published system to compare with; by default the one named like the row, if there is one.
        recipe: Fields of the model's recipe that differ from the registry's, which is the authors'.
        notes: What else differs between the model and the published system, in sentences.

    Raises:
        ConfigError: The label has neither letter nor digit.
        UnknownNameError: No number of ``system`` is published.
    """

    label: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.folder:
            raise ConfigError(f"label: expected a name with letters or digits, got {self.label!r}.")
        if self.system is not None and self.system not in published.systems():
            raise UnknownNameError("published system", self.system, published.systems())

    @property
    def folder(self) -> str:
        """The label as the name of a folder."""
        return re.sub(r"[^a-z0-9]+", "-", self.label.lower()).strip("-")

    @property
    def compared_with(self) -> str | None:
        """The published system, if there is one."""
        return self.system or (self.label if self.label in published.systems() else None)


@dataclass(frozen=True)
class Table:
    """What is trained, how it is measured, and what it is compared with.

    Args:
        name: Name of the table, also of the files of its report.
        title: Heading.
        dataset: Data set.
        rows: Rows, in order.
        actions: Actions that are printed and averaged over.
        frames: Forecast frames, counted from 0.
        detail: Print each action at each frame and their mean, or a single mean over actions and frames.
        windows: Window rule of the test clips.
        metric: Error at a frame or up to it.
        observed_frames: Frames that the models see.
        future_frames: Frames that they forecast.
        sources: Where published numbers are taken from, the first that has one; see
            `posegraph.evaluation.published.sources`.
        notes: What differs between this table as it is made here and as it was published, in sentences.

    Raises:
        ConfigError: There are no rows, actions or frames, or two rows share a name, or frames are not in order.
        UnknownNameError: No published number has such a source.

    Examples:
        >>> from posegraph.reproduce import Row, Table
        >>> mine = Table(
        ...     "mine",
        ...     title="My model beside Traj-GCN",
        ...     dataset="cmu",
        ...     rows=(Row("Traj-GCN", "traj-gcn"), Row("mine", "msrgcn", {"channels": 64})),
        ...     actions=("running", "walking"),
        ...     frames=(1, 9, 24),
        ...     sources=("MSR-GCN repository, datas_in_paper.md",),
        ... )
        >>> [row.compared_with for row in mine.rows]
        ['Traj-GCN', None]
    """

    name: str
    title: str
    dataset: str
    rows: tuple[Row, ...]
    actions: tuple[str, ...]
    frames: tuple[int, ...]
    detail: Detail = "actions"
    windows: str = "all"
    metric: Literal["mpjpe_at", "mpjpe_up_to"] = "mpjpe_at"
    observed_frames: int = 10
    future_frames: int = 25
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("rows", "actions", "frames"):
            if not getattr(self, name):
                raise ConfigError(f"table {self.name!r}: expected at least one of {name}, got none.")
        folders = [row.folder for row in self.rows]
        repeated = [row.label for row in self.rows if folders.count(row.folder) > 1]
        if repeated:
            raise ConfigError(f"table {self.name!r}: expected rows of different names, got {repeated}.")
        frames = list(self.frames)
        if frames != sorted(set(frames)) or not 0 <= frames[0] <= frames[-1] < self.future_frames:
            raise ConfigError(
                f"table {self.name!r}: expected forecast frames in 0..{self.future_frames - 1} in rising order, got "
                f"{frames}."
            )
        check_choice("detail", self.detail, get_args(Detail))
        for source in self.sources:
            if source not in published.sources():
                raise UnknownNameError("published source", source, published.sources())

    def select(self, labels: Sequence[str]) -> tuple[Row, ...]:
        """Rows by their labels, in the order of the table.

        Raises:
            UnknownNameError: There is no such row.
        """
        known = [row.label for row in self.rows]
        for label in labels:
            if label not in known:
                raise UnknownNameError(f"row of {self.name}", label, known)
        return tuple(row for row in self.rows if row.label in labels)
