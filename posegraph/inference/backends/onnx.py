"""ONNX Runtime."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from posegraph._support.checks import import_optional
from posegraph._support.device import Precision
from posegraph.export.onnx import to_onnx
from posegraph.folding.forecast import Shape
from posegraph.inference.backends.base import Backend, Run, register

__all__: list[str] = []


def _onnx(network: nn.Module, shape: Shape, precision: Precision, device: torch.device) -> Run:
    onnxruntime: Any = import_optional("onnxruntime", extra="onnx", purpose="The backend 'onnx'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0" if _passive() else "1")
    model = to_onnx(network, shape, extra="onnx")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    outputs = [session.get_outputs()[0].name]

    def run(frames: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(outputs, {name: frames.contiguous().numpy()})[0])

    return run


def _passive() -> bool:
    """Whether idle threads shall sleep, as PyTorch's do under the same setting."""
    return os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"


register(Backend("onnx", "ONNX Runtime", _onnx, faster_fixed=False, packages=("onnx", "onnxruntime")))
