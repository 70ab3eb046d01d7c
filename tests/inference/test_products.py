from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import torch

from posegraph.inference.products import exact_products, tf32_products

CUDA: Any = torch.backends.cuda.matmul
CPU: Any = getattr(torch.backends.mkldnn, "matmul", None)
NEW = hasattr(CUDA, "fp32_precision")
# PyTorch 2.9 brought the new setting, and some versions since then warn of the old one.
pytestmark = pytest.mark.filterwarnings("ignore:.*new API settings.*:UserWarning")


def read(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        return getattr({"": torch, "cuda": CUDA, "cpu": CPU}[module], attribute)
    except RuntimeError:
        return "PyTorch refuses to tell"


def state() -> list[Any]:
    try:
        old = torch.get_float32_matmul_precision()
    except RuntimeError:
        old = "PyTorch refuses to tell"
    return [old, read("cuda.allow_tf32"), *([read("cuda.fp32_precision"), read("cpu.fp32_precision")] if NEW else [])]


def is_allowed() -> bool:
    return CUDA.fp32_precision == "tf32" if NEW else CUDA.allow_tf32


def fail_where(condition: bool) -> None:
    if condition:
        raise KeyError("stop")


def by_old_names(precision: str) -> None:
    torch.set_float32_matmul_precision(precision)


def by_flag(allowed: bool) -> None:
    CUDA.allow_tf32 = allowed


def by_new_name(module: Any, precision: str) -> None:
    if NEW:
        module.fp32_precision = precision


@pytest.fixture(autouse=True)
def _unchanged() -> Generator[None]:
    def reset() -> None:
        by_new_name(torch.backends, "none")
        by_old_names("highest")
        by_new_name(CUDA, "none")
        by_new_name(CPU, "none")

    reset()
    yield
    reset()


SETTINGS: dict[str, list[tuple[Any, ...]]] = {
    "as PyTorch starts": [],
    "flag on": [(by_flag, True)],
    "flag off": [(by_flag, False)],
    "medium": [(by_old_names, "medium")],
    "high": [(by_old_names, "high")],
    "medium, then flag off": [(by_old_names, "medium"), (by_flag, False)],
    "new setting alone": [(by_new_name, CUDA, "tf32")],
    "old on, new off": [(by_old_names, "high"), (by_new_name, CUDA, "ieee")],
    "for all devices": [(by_new_name, torch.backends, "tf32")],
    "bfloat16 on the CPU": [(by_old_names, "high"), (by_new_name, CPU, "bf16")],
}


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("name", SETTINGS)
def test_settings_hold_inside_and_are_as_before_afterwards(name: str, allowed: bool) -> None:
    for change, *arguments in SETTINGS[name]:
        change(*arguments)
    before = state()
    with tf32_products(allowed):
        assert is_allowed() == allowed
        with pytest.raises(KeyError, match="stop"), tf32_products(not allowed):
            fail_where(CUDA.allow_tf32 == is_allowed() == (not allowed))
        assert is_allowed() == allowed
    assert state() == before


def test_exact_products_are_free_of_autocast_and_tf32() -> None:
    x = torch.randn(4, 4)
    by_flag(True)
    before = state()
    with torch.autocast("cpu", torch.bfloat16):
        with exact_products(torch.device("cpu")):
            assert torch.equal(x @ x, torch.matmul(x, x).float())
            assert (x @ x).dtype == torch.float32
        assert (x @ x).dtype == torch.bfloat16
    with exact_products(torch.device("cuda", 0)):
        assert not CUDA.allow_tf32
    assert state() == before
