from __future__ import annotations

from typing import get_args

import pytest
import torch

from posegraph._support.device import DTYPES, Precision, default_device


@pytest.mark.parametrize(("available", "device"), [(True, "cuda"), (False, "cpu")])
def test_a_gpu_is_taken_if_there_is_one(monkeypatch, available, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert default_device() == device


def test_every_precision_has_a_number_type():
    assert set(DTYPES) == set(get_args(Precision))
    assert {name: dtype.itemsize for name, dtype in DTYPES.items()} == {"fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2}
