from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from posegraph.training import log
from posegraph.training.log import TrainingLog, epoch_progress


def write(folder: Path, epochs: range, *, resumed: int = 0, offset: float = 0.0) -> list[str]:
    written = TrainingLog(folder, resumed_epochs=resumed)
    for epoch in epochs:
        written.add({"epoch": epoch, "learning_rate": 5e-4, "loss": epoch / 3 + offset})
    written.close()
    return (folder / "log.csv").read_text().splitlines()


def board(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard")).Reload().Scalars(tag)
    return [(event.step, round(event.value, 4)) for event in events]


def test_every_epoch_is_a_row_and_a_point(tmp_path):
    assert write(tmp_path, range(1, 3)) == ["epoch,learning_rate,loss", "1,0.0005,0.333333", "2,0.0005,0.666667"]
    assert board(tmp_path, "loss") == [(1, 0.3333), (2, 0.6667)]
    assert board(tmp_path, "learning_rate") == [(1, 0.0005), (2, 0.0005)]


def test_a_row_is_written_when_it_is_added(tmp_path):
    log = TrainingLog(tmp_path, resumed_epochs=0)
    log.add({"epoch": 1, "loss": 2.0})
    assert (tmp_path / "log.csv").read_text() == "epoch,loss\n1,2\n"
    assert board(tmp_path, "loss") == [(1, 2.0)]
    log.close()


def test_a_resumed_log_drops_later_rows(tmp_path):
    first = write(tmp_path, range(1, 4))
    assert write(tmp_path, range(2, 5), resumed=1, offset=1.0) == [
        *first[:2],
        "2,0.0005,1.66667",
        "3,0.0005,2",
        "4,0.0005,2.33333",
    ]
    assert board(tmp_path, "loss") == [(1, 0.3333), (2, 1.6667), (3, 2.0), (4, 2.3333)]


def test_a_new_run_keeps_no_older_row(tmp_path):
    write(tmp_path, range(1, 4))
    assert len(write(tmp_path, range(1, 2))) == 2


def test_a_lost_file_starts_anew(tmp_path):
    assert write(tmp_path, range(3, 4), resumed=2) == ["epoch,learning_rate,loss", "3,0.0005,1"]


def test_the_csv_file_does_not_need_tensorboard(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert len(write(tmp_path, range(1, 3))) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


@pytest.mark.parametrize(
    ("terminal", "show", "drawn"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_progress_is_drawn_on_a_terminal_only(monkeypatch, capsys, terminal, show, drawn):
    monkeypatch.setattr(log, "_SHOW_SECONDS", -1.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with epoch_progress(10, done=4, label="epoch 1/2", show=show) as bar:
        for step in range(3):
            bar.step(torch.tensor([6.0, 6.8]) * (step + 1), 2 * (step + 1))
    text = capsys.readouterr().err
    assert ("epoch 1/2" in text and "7/10" in text and "loss 3.2" in text) is drawn
    assert bool(text) is drawn
