"""What can run a folded network: PyTorch itself, its compilers, Triton kernels, ONNX Runtime, OpenVINO."""

from __future__ import annotations

import copy
import functools
import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.fx import symbolic_trace

from posegraph._support.checks import import_optional
from posegraph.errors import ConfigError, MissingDependencyError
from posegraph.export.folded_onnx import INPUT, to_onnx
from posegraph.folding.network import FoldedNetwork
from posegraph.inference.backends.aot import is_kept, load_or_compile
from posegraph.inference.backends.static import StaticNetwork
from posegraph.inference.products import tf32_products

__all__ = ["BACKENDS", "Backend", "Precision", "Run", "Shape", "available", "find"]

Precision = Literal["fp32", "tf32", "bf16"]
"""Number type of the products: float32, TensorFloat-32 (on CUDA devices), or bfloat16 with sums in float32."""
Run = Callable[[torch.Tensor], torch.Tensor]
"""A prepared network: float32 in, float32 out. It may return the same buffer at every call."""
Shape = tuple[int | None, ...]
"""Of the input of a network: ``(batch, observed_frames, nodes)``, with None for a batch of any size; or without the
batch, for a single window."""

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Backend:
    """A way to run a folded network."""

    name: str
    """Its name."""
    summary: str
    """One line."""
    prepare: Callable[[FoldedNetwork, Shape, Precision, torch.device], Run]
    """Make a network, which is on the device, ready for inputs of a shape."""
    precisions: tuple[Precision, ...] = ("fp32",)
    """What it computes in, TensorFloat-32 on CUDA devices only."""
    devices: tuple[str, ...] = ("cpu",)
    """Types of device that it works on."""
    any_batch: bool = True
    """Whether it can leave the batch open."""
    recorded: bool = False
    """Whether the whole forecast is recorded as a CUDA graph, where there is a CUDA device."""
    quick: bool = True
    """Whether preparing takes seconds at most, so that measuring it to choose is worth the time."""
    is_kept: Callable[[FoldedNetwork, Shape, Precision, torch.device], bool] | None = None
    """Whether a network was prepared before and kept, so that preparing it is quick for once."""
    packages: tuple[str, ...] = ()
    """What has to be installed."""
    cuda_packages: tuple[str, ...] = ()
    """What has to be installed besides, to work on CUDA devices."""
    extra: str | None = None
    """The extra of the library that installs the packages; by default it has the name of the backend."""
    needs_compiler: bool = False
    """Whether it runs a C++ compiler."""

    def precisions_on(self, device: torch.device = _CPU) -> tuple[Precision, ...]:
        """What it computes in on a device."""
        return tuple(name for name in self.precisions if name != "tf32" or device.type == "cuda")

    def missing(self, device: torch.device = _CPU) -> str | None:
        """Why it cannot be used on a device of this machine, and what to do; None if it can."""
        if device.type not in self.devices:
            return _elsewhere(self.devices)
        packages = (*self.packages, *(self.cuda_packages if device.type == "cuda" else ()))
        absent = [package for package in packages if importlib.util.find_spec(package) is None]
        if absent:
            extra = self.extra or self.name
            return f"{' and '.join(map(repr, absent))} not installed. Install with: pip install 'posegraph[{extra}]'"
        if self.needs_compiler and _compiler() is None:
            return "no C++ compiler found. Install g++, or set CXX to one"
        return None


def _elsewhere(devices: tuple[str, ...]) -> str:
    if "cpu" in devices:
        return "works on the CPU only"
    return "works on CUDA devices only" + ("" if torch.cuda.is_available() else ", and there is no CUDA device")


def _compiler() -> str | None:
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "cl"]
    return next((path for name in names if (path := shutil.which(name))), None)


def available(device: torch.device = _CPU) -> tuple[str, ...]:
    """Names of the backends that can be used on a device of this machine."""
    return tuple(name for name, backend in BACKENDS.items() if backend.missing(device) is None)


def find(name: str, precision: Precision, device: torch.device = _CPU) -> Backend:
    """A backend by name, ready to be used on a device.

    Raises:
        ConfigError: There is none of this name, or it does not have the precision, or not on this device.
        MissingDependencyError: It needs something that is not installed.

    Examples:
        >>> from posegraph.inference.backends import find
        >>> find("eager", "bf16").summary
        'PyTorch, operation by operation'
    """
    if name not in BACKENDS:
        raise ConfigError(
            f"backend: expected 'auto', 'plain', {', '.join(map(repr, BACKENDS))}; got {name!r}. {_available(device)}"
        )
    backend = BACKENDS[name]
    why = backend.missing(device)
    if device.type not in backend.devices:
        raise ConfigError(f"backend {name!r}: {why}; got a model on {_place(device)}. {_available(device)}")
    if precision not in backend.precisions_on(device):
        others = [
            repr(other.name)
            for other in BACKENDS.values()
            if device.type in other.devices and precision in other.precisions_on(device)
        ]
        own = ", ".join(map(repr, backend.precisions_on(device)))
        raise ConfigError(
            f"precision: backend {name!r} does not compute in {precision!r} on {_place(device)}, but in {own}. "
            f"{precision!r} there: {', '.join(others) or 'none'}."
        )
    if why is not None:
        raise MissingDependencyError(f"backend {name!r}: {why}. {_available(device)}")
    return backend


def _place(device: torch.device) -> str:
    return "the CPU" if device.type == "cpu" else str(device)


def _available(device: torch.device) -> str:
    absent = "; ".join(f"not {name!r}: {why}" for name, b in BACKENDS.items() if (why := b.missing(device)) is not None)
    here = ", ".join(map(repr, available(device)))
    return f"Available on {_place(device)}: {here}{f'; {absent}' if absent else ''}."


