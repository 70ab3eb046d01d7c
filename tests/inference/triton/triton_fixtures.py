"""Kernels that run here: interpreted on the CPU, and compiled where there is a CUDA device."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from posegraph.folding.layers import Affine, FoldedLayer
from posegraph.folding.network import FoldedNetwork
from posegraph.inference import triton
from posegraph.inference.triton.network import prepare_layers

__all__ = ["MARKS", "device", "for_the_compiler"]

MARKS = [
    pytest.mark.filterwarnings("ignore:Conversion of an array with ndim > 0:DeprecationWarning"),  # Triton 3.6, NumPy
    pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION"),
]
"""Of the tests that use the fixtures."""
KERNELS = "posegraph.inference.triton.kernels"


def _import_again(patch: pytest.MonkeyPatch) -> None:
    """Define the kernels anew, since Triton decides then whether to compile them; undone with the patch."""
    patch.delattr(triton, "kernels", raising=False)
    patch.delitem(sys.modules, KERNELS, raising=False)
    module = importlib.import_module(KERNELS)
    patch.setitem(sys.modules, KERNELS, module)
    patch.setattr(triton, "kernels", module)


@pytest.fixture(params=["interpreted", "compiled"])
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """The device on which the kernels run."""
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed")
    if request.param == "compiled":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        yield torch.device("cuda")
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        _import_again(patch)
        _skip_if_the_interpreter_is_broken()
        yield torch.device("cpu")


def _skip_if_the_interpreter_is_broken() -> None:
    """Triton 3.6 makes numbers of arrays in a way that NumPy 2.4 does not know any more."""
    from triton.runtime.errors import InterpreterError

    network = FoldedNetwork(FoldedLayer([Affine(right=torch.eye(2))]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            prepare_layers(network, (2, 2), "fp32", torch.device("cpu"))
    except InterpreterError as error:
        if "0-dimensional arrays" not in str(error):
            raise
        pytest.skip("the interpreter of this version of triton does not work with this version of numpy")


@pytest.fixture
def for_the_compiler(tmp_path: Path) -> Iterator[None]:
    """Kernels that Triton compiles."""
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "0")
        patch.setenv("TRITON_CACHE_DIR", str(tmp_path))
        _import_again(patch)
        yield
