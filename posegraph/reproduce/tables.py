"""Tables of papers as data: which rows are trained, what is measured, what it is compared with.

The built-in ones, ``table1`` to ``table8``, are those of "MSR-GCN: Multi-Scale Residual Graph Convolution Networks
for Human Motion Prediction" (Dang et al., ICCV 2021). A table of your own is a `Table` as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from posegraph.data.benchmarks import cmu, h36m
from posegraph.errors import UnknownNameError
from posegraph.reproduce.table import Row, Table

__all__ = ["get", "names"]


def names() -> list[str]:
    """Names of the built-in tables."""
    return list(_TABLES)


def get(name: str) -> Table:
    """A built-in table.

    Args:
        name: One of `names`; "5", "Table 5" and "table-5" stand for ``"table5"``.

    Raises:
        UnknownNameError: There is no such table.

    Examples:
        >>> from posegraph.reproduce import tables
        >>> tables.get("5").title
        'MSR-GCN, Table 5: CMU Mocap, without the global residual'
    """
    plain = re.sub(r"[\s_-]", "", name.lower())
    full = f"table{plain}" if plain.isdecimal() else plain
    if full not in _TABLES:
        raise UnknownNameError("table", name, _TABLES)
    return _TABLES[full]


_ACTIONS: dict[str, dict[str, Any]] = {"cmu": {"actions": cmu.ACTIONS}, "h36m": {"actions": h36m.ACTIONS}}

_SIX = (1, 3, 7, 9, 13, 24)

_SHORT, _LONG = _SIX[:4], _SIX[4:]

_ALL_NUMBERS = "MSR-GCN repository, datas_in_paper.md"

_RETRAINED = "The published row is a re-training by the authors of MSR-GCN, whose code for it is not public."

_NO_CODE = "The authors published no code of this variant."

_RESIDUAL_SUP = Row(
    "Residual sup.",
    "residual-sup",
    notes=(_RETRAINED, "Here the authors' network reads and forecasts positions, with the label of the action."),
)

_DMGNN = Row(
    "DMGNN",
    "dmgnn-released",
    notes=(
        _RETRAINED,
        "Here the authors' network sees 10 positions in place of 50 rotations; the graphs for these joints are ours.",
    ),
)

# What their code has for 25 frames of this data set.
_DMGNN_CMU = replace(_DMGNN, settings={"noise": 0.0005, "late_weight": 2.0}, recipe={"learning_rate": 5e-5})

_TRAJ_GCN = Row(
    "Traj-GCN",
    "traj-gcn",
    notes=(_RETRAINED, "Here it is the authors' network and recipe, with all 35 DCT coefficients."),
)

_MSR_GCN = Row(
    "MSR-GCN",
    "msrgcn-released",
    notes=(
        "The authors stopped training by hand; the runs that they report end mostly at epochs 19 to 142. The recipe "
        "here has 100.",
    ),
)

_SYSTEMS = (_RESIDUAL_SUP, _DMGNN, _TRAJ_GCN, _MSR_GCN)

_SYSTEMS_CMU = (_RESIDUAL_SUP, _DMGNN_CMU, _TRAJ_GCN, _MSR_GCN)


def _variant(label: str, note: str, model: str = "msrgcn-released", /, **settings: Any) -> Row:
    return Row(label, model, settings, notes=(f"{_NO_CODE} {note}",))


_ONE_SCALE = _variant("MSR-GCN-1L", "Here it is the released network with its finest scale only.", channels=(64,))

_SELECTION = (
    "The authors of MSR-GCN kept the epoch with the lowest test error; how they chose it for the other rows is not "
    "published."
)

_BEST_OF_FIVE = (
    "The published MSR-GCN on Human3.6M is the best of five runs: 57.93 mm over all actions and frames, where the five "
    "have 58.37 on average."
)


def _table(
    number: int,
    dataset: str,
    title: str,
    rows: Sequence[Row],
    frames: tuple[int, ...],
    notes: tuple[str, ...] = (),
    **others: Any,
) -> Table:
    return Table(
        f"table{number}",
        title=f"MSR-GCN, Table {number}: {title}",
        dataset=dataset,
        rows=tuple(rows),
        frames=frames,
        sources=(f"MSR-GCN paper, Table {number}", _ALL_NUMBERS),
        notes=(_SELECTION, *notes),
        **{**_ACTIONS[dataset], **others},
    )


_TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _table(1, "h36m", "Human3.6M, short-term", _SYSTEMS, frames=_SHORT, notes=(_BEST_OF_FIVE,)),
        _table(
            2,
            "h36m",
            "Human3.6M, long-term",
            _SYSTEMS,
            actions=("walking", "eating", "smoking", "discussion", "directions"),
            frames=_LONG,
            notes=(_BEST_OF_FIVE, "The paper's average is over the five actions of this table."),
        ),
        _table(3, "cmu", "CMU Mocap, short-term", _SYSTEMS_CMU, frames=_SHORT),
        _table(4, "cmu", "CMU Mocap, long-term", _SYSTEMS_CMU, frames=_LONG[1:]),
        _table(
            5,
            "cmu",
            "CMU Mocap, without the global residual",
            [
                _DMGNN_CMU,
                _variant(
                    "Traj-GCN w/o global residual",
                    "Here the input is not added to the output.",
                    "traj-gcn",
                    global_residual=False,
                ),
                _TRAJ_GCN,
                _variant(
                    "MSR-GCN w/o global residual",
                    "Here no input is added at any scale.",
                    global_residual=False,
                ),
                _MSR_GCN,
            ],
            frames=_SIX,
            detail="mean",
        ),
        _table(
            6,
            "cmu",
            "CMU Mocap, without DCT or coarser scales",
            [
                _variant("Traj-GCN w/o DCT", "Here trajectories enter and leave as they are.", "traj-gcn", dct=False),
                _TRAJ_GCN,
                _ONE_SCALE,
                _MSR_GCN,
            ],
            frames=_SIX,
            detail="mean",
        ),
        _table(
            7,
            "cmu",
            "CMU Mocap, parts of the network",
            [
                _MSR_GCN,
                _variant(
                    "MSR-GCN w/o inter-loss",
                    "Here the loss is that of the finest scale, and the coarser scales have no heads.",
                    intermediate_supervision=False,
                ),
                _variant(
                    "MSR-GCN-3L",
                    "Here it is the released network without its coarsest scale.",
                    channels=(64, 128, 256),
                ),
                _variant(
                    "MSR-GCN-2L",
                    "Here it is the released network without its two coarsest scales.",
                    channels=(64, 128),
                ),
                _ONE_SCALE,
                _variant(
                    "MSR-FCL",
                    "The paper does not say what its fully connected layers connect; here each coordinate of a joint "
                    "is by itself, as if every adjacency were the identity.",
                    operator="per-node",
                ),
            ],
            actions=("running", "soccer", "walking", "jumping"),
            frames=(1, 3, 7, 9, 24),
        ),
        _table(
            8,
            "cmu",
            "CMU Mocap, groups of joints",
            [
                _MSR_GCN,
                *(
                    _variant(
                        f"MSR-GCN 25-12-7-4 random {seed}",
                        f"Its random groups are not published either; here they are drawn with seed {seed}.",
                        grouping=f"random-{seed}",
                    )
                    for seed in (1, 2, 3)
                ),
                Row(
                    "MSR-GCN 25-10-5-3",
                    "msrgcn-released",
                    {"grouping": "25-10-5-3"},
                    notes=(
                        "Here the groups are those that the authors' configuration lists but their code does not use.",
                    ),
                ),
            ],
            frames=_SIX,
            detail="mean",
        ),
    )
}
