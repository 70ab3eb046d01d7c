from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from posegraph._support.checks import (
    check_choice,
    check_nodes,
    check_poses,
    check_positive,
    check_probability,
    import_optional,
)
from posegraph.errors import ConfigError, MissingDependencyError, ShapeError


def test_poses_that_fit_pass():
    check_poses("poses", torch.zeros(2, 10, 22, 3), frames=10, joints=22, remedy="")
    check_poses("poses", torch.zeros(2, 10, 22, 3), frames=None, joints=None, remedy="")
    check_poses("poses", torch.zeros(10, 22, 3, dtype=torch.float64), frames=10, joints=22, remedy="", batch=False)


@pytest.mark.parametrize(
    ("shape", "settings", "expected"),
    [
        ((2, 9, 22, 3), {"frames": 10, "joints": 22}, r"\(batch, 10 frames, 22 joints, 3\)"),
        ((2, 10, 21, 3), {"frames": None, "joints": 22}, r"\(batch, frames, 22 joints, 3\)"),
        ((2, 10, 22, 4), {"frames": None, "joints": None}, r"\(batch, frames, joints, 3\)"),
        ((10, 22, 3), {"frames": 10, "joints": 22}, r"\(batch, 10 frames, 22 joints, 3\)"),
        ((1, 10, 22, 3), {"frames": 10, "joints": 22, "batch": False}, r"\(10 frames, 22 joints, 3\)"),
        ((), {"frames": None, "joints": None}, r"\(batch, frames, joints, 3\)"),
    ],
)
def test_other_poses_are_refused(shape, settings, expected):
    with pytest.raises(ShapeError, match=rf"truth: expected {expected}, got .*\. Do this\."):
        check_poses("truth", torch.zeros(shape), **settings, remedy="Do this.")


def test_poses_are_floating_point():
    message = r"poses: expected a floating-point tensor, got torch.int32\. Convert it with `.float\(\)`"
    with pytest.raises(ShapeError, match=message):
        check_poses("poses", torch.zeros(1, 1, 1, 3, dtype=torch.int32), frames=None, joints=None, remedy="")


@pytest.mark.parametrize("shape", [(6, 4), (2, 5, 4), (2, 6, 3)])
def test_nodes(shape):
    check_nodes("input", torch.zeros(2, 6, 4), num_nodes=6, channels=4)
    message = r"input: expected \(batch, 6 nodes, 4 channels\), got .*rearrange poses with 'b t j c -> b \(j c\) t'"
    with pytest.raises(ShapeError, match=message):
        check_nodes("input", torch.zeros(shape), num_nodes=6, channels=4)


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", True, None])
def test_positive(value):
    check_positive(width=1, depth=7)
    with pytest.raises(ConfigError, match=f"depth: expected an integer of at least 1, got {value!r}"):
        check_positive(width=1, depth=value)


@pytest.mark.parametrize("value", [-0.1, 1, 1.0, "0.5", True, float("nan")])
def test_probability(value):
    check_probability(dropout=0, noise=0.999)
    with pytest.raises(ConfigError, match=rf"dropout: expected a number in \[0, 1\), got {value!r}"):
        check_probability(dropout=value)


def test_choice():
    check_choice("kind", "a", ("a", "b"))
    with pytest.raises(ConfigError, match="kind: expected one of 'a', 'b'; got 'c'"):
        check_choice("kind", "c", ("a", "b"))


def test_optional_imports():
    assert import_optional("json.decoder", extra="viz", purpose="Drawing").__name__ == "json.decoder"


def test_missing_optional_packages_name_their_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "absent", None)
    message = (
        r"Drawing needs the package 'absent', which is not installed. Install it with: pip install 'posegraph\[viz\]'"
    )
    with pytest.raises(MissingDependencyError, match=message) as caught:
        import_optional("absent.deep", extra="viz", purpose="Drawing")
    assert isinstance(caught.value.__cause__, ImportError)


def test_only_tensors_pass():
    with pytest.raises(ShapeError, match=r"truth: expected a PyTorch tensor, got ndarray\. Convert it with"):
        check_poses("truth", np.zeros((2, 10, 22, 3)), frames=10, joints=22, remedy="")
    with pytest.raises(ShapeError, match=r"input: expected a PyTorch tensor, got list\. Convert it with"):
        check_nodes("input", [[1.0]], num_nodes=1, channels=1)
