"""`make bench`: pytest-benchmark measures by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_pytest_benchmark_times_variants(tmp_path: Path) -> None:
    """The smallest model, in a process of its own."""
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "benchmarks", "--benchmark-only"]
    options = ["--benchmark-max-time=0.01", "--benchmark-min-rounds=3", f"--benchmark-json={report}"]
    chosen = ["-k", "inference and zero-velocity and plain"]
    done = subprocess.run([*command, *options, *chosen], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "benchmark 'cpu inference zero-velocity batch=1'" in done.stdout
    found = [one for one in json.loads(report.read_text())["benchmarks"] if one["extra_info"]["device"] == "cpu"]
    assert [(one["extra_info"]["batch"], one["extra_info"]["precision"]) for one in found] == [
        (batch, precision) for batch in (1, 16) for precision in ("fp32", "bf16")
    ]
    assert all(one["stats"]["rounds"] >= 3 and one["stats"]["min"] > 0 for one in found)
    assert all(one["extra_info"]["error"] == 0 for one in found)
