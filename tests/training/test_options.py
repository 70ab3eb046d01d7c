from __future__ import annotations

import dataclasses
import sys

import pytest
import torch

from posegraph.errors import ConfigError, MissingDependencyError
from posegraph.training import Options


def test_options_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(("available", "place"), [(True, "cuda:0"), (False, "cpu")])
def test_a_gpu_is_the_default(monkeypatch, available, place):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert Options().place == torch.device(place)


def test_each_process_has_its_own_gpu(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert Options(device="cuda").place == torch.device("cuda", 3)
    assert Options(device="cuda:1").place == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "fp8"}, "precision: expected one of 'fp32', 'tf32', 'bf16', 'fp16'; got 'fp8'"),
        ({"acceleration": "warp"}, "acceleration: expected one of 'auto', 'none', 'compile'; got 'warp'"),
    ],
)
def test_values_are_checked(settings, message):
    with pytest.raises(ConfigError, match=message):
        Options(**settings)


@pytest.mark.parametrize("precision", ["fp16", "tf32"])
def test_some_precisions_need_a_gpu(precision):
    options = Options(precision=precision, device="cpu")
    message = f"precision '{precision}' needs a GPU, but the device is cpu. Use 'bf16' or 'fp32'."
    with pytest.raises(ConfigError, match=message):
        _ = options.place
    assert Options(precision=precision, device="cuda:0").place.type == "cuda"


def test_tensorboard_is_missed_before_training(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    Options(), Options(tensorboard=False)
    message = r"training with TensorBoard needs the package 'tensorboard', .* pip install 'posegraph\[log\]'"
    with pytest.raises(MissingDependencyError, match=message):
        Options(tensorboard=True)
