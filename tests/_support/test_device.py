from __future__ import annotations

from typing import get_args

import pytest
import torch

from posegraph._support.device import DTYPES, Precision, default_device


@pytest.mark.parametrize(("available", "device"), [(True, "cuda"), (False, "cpu")])
def test_a_gpu_is_taken_if_there_is_one(monkeypatch: pytest.MonkeyPatch, available: bool, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert default_device() == device


def test_every_precision_has_a_type() -> None:
    assert tuple(DTYPES) == get_args(Precision)
    assert {dtype.itemsize for name, dtype in DTYPES.items() if name in ("bf16", "fp16")} == {2}
