from __future__ import annotations

import pytest
import torch
from torch import nn

from posegraph.errors import UnknownNameError
from posegraph.export.targets import TARGETS, find


@pytest.mark.parametrize("name", ["onnx", "pt2"])
def test_what_is_written_is_what_is_opened(name, tmp_path):
    if name == "onnx":
        pytest.importorskip("onnxruntime", reason="runs the file")
    network, path = nn.Linear(3, 2), tmp_path / f"network{TARGETS[name].suffix}"
    find(name).write(network, (None, 3), path)
    opened = find(name).open(path)
    x = torch.randn(5, 3)
    with torch.no_grad():
        torch.testing.assert_close(opened.run(x), network(x))
    assert opened.input == "poses"


def test_unknown_targets_are_refused():
    with pytest.raises(UnknownNameError, match=r"unknown export target 'pt'\. Did you mean 'pt2'"):
        find("pt")
