"""The command that writes files of results."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import run
from benchmarks.harness import results, roof
from benchmarks.suites import all as suite
from tests.benchmarks import toys


def test_the_command_writes_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roof, "measure", lambda device, seconds: toys.ROOF)
    out = tmp_path / "results.json"
    arguments = ["--kinds", "inference", "--models", "zero-velocity", "--minutes", "0.02", "--out", str(out)]
    assert run.main(arguments) == 0
    content = results.read(out)
    assert content["command"] == f"python -m benchmarks.run {' '.join(arguments)}"
    assert len(results.measured(content["rows"])) >= 2
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{out}: ")
    results.write(out, content | {"commit": "0123456789ab"})
    with pytest.raises(SystemExit):
        run.main(arguments)
    assert "expected results of this commit" in capsys.readouterr().err


def test_the_command_says_if_something_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no")

    monkeypatch.setattr(roof, "measure", lambda device, seconds: toys.ROOF)
    monkeypatch.setattr(suite, "cases", lambda *_, **__: [toys.case("a", plain=fail)])
    assert run.main(["--out", str(tmp_path / "results.json"), "--minutes", "0.01"]) == 1
