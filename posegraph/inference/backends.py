"""What can run a folded network: PyTorch itself, its compilers, ONNX Runtime, OpenVINO."""

from __future__ import annotations

import copy
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from posegraph._checks import import_optional
from posegraph.errors import ConfigError, MissingDependencyError
from posegraph.inference.networks import FoldedNetwork
from posegraph.inference.onnx_graph import INPUT, to_onnx

__all__ = ["BACKENDS", "Backend", "Precision", "Run", "available", "find"]

Precision = Literal["fp32", "bf16"]
"""Number type of the products: float32, or bfloat16 with sums in float32."""
Run = Callable[[torch.Tensor], torch.Tensor]
"""A prepared network: float32 in, float32 out. It may return the same buffer at every call."""
_Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Backend:
    """A way to run a folded network."""

    name: str
    """Its name."""
    summary: str
    """One line."""
    prepare: Callable[[FoldedNetwork, _Shape, Precision], Run]
    """Make it ready for inputs of a shape, which is ``(observed_frames, nodes)`` or has the batch before it; None for
    a batch of any size."""
    precisions: tuple[Precision, ...] = ("fp32",)
    """What it computes in."""
    any_batch: bool = True
    """Whether it can leave the batch open."""
    quick: bool = True
    """Whether preparing takes seconds at most, so that measuring it to choose is worth the time."""
    packages: tuple[str, ...] = ()
    """What has to be installed."""
    needs_compiler: bool = False
    """Whether it runs a C++ compiler."""

    def missing(self) -> str | None:
        """Why it cannot be used here, and what to do; None if it can."""
        absent = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if absent:
            return (
                f"{' and '.join(map(repr, absent))} not installed. Install with: pip install 'posegraph[{self.name}]'"
            )
        if self.needs_compiler and _compiler() is None:
            return "no C++ compiler found. Install g++, or set CXX to one"
        return None


def _compiler() -> str | None:
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "cl"]
    return next((path for name in names if (path := shutil.which(name))), None)


def available() -> tuple[str, ...]:
    """Names of the backends that can be used here."""
    return tuple(name for name, backend in BACKENDS.items() if backend.missing() is None)


def find(name: str, precision: Precision) -> Backend:
    """A backend by name, ready to be used.

    Raises:
        ConfigError: There is none of this name, or it does not have the precision.
        MissingDependencyError: It needs something that is not installed.

    Examples:
        >>> from posegraph.inference.backends import find
        >>> find("eager", "bf16").summary
        'PyTorch, operation by operation'
    """
    if name not in BACKENDS:
        raise ConfigError(
            f"backend: expected 'auto', 'plain', {', '.join(map(repr, BACKENDS))}; got {name!r}. {_available()}"
        )
    backend = BACKENDS[name]
    if precision not in backend.precisions:
        others = ", ".join(repr(other.name) for other in BACKENDS.values() if precision in other.precisions)
        raise ConfigError(f"precision: backend {name!r} does not compute in {precision!r}. Use one of {others}.")
    why = backend.missing()
    if why is not None:
        raise MissingDependencyError(f"backend {name!r}: {why}. {_available()}")
    return backend


def _available() -> str:
    absent = "; ".join(f"not {name!r}: {why}" for name, b in BACKENDS.items() if (why := b.missing()) is not None)
    return f"Available here: {', '.join(map(repr, available()))}{f'; {absent}' if absent else ''}."


def _eager(network: FoldedNetwork, shape: _Shape, precision: Precision) -> Run:
    if precision == "fp32":
        return network
    narrow = _narrow(network)
    return lambda frames: narrow(frames.bfloat16()).float()


def _narrow(network: FoldedNetwork) -> FoldedNetwork:
    return copy.deepcopy(network).bfloat16()


def _example(shape: _Shape) -> torch.Tensor:
    sizes = [size for size in shape if size is not None]
    return torch.zeros(sizes)


def _compile(network: FoldedNetwork, shape: _Shape, precision: Precision) -> Run:
    run = torch.compile(_eager(network, shape, precision), dynamic=False)
    run(_example(shape))  # now rather than in the first forecast
    return run


class _Narrowed(torch.nn.Module):
    """A network in bfloat16 between inputs and outputs in float32."""

    def __init__(self, network: FoldedNetwork) -> None:
        super().__init__()
        self.network = _narrow(network)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.network(frames.bfloat16()).float()


def _aot(network: FoldedNetwork, shape: _Shape, precision: Precision) -> Run:
    from torch._inductor import aoti_compile_and_package, aoti_load_package

    module = network if precision == "fp32" else _Narrowed(network)
    exported = torch.export.export(module, (_example(shape),))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "network.pt2")
        aoti_compile_and_package(exported, package_path=path)
        run = aoti_load_package(path)
    return lambda frames: run(frames.contiguous())  # it does not look at strides


def _onnx(network: FoldedNetwork, shape: _Shape, precision: Precision) -> Run:
    onnxruntime: Any = import_optional("onnxruntime", extra="onnx", purpose="The backend 'onnx'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0" if _passive() else "1")
    model = to_onnx(network, shape, extra="onnx")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(frames: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {INPUT: frames.contiguous().numpy()})[0])

    return run


def _passive() -> bool:
    """Whether idle threads shall sleep, as PyTorch's do under the same setting."""
    return os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"


def _openvino(network: FoldedNetwork, shape: _Shape, precision: Precision) -> Run:
    openvino: Any = import_optional("openvino", extra="openvino", purpose="The backend 'openvino'")
    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],  # its own choice may be bfloat16
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    model = core.read_model(to_onnx(network, shape, extra="openvino"), b"")
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(frames: torch.Tensor) -> torch.Tensor:
        request.infer([openvino.Tensor(frames.contiguous().numpy(), shared_memory=True)], share_outputs=True)
        return torch.from_numpy(request.get_output_tensor(0).data)

    return run


BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend("eager", "PyTorch, operation by operation", _eager, ("fp32", "bf16")),
        Backend("onnx", "ONNX Runtime", _onnx, packages=("onnx", "onnxruntime")),
        Backend("openvino", "OpenVINO", _openvino, ("fp32", "bf16"), packages=("onnx", "openvino")),
        Backend(
            "compile",
            "torch.compile; compiles for up to a minute",
            _compile,
            ("fp32", "bf16"),
            any_batch=False,
            quick=False,
            needs_compiler=True,
        ),
        Backend(
            "aot",
            "AOTInductor; compiles for a minute",
            _aot,
            ("fp32", "bf16"),
            any_batch=False,
            quick=False,
            needs_compiler=True,
        ),
    )
}
"""All backends by name."""
