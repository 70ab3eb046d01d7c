from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_package_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "posegraph", "list"], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("models\n  dmgnn ")


def test_the_exit_status_is_that_of_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "posegraph", "info", "nothing"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 2
    assert done.stderr.startswith("posegraph: error: nothing: expected a trained model")
