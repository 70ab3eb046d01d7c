from __future__ import annotations

import os
import tempfile

import pytest
import torch
from hypothesis import settings

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
