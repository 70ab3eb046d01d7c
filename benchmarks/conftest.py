"""The options of `pytest benchmarks`, and the session that all its cases share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.session import Session

OUT = Path(".benchmarks") / "results.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("posegraph")
    group.addoption("--budget", type=float, default=600.0, metavar="SECONDS", help="time for all cases together")
    group.addoption("--results", type=Path, default=OUT, metavar="FILE", help=f"file of results, default {OUT}")


@pytest.fixture(scope="session")
def session(request: pytest.FixtureRequest) -> Session:
    """Shares the time among the cases that were selected."""
    config = request.config
    os.environ.setdefault("POSEGRAPH_CACHE", "off")  # or what was compiled before would be found there
    out = config.getoption("results")
    out.unlink(missing_ok=True)  # pytest-benchmark shows what was measured now
    cases = {str(item.callspec.params["case"]): item.callspec.params["case"] for item in request.session.items}
    return Session(
        list(cases.values()),
        out,
        seconds=config.getoption("budget"),
        command=f"python -m pytest {' '.join(config.invocation_params.args)}",
    )
