from __future__ import annotations

import dataclasses

import pytest

from posegraph.errors import ConfigError, UnknownNameError
from posegraph.reproduce import Row, tables
from tests.reproduce.arms import TRAJ, table


def test_rows_are_selected_in_order():
    own = tables.get("1")
    assert [row.label for row in own.select(["MSR-GCN", "DMGNN"])] == ["DMGNN", "MSR-GCN"]
    with pytest.raises(UnknownNameError, match=r"unknown row of table1 'MSRGCN'\. Did you mean 'MSR-GCN'"):
        own.select(["MSRGCN"])


def test_a_label_names_a_folder_and_a_system():
    assert Row("MSR-GCN w/o inter-loss", "msrgcn").folder == "msr-gcn-w-o-inter-loss"
    assert Row("PGBIG", "pgbig").compared_with == "PGBIG"
    assert Row("mine", "pgbig").compared_with is None
    assert Row("mine", "pgbig", system="PGBIG").compared_with == "PGBIG"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Row("+-+", "pgbig"), ConfigError, r"label: expected a name with letters or digits, got '\+-\+'\."),
        (
            lambda: Row("mine", "pgbig", system="PGBG"),
            UnknownNameError,
            r"unknown published system 'PGBG'\. Did you mean 'PGBIG'",
        ),
        (lambda: table(rows=()), ConfigError, r"table 'arms': expected at least one of rows, got none\."),
        (lambda: table(actions=()), ConfigError, r"table 'arms': expected at least one of actions, got none\."),
        (lambda: table(frames=()), ConfigError, r"table 'arms': expected at least one of frames, got none\."),
        (
            lambda: table(TRAJ, dataclasses.replace(TRAJ, label="small: traj gcn")),
            ConfigError,
            r"table 'arms': expected rows of different names, got \['small Traj-GCN', 'small: traj gcn'\]",
        ),
        (
            lambda: table(frames=(2, 0)),
            ConfigError,
            r"expected forecast frames in 0\.\.2 in rising order, got \[2, 0\]",
        ),
        (
            lambda: table(frames=(1, 3)),
            ConfigError,
            r"expected forecast frames in 0\.\.2 in rising order, got \[1, 3\]",
        ),
        (lambda: table(detail="all"), ConfigError, r"detail: expected one of 'actions', 'mean'; got 'all'\."),
        (
            lambda: table(sources=("MSR-GCN paper",)),
            UnknownNameError,
            r"unknown published source 'MSR-GCN paper'\. Did you mean 'MSR-GCN paper, Table \d'",
        ),
    ],
)
def test_what_cannot_be_a_table_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
