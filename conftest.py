"""What the examples in README.md and docs/ need: a folder of their own to write to, and a registry left as it was."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from posegraph import registry

# Modules whose examples are looked for are imported; this one is kernels, and needs Triton for that.
collect_ignore = [] if importlib.util.find_spec("triton") else ["posegraph/inference/triton/kernels.py"]


@pytest.fixture(autouse=True)
def _examples_leave_nothing_behind(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    if request.node.path.suffix != ".md":
        yield
        return
    monkeypatch.chdir(tmp_path)
    # The plugin lets examples print on the terminal; captured, their output is shown when they fail.
    capture = request.config.pluginmanager.getplugin("capturemanager")
    monkeypatch.setattr(capture, "global_and_fixture_disabled", contextlib.nullcontext)
    before = registry.names()
    yield
    for name in set(registry.names()) - set(before):
        registry.unregister(name)
