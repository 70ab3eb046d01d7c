"""Published errors of human motion forecasting, every number with the table that it stands in.

The numbers are those of:

* MSR-GCN: Dang et al., "MSR-GCN: Multi-Scale Residual Graph Convolution Networks for Human Motion Prediction",
  ICCV 2021. Tables 1 to 8 of the paper, Tables 2 to 4 of its supplement, and the files ``README.md`` and
  ``datas_in_paper.md`` of its repository. The rows of other systems there are the authors' own re-trainings.
* Traj-GCN: Mao et al., "Learning Trajectory Dependencies for Human Motion Prediction", ICCV 2019. The results for
  positions in the ``README.md`` of its repository: a published checkpoint and two more runs.
* PGBIG: Ma et al., "Progressively Generating Better Initial Guesses Towards Next Stages for High-Quality Human Motion
  Prediction", CVPR 2022. Table 3 of the paper and the file ``test_all_eval.csv`` of its repository.

We thank the authors for publishing them. Each `Value` says what it is an error of: data set, window rule, metric,
actions and forecast frames. Millisecond labels are turned into frames, ``ms / 40 - 1``: "80 ms" is frame 1, "1000 ms"
frame 24. System names are the same in all sources.

To know before comparing:

* The average in Table 2 of the MSR-GCN paper is over the five actions printed there, not over all fifteen.
* The averages in Table 3 of the PGBIG paper leave out running. At frame 24 it prints 80.1, its own file gives 80.3.
* Tables 1 to 4 of the MSR-GCN paper differ from ``datas_in_paper.md`` in five values, by rounding: some were rounded
  to one decimal before. Tables 5 and 6 print 39.75 for Traj-GCN where that file has 39.76.
* The CMU results in the ``README.md`` of MSR-GCN are of another run than the paper's: 37.23 in place of 37.28.
* Table 3 of the MSR-GCN supplement prints the header "40" for 400 ms, and for CMU 3.98 where its own averages differ
  by 2.98.
* The CMU rows of Residual sup. look assigned to wrong actions: on walking it would be twice as bad as repeating the
  last pose. On Human3.6M it is worse than that at frame 1 for nine actions. The values say so in their ``note``.

Examples:
    >>> from posegraph.evaluation import published
    >>> (value,) = published.find(source="MSR-GCN paper, Table 5", system="MSR-GCN")
    >>> value.mm, value.frames, len(value.actions)
    (37.28, (1, 3, 7, 9, 13, 24), 8)
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Literal

from posegraph import data
from posegraph.errors import UnknownNameError

__all__ = ["Value", "find", "mean", "sources", "systems"]

_AVERAGE = "average"


@dataclass(frozen=True)
class Value:
    """One published number, and what it holds for.

    Args:
        mm: The number, in millimetres.
        dataset: Data set: ``"cmu"`` or ``"h36m"``.
        system: System, by the name that its paper uses.
        actions: The action, or the actions averaged over; empty if the source does not say which.
        frames: The forecast frame, counted from 0, or the frames averaged over.
        source: Where it stands.
        windows: Rule that chose the windows, by the name that it has here.
        metric: ``"mpjpe_at"`` or ``"mpjpe_up_to"``, or ``"difference of mpjpe_at"`` of two systems.
        future_frames: Frames that the network forecasts; some systems have another network for 10 than for 25.
        std: Standard deviation over ``runs``, if it was published.
        runs: Number of runs that ``mm`` is the mean of, if the source says so.
        note: What is wrong with it or not said of it.
    """

    mm: float
    dataset: str
    system: str
    actions: tuple[str, ...]
    frames: tuple[int, ...]
    source: str
    windows: str = "all"
    metric: str = "mpjpe_at"
    future_frames: int = 25
    std: float | None = None
    runs: int | None = None
    note: str = ""


def systems() -> list[str]:
    """Names of all systems with a published number, in the order of the sources."""
    return list(_known("system"))


def sources() -> list[str]:
    """Names of all sources: papers' tables and files of the authors' repositories."""
    return list(_known("source"))


def find(
    *,
    dataset: str | None = None,
    system: str | None = None,
    source: str | None = None,
    action: str | None = None,
    frame: int | Literal["average"] | None = None,
    windows: str | None = None,
    metric: str | None = None,
) -> tuple[Value, ...]:
    """The published numbers that fit all of what is given.

    Args:
        dataset: Data set.
        system: One of `systems`.
        source: One of `sources`.
        action: One action, or ``"average"`` for averages over several.
        frame: One forecast frame, or ``"average"`` for averages over several.
        windows: Window rule.
        metric: Metric.

    Returns:
        The values, in the order of the sources.

    Raises:
        UnknownNameError: No published number has such a data set, system, source, action, window rule or metric.

    Examples:
        >>> from posegraph.evaluation import published
        >>> for value in published.find(dataset="cmu", action="running", frame=24, system="MSR-GCN"):
        ...     print(value.mm, value.source)
        48.03 MSR-GCN paper, Table 4
        48.03 MSR-GCN paper, Table 7
        48.03 MSR-GCN repository, datas_in_paper.md
        43.62 MSR-GCN repository, README.md
    """
    wanted = {"dataset": dataset, "system": system, "source": source, "windows": windows, "metric": metric}
    for field, name in wanted.items():
        if name is not None and name not in _known(field):
            raise UnknownNameError(f"{field} of published numbers", name, _known(field))
    datasets = _known("dataset") if dataset is None else (dataset,)
    known = list(dict.fromkeys(own for name in datasets for own in data.info(name).actions))
    if action is not None and action not in (_AVERAGE, *known):
        raise UnknownNameError("action of published numbers", action, [*known, _AVERAGE])
    return tuple(
        value
        for value in _values()
        if all(name is None or getattr(value, field) == name for field, name in wanted.items())
        and _fits(action, value.actions)
        and _fits(frame, value.frames)
    )


def _fits(wanted: object, members: Sequence[object]) -> bool:
    """Whether a value of these actions or frames is the one wanted, or an average if that is wanted."""
    if wanted == _AVERAGE:
        return len(members) != 1
    return wanted is None or tuple(members) == (wanted,)


def mean(
    system: str,
    actions: Sequence[str],
    frames: Sequence[int],
    *,
    dataset: str,
    source: str,
    windows: str = "all",
    metric: str = "mpjpe_at",
    future_frames: int = 25,
) -> Value | None:
    """The published mean over some actions and frames: as printed, or computed from what is printed.

    Averages over other actions than a table's can only be compared with such a mean: numbers of two averages are not
    comparable.

    Args:
        system: System.
        actions: Actions to average over; a single one is possible.
        frames: Forecast frames to average over; a single one is possible.
        dataset: Data set.
        source: The only source to take numbers from.
        windows: Window rule.
        metric: Metric.
        future_frames: Frames that the network forecasts.

    Returns:
        The value, or None if the source does not have the numbers that the mean needs.

    Examples:
        >>> from posegraph.evaluation import published
        >>> table_3 = {"dataset": "cmu", "source": "MSR-GCN paper, Table 3"}
        >>> round(published.mean("MSR-GCN", ["running", "walking"], [9], **table_3).mm, 2)
        27.77
        >>> published.mean("MSR-GCN", ["running"], [24], **table_3) is None
        True
    """
    own = _printed(dataset, system, source, windows, metric, future_frames)
    return _mean_of(own, tuple(actions), tuple(frames))


_Key = tuple[frozenset[str], tuple[int, ...]]


def _mean_of(printed: dict[_Key, Value], actions: tuple[str, ...], frames: tuple[int, ...]) -> Value | None:
    if (value := printed.get((frozenset(actions), frames))) is not None:
        return value
    if len(frames) > 1:
        parts = [_mean_of(printed, actions, (frame,)) for frame in frames]
    elif len(actions) > 1:
        parts = [_mean_of(printed, (action,), frames) for action in actions]
    else:
        return None
    found = [part for part in parts if part is not None]
    if not found or len(found) < len(parts):
        return None
    note = "; ".join(dict.fromkeys(part.note for part in found if part.note))
    return replace(
        found[0],
        mm=sum(part.mm for part in found) / len(found),
        actions=actions,
        frames=frames,
        std=None,
        runs=None,
        note=note,
    )


@cache
def _printed(
    dataset: str, system: str, source: str, windows: str, metric: str, future_frames: int
) -> dict[_Key, Value]:
    wanted = (dataset, system, source, windows, metric, future_frames)
    return {
        (frozenset(value.actions), value.frames): value
        for value in _values()
        if (value.dataset, value.system, value.source, value.windows, value.metric, value.future_frames) == wanted
    }


@cache
def _known(field: str) -> tuple[str, ...]:
    """What stands in a field, in the order of the sources."""
    return tuple(dict.fromkeys(getattr(value, field) for value in _values()))


@cache
def _values() -> tuple[Value, ...]:
    text = resources.files(__name__).joinpath("values.csv").read_text(encoding="utf-8")
    return tuple(value for row in csv.DictReader(text.splitlines()) for value in _read_row(row))


def _read_row(row: dict[str, str]) -> Iterator[Value]:
    """The values of one line: one a frame, or one over the frames that a plus joins."""
    dataset, actions = row["dataset"], row["actions"]
    members = data.info(dataset).actions if actions == "all" else () if actions == "?" else tuple(actions.split())
    for frames, number in zip(row["frames"].split(), row["values"].split(), strict=True):
        yield Value(
            mm=float(number),
            dataset=dataset,
            system=row["system"],
            actions=members,
            frames=tuple(int(frame) for frame in frames.split("+")),
            source=row["source"],
            windows=row["windows"],
            metric=row["metric"],
            future_frames=int(row["future_frames"]),
            std=float(row["std"]) if row["std"] else None,
            runs=int(row["runs"]) if row["runs"] else None,
            note=row["note"],
        )
