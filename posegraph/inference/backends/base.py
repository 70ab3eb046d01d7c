"""What a backend is, and how one is found by name."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from posegraph._support.device import Precision
from posegraph.errors import ConfigError, MissingDependencyError
from posegraph.folding.forecast import Shape
from posegraph.folding.network import FoldedNetwork

__all__ = ["BACKENDS", "Backend", "Run", "available", "example", "find", "fixed", "is_layered", "register"]

Run = Callable[[torch.Tensor], torch.Tensor]
"""A prepared network: float32 in, float32 out, from any thread. It may return the same buffer at every call."""

_CPU = torch.device("cpu")
_MODELS = "'static' and Triton kernels serve layered networks, which are those of MSR-GCN and Traj-GCN"


@dataclass(frozen=True)
class Backend:
    """A way to run a network: a layered one (`posegraph.folding.network`), or that of any model."""

    name: str
    """Its name."""
    summary: str
    """One line."""
    prepare: Callable[[nn.Module, Shape, Precision, torch.device], Run]
    """Make a network, which is on the device, ready for inputs of a shape."""
    precisions: tuple[Precision, ...] = ("fp32",)
    """What it computes layered networks in, TensorFloat-32 on CUDA devices only."""
    model_precisions: tuple[Precision, ...] = ("fp32",)
    """The same for networks that are not layered; none if it does not serve them."""
    devices: tuple[str, ...] = ("cpu",)
    """Types of device that it works on."""
    any_batch: bool = True
    """Whether it can leave the batch open."""
    faster_fixed: bool = True
    """Whether it is faster for a size that it is prepared for than with an open batch."""
    recorded: bool = False
    """Whether the whole forecast is recorded as a CUDA graph, where there is a CUDA device."""
    quick: bool = True
    """Whether preparing takes seconds at most, so that measuring it to choose is worth the time."""
    is_kept: Callable[[nn.Module, Shape, Precision, torch.device], bool] | None = None
    """Whether a network was prepared before and kept, so that preparing it is quick for once."""
    packages: tuple[str, ...] = ()
    """What has to be installed."""
    cuda_packages: tuple[str, ...] = ()
    """What has to be installed besides, to work on CUDA devices."""
    extra: str | None = None
    """The extra of the library that installs the packages; by default it has the name of the backend."""
    needs_compiler: bool = False
    """Whether it runs a C++ compiler."""

    def precisions_on(self, device: torch.device = _CPU, *, layered: bool = True) -> tuple[Precision, ...]:
        """What it computes in on a device; for networks that are not layered with ``layered=False``."""
        own = self.precisions if layered else self.model_precisions
        return tuple(name for name in own if name != "tf32" or device.type == "cuda")

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


BACKENDS: dict[str, Backend] = {}
"""All backends by name; `register` adds one."""


def register(backend: Backend) -> None:
    """Add a backend, or replace the one of the same name."""
    BACKENDS[backend.name] = backend


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


def find(name: str, precision: Precision, device: torch.device = _CPU, *, layered: bool = True) -> Backend:
    """A backend by name, ready to be used on a device.

    Args:
        name: Its name.
        precision: What it shall compute in.
        device: Where.
        layered: Whether it shall run a layered network.

    Raises:
        ConfigError: There is none of this name, or it does not have the precision, or not on this device, or does not
            serve networks of this kind.
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
    if not layered and not backend.model_precisions:
        others = ", ".join(repr(other.name) for other in BACKENDS.values() if other.model_precisions)
        raise ConfigError(
            f"backend {name!r}: expected a layered network, got a model of another kind. {_MODELS}; any model is "
            f"served by {others}."
        )
    if precision not in backend.precisions_on(device, layered=layered):
        others = [
            repr(other.name)
            for other in BACKENDS.values()
            if device.type in other.devices and precision in other.precisions_on(device, layered=layered)
        ]
        own = ", ".join(map(repr, backend.precisions_on(device, layered=layered)))
        this = "" if layered else "this model "
        raise ConfigError(
            f"precision: backend {name!r} does not compute {this}in {precision!r} on {_place(device)}, but in {own}. "
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


def is_layered(network: nn.Module) -> bool:
    """Whether a network holds folded layers and sums around them, and nothing else."""
    return isinstance(network, FoldedNetwork)


def fixed(shape: Shape) -> tuple[int, ...]:
    """A shape without an open batch."""
    return tuple(size for size in shape if size is not None)


def example(shape: Shape, device: torch.device) -> torch.Tensor:
    """An input of a shape."""
    return torch.zeros(fixed(shape), device=device)
