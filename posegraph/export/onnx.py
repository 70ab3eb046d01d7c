"""Any network as an ONNX model, which ONNX Runtime and OpenVINO read.

The network is exported by `torch.export` and written operation by operation, after everything that depends on no input
is computed. PyTorch's own exporter traces the program anew, which takes ten times as long; it serves networks with
operations that this module does not know.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import Any

import torch
from torch import nn

from posegraph._support.checks import import_optional
from posegraph.errors import ConfigError
from posegraph.export.aten import write
from posegraph.export.folded_onnx import to_onnx as folded_to_onnx
from posegraph.export.program import to_program
from posegraph.export.writer import UnknownOperationError
from posegraph.folding.network import FoldedNetwork

__all__ = ["to_onnx"]


def to_onnx(network: nn.Module, shape: tuple[int | None, ...], *, extra: str) -> bytes:
    """Write a network as an ONNX model in float32.

    Args:
        network: What to write; in float32 on the CPU.
        shape: Shape of the input. Networks that are not layered are written with an open batch in any case.
        extra: Extra of the library that installs the packages, for the message.

    Returns:
        The serialised model. Its input is named ``poses``, its open axis ``batch``.

    Raises:
        MissingDependencyError: The package onnx is not installed, or onnxscript for an operation that only PyTorch's
            exporter knows.
        ConfigError: PyTorch's exporter cannot write the network.
    """
    if isinstance(network, FoldedNetwork):
        return folded_to_onnx(network, shape, extra=extra)
    onnx: Any = import_optional("onnx", extra=extra, purpose="Writing a network for another runtime")
    program = to_program(network, (None, *shape[1:]))
    try:
        return write(program, onnx)
    except UnknownOperationError as unknown:
        return _by_pytorch(program, unknown, extra)


def _by_pytorch(program: torch.export.ExportedProgram, unknown: UnknownOperationError, extra: str) -> bytes:
    purpose = f"Writing {unknown} for another runtime"
    import_optional("onnxscript", extra=extra, purpose=purpose)
    log = logging.getLogger("torch.onnx")
    level = log.level
    try:
        log.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            exported = torch.onnx.export(program, (), dynamo=True, optimize=False, verbose=False)
        assert exported is not None
        return exported.model_proto.SerializeToString()
    except Exception as error:  # of many kinds: PyTorch wraps what its translators raise
        raise ConfigError(
            f"ONNX: PyTorch cannot write {unknown}: {error}. Use the backend 'eager' or 'aot'."
        ) from error
    finally:
        log.setLevel(level)
