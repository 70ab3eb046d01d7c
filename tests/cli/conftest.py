from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from posegraph import checkpoint, cli, registry
from posegraph.training import seed_everything


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    status: int
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command line, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Answer:
        capsys.readouterr()
        status = cli.main([str(argument) for argument in arguments])
        return Answer(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, hardly worth its name."""
    seed_everything(0)
    model = registry.build("msrgcn-1l", skeleton="cmu", channels=8, num_blocks=1)
    return checkpoint.save_checkpoint(model, tmp_path_factory.mktemp("checkpoint"))
