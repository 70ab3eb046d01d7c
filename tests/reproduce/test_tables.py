from __future__ import annotations

import pytest

from posegraph import data, registry
from posegraph.data.benchmarks import cmu, h36m
from posegraph.errors import UnknownNameError
from posegraph.evaluation import published
from posegraph.reproduce import tables
from posegraph.reproduce.coverage import Coverage
from posegraph.reproduce.setup import Setup, build
from posegraph.skeleton import presets
from tests.data.motion import still_clip

ROWS = [(name, row.label) for name in tables.names() for row in tables.get(name).rows]


def test_the_tables_of_the_paper_are_there():
    assert tables.names() == [f"table{number}" for number in range(1, 9)]
    printed = {name: (t.dataset, len(t.rows), len(t.actions), t.frames, t.detail) for name, t in tables._TABLES.items()}
    six = (1, 3, 7, 9, 13, 24)
    assert printed == {
        "table1": ("h36m", 4, 15, (1, 3, 7, 9), "actions"),
        "table2": ("h36m", 4, 5, (13, 24), "actions"),
        "table3": ("cmu", 4, 8, (1, 3, 7, 9), "actions"),
        "table4": ("cmu", 4, 8, (24,), "actions"),
        "table5": ("cmu", 5, 8, six, "mean"),
        "table6": ("cmu", 4, 8, six, "mean"),
        "table7": ("cmu", 6, 4, (1, 3, 7, 9, 24), "actions"),
        "table8": ("cmu", 5, 8, six, "mean"),
    }


@pytest.mark.parametrize("name", tables.names())
def test_tables_print_what_the_paper_printed(name):
    """Every number of the paper's table has a cell: rows, actions, frames and averages are the table's."""
    own = tables.get(name)
    source = f"MSR-GCN paper, Table {name[-1]}"
    assert own.sources[0] == source
    values = published.find(source=source)
    assert {value.dataset for value in values} == {own.dataset}
    assert {value.windows for value in values} == {own.windows}
    assert [row.compared_with for row in own.rows if row.compared_with is None] == []
    assert {value.system for value in values} == {row.compared_with for row in own.rows}
    single = {value.actions[0] for value in values if len(value.actions) == 1}
    assert single == (set(own.actions) if own.detail == "actions" else set())
    assert {value.actions for value in values if len(value.actions) > 1} <= {own.actions}
    frames = {value.frames for value in values}
    assert frames == ({(frame,) for frame in own.frames} if own.detail == "actions" else {own.frames})


@pytest.mark.parametrize(("name", "label"), ROWS, ids=lambda value: str(value).replace(" ", "-"))
def test_rows_are_what_their_names_say(name, label):
    own = tables.get(name)
    (row,) = own.select([label])
    clips = {"train": [still_clip(own.dataset, 40, action=action) for action in own.actions[:1]]}
    actions = {"cmu": cmu.ACTIONS, "h36m": h36m.ACTIONS}[own.dataset]
    dataset = data.MotionDataset(own.dataset, presets.get(own.dataset), clips, actions=actions)
    setup = Setup(own, dataset, Coverage({}, {}, {}, ()))
    model = build(setup, row)
    assert (model.observed_frames, model.future_frames, model.skeleton.name) == (10, 25, own.dataset)
    assert model.actions == (actions if label == "Residual sup." else ())
    assert setup.recipe(row) == registry.info(row.model).recipe.replace(**row.recipe)
    if label.startswith("MSR-GCN-"):
        assert len(model.groupings) + 1 == int(label[8])
    if "25-12-7-4" in label or label == "MSR-GCN":
        assert [level.num_groups for level in model.groupings] == [12, 7, 4]
    if "25-10-5-3" in label:
        assert [level.num_groups for level in model.groupings] == [10, 5, 3]
    if "random" in label:
        assert row.settings == {"grouping": f"random-{label[-1]}"}
    if "w/o global residual" in label:
        assert model.config.global_residual is False
    elif hasattr(model.config, "global_residual"):
        assert model.config.global_residual is True


def test_tables_are_found_by_name_or_number():
    assert tables.get("7") is tables.get("table-7") is tables.get("Table 7") is tables.get("table7")
    with pytest.raises(UnknownNameError, match=r"unknown table 'tabel-3'\. Did you mean 'table\d'\? Known: table1, "):
        tables.get("tabel-3")
    with pytest.raises(UnknownNameError, match=r"unknown table '9'\."):
        tables.get("9")
