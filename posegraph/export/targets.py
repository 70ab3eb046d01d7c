"""What models can be exported to: how a file is written, and how its runtime runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from posegraph._support.checks import import_optional
from posegraph.errors import UnknownNameError
from posegraph.export.onnx import to_onnx
from posegraph.export.program import to_program

__all__ = ["TARGETS", "Opened", "Target", "find"]

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Opened:
    """An exported file, opened by its runtime."""

    run: Callable[[torch.Tensor], torch.Tensor]
    """Forecast; float32 on the CPU."""
    input: str
    """Name of the input."""
    output: str
    """Name of the output."""
    opset: int | None = None
    """Version of ONNX's operations; None for other files."""


@dataclass(frozen=True)
class Target:
    """A kind of file that models are exported to."""

    name: str
    """Its name, as in ``to="onnx"``."""
    suffix: str
    """How file names end."""
    summary: str
    """One line: what runs it."""
    write: Callable[[nn.Module, Shape, Path], None]
    """Write a module of one input and one output; None in the shape is the open batch."""
    open: Callable[[Path], Opened]
    """Open the file in its runtime."""


def _write_onnx(network: nn.Module, shape: Shape, path: Path) -> None:
    path.write_bytes(to_onnx(network, shape, extra="onnx"))


def _open_onnx(path: Path) -> Opened:
    purpose = "Checking the exported file"
    onnx: Any = import_optional("onnx", extra="onnx", purpose=purpose)
    onnxruntime: Any = import_optional("onnxruntime", extra="onnx", purpose=purpose)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors; its warnings are of constants that it does not fold
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name, result = session.get_inputs()[0].name, session.get_outputs()[0].name
    opset = next(entry.version for entry in onnx.load(str(path)).opset_import if entry.domain in ("", "ai.onnx"))
    return Opened(lambda poses: torch.from_numpy(session.run(None, {name: poses.numpy()})[0]), name, result, opset)


def _write_program(network: nn.Module, shape: Shape, path: Path) -> None:
    torch.export.save(to_program(network, shape), str(path))


def _open_program(path: Path) -> Opened:
    program = torch.export.load(str(path))
    return Opened(program.module(), "poses", "future")


def _write_library(network: nn.Module, shape: Shape, path: Path) -> None:
    from torch._inductor import aoti_compile_and_package

    aoti_compile_and_package(to_program(network, shape), package_path=str(path))


def _open_library(path: Path) -> Opened:
    from torch._inductor import aoti_load_package

    return Opened(aoti_load_package(str(path)), "poses", "future")


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("onnx", ".onnx", "ONNX Runtime, OpenVINO, browsers", _write_onnx, _open_onnx),
        Target("pt2", ".pt2", "PyTorch: torch.export.load, without this library", _write_program, _open_program),
        Target("aot", ".pt2", "PyTorch in Python or C++: compiled for this machine", _write_library, _open_library),
    )
}
"""All targets by name."""


def find(name: str) -> Target:
    """A target by name.

    Raises:
        UnknownNameError: There is none of this name.

    Examples:
        >>> from posegraph.export.targets import find
        >>> find("onnx").suffix
        '.onnx'
    """
    if name not in TARGETS:
        raise UnknownNameError("export target", name, TARGETS)
    return TARGETS[name]
