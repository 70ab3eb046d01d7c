from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from posegraph import weights
from tests.weights import standin

# The same examples in every run, whatever the load of the machine.
settings.register_profile("posegraph", derandomize=True, deadline=None, database=None)
settings.load_profile("posegraph")

# Models of tests are small: more threads only wait for one another, for minutes where the machine has other work.
torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    """Keep parsed motion files out of the user's cache, in doctests as well."""
    folder = tempfile.TemporaryDirectory(prefix="posegraph-tests-")
    config.add_cleanup(folder.cleanup)
    os.environ["POSEGRAPH_CACHE"] = folder.name


@pytest.fixture(autouse=True)
def _ctrl_c_interrupts() -> Iterator[None]:
    """Heed SIGINT in a test and in the processes that it starts, as on a terminal.

    Where the tests run in the background (`make test &` in a script) the shell has it ignored; children inherit that.
    """
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture(scope="session")
def stand_in_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two training runs that differ by their seed."""
    folder = tmp_path_factory.mktemp("runs")
    return [standin.train(folder / f"seed-{seed}", seed) for seed in (0, 1)]


@pytest.fixture(scope="session")
def stand_in(stand_in_runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like that of the library's weights, with `tests.weights.standin.REFERENCE` in it. Not to be changed."""
    root = tmp_path_factory.mktemp("weights")
    standin.pack(stand_in_runs, root)
    return root


@pytest.fixture
def shipped(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As if the stand-in, and nothing else, came with the library."""
    monkeypatch.setattr(weights, "_ROOT", stand_in)
    return stand_in