class _Narrowed(torch.nn.Module):
    """A network in bfloat16 between inputs and outputs in float32."""

    def __init__(self, network: FoldedNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).bfloat16()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.network(frames.bfloat16()).float()


def _in_type(network: FoldedNetwork, precision: Precision) -> FoldedNetwork | _Narrowed:
    return _Narrowed(network) if precision == "bf16" else network


def _with_tf32(run: Run, precision: Precision) -> Run:
    if precision != "tf32":
        return run

    def allowed(frames: torch.Tensor) -> torch.Tensor:
        with tf32_products(True):
            return run(frames)

    return allowed


def _eager(network: FoldedNetwork, shape: Shape, precision: Precision, device: torch.device) -> Run:
    return _with_tf32(_in_type(network, precision), precision)


def _static(network: FoldedNetwork, shape: Shape, precision: Precision, device: torch.device) -> Run:
    typed = copy.deepcopy(network).bfloat16() if precision == "bf16" else network
    run = StaticNetwork(typed, _fixed(shape))
    return lambda frames: run(frames).float()


def _fixed(shape: Shape) -> tuple[int, ...]:
    return tuple(size for size in shape if size is not None)


def _example(shape: Shape, device: torch.device) -> torch.Tensor:
    return torch.zeros(_fixed(shape), device=device)


def _compile(network: FoldedNetwork, shape: Shape, precision: Precision, device: torch.device) -> Run:
    # Traced, each network has code of its own: torch.compile gives up on code that it has compiled eight times.
    compiled = torch.compile(symbolic_trace(_in_type(network, precision)), dynamic=False)
    run = _outside_of_inference_mode(_with_tf32(compiled, precision))
    run(_example(shape, device))  # now rather than in the first forecast
    return run


def _outside_of_inference_mode(run: Run) -> Run:
    """For torch.compile, which compiles again for tensors of inference mode."""

    def outside(frames: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(False), torch.no_grad():
            return run(frames.clone() if frames.is_inference() else frames)

    return outside


def _triton(network: FoldedNetwork, shape: Shape, precision: Precision, device: torch.device) -> Run:
    from posegraph.inference.triton.network import prepare_layers

    return prepare_layers(network, shape, precision, device)


def _triton_whole(network: FoldedNetwork, shape: Shape, precision: Precision, device: torch.device) -> Run:
    from posegraph.inference.triton.network import prepare_whole

    return prepare_whole(network, shape, precision, device)


def _aot(network: FoldedNetwork, shape: Shape, precision: Precision, device: torch.device) -> Run:
    run = load_or_compile(_in_type(network, precision), _example(shape, device))
    return lambda frames: run(frames.contiguous())  # it does not look at strides


def _is_aot_kept(network: FoldedNetwork, shape: Shape, precision: Precision, device: torch.device) -> bool:
    return is_kept(_in_type(network, precision), _example(shape, device))


def _onnx(network: FoldedNetwork, shape: Shape, precision: Precision, device: torch.device) -> Run:
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


@functools.cache
def _openvino_core() -> Any:
    """The one core of the process.

    A core gives the thread that makes it a stack for signal handlers, and takes it away when it ends. After two cores
    that ended in the order in which they began, the stack is in memory that is gone: the next signal ends the process.
    """
    openvino: Any = import_optional("openvino", extra="openvino", purpose="The backend 'openvino'")
    return openvino.Core()


def _openvino(network: FoldedNetwork, shape: Shape, precision: Precision, device: torch.device) -> Run:
    openvino: Any = import_optional("openvino", extra="openvino", purpose="The backend 'openvino'")
    core = _openvino_core()
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",  # its own choice may be bfloat16
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    model = core.read_model(to_onnx(network, shape, extra="openvino"), b"")
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(frames: torch.Tensor) -> torch.Tensor:
        request.infer([openvino.Tensor(frames.contiguous().numpy(), shared_memory=True)], share_outputs=True)
        return torch.from_numpy(request.get_output_tensor(0).data)

    return run


_ALL: tuple[Precision, ...] = ("fp32", "tf32", "bf16")
BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend("eager", "PyTorch, operation by operation", _eager, _ALL, ("cpu", "cuda")),
        Backend("static", "PyTorch, with memory planned beforehand", _static, ("fp32", "bf16"), any_batch=False),
        Backend("graph", "PyTorch, recorded as a CUDA graph", _eager, _ALL, ("cuda",), recorded=True),
        Backend(
            "triton",
            "Triton kernels, one for each layer",
            _triton,
            _ALL,
            ("cuda",),
            any_batch=False,
            recorded=True,
            packages=("triton",),
        ),
        Backend(
            "triton-whole",
            "one Triton kernel for the network",
            _triton_whole,
            _ALL,
            ("cuda",),
            any_batch=False,
            recorded=True,
            packages=("triton",),
            extra="triton",
        ),
        Backend("onnx", "ONNX Runtime", _onnx, packages=("onnx", "onnxruntime")),
        Backend("openvino", "OpenVINO", _openvino, ("fp32", "bf16"), packages=("onnx", "openvino")),
        Backend(
            "compile",
            "torch.compile; compiles for up to a minute",
            _compile,
            _ALL,
            ("cpu", "cuda"),
            any_batch=False,
            recorded=True,
            quick=False,
            cuda_packages=("triton",),
            extra="triton",
            needs_compiler=True,
        ),
        Backend(
            "aot",
            "AOTInductor; compiles for a minute, once for a network",
            _aot,
            ("fp32", "bf16"),
            any_batch=False,
            quick=False,
            is_kept=_is_aot_kept,
            needs_compiler=True,
        ),
    )
}
"""All backends by name."""
