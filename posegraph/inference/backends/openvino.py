"""OpenVINO."""

from __future__ import annotations

import functools
import threading
from typing import Any

import torch
from torch import nn

from posegraph._support.checks import import_optional
from posegraph._support.device import Precision
from posegraph.export.onnx import to_onnx
from posegraph.folding.forecast import Shape
from posegraph.inference.backends.base import Backend, Run, fixed, register

__all__: list[str] = []


@functools.cache
def _core() -> Any:
    """The one core of the process.

    A core gives the thread that makes it a stack for signal handlers, and takes it away when it ends. After two cores
    that ended in the order in which they began, the stack is in memory that is gone: the next signal ends the process.
    """
    openvino: Any = import_optional("openvino", extra="openvino", purpose="The backend 'openvino'")
    return openvino.Core()


def _openvino(network: nn.Module, shape: Shape, precision: Precision, device: torch.device) -> Run:
    openvino: Any = import_optional("openvino", extra="openvino", purpose="The backend 'openvino'")
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",  # its own choice may be bfloat16
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    model = _core().read_model(to_onnx(network, shape, extra="openvino"), b"")
    if None not in shape:
        model.reshape({0: list(shape)})
    compiled = _core().compile_model(model, "CPU", settings)
    own = threading.local()  # a request has one set of buffers

    def run_any(frames: torch.Tensor) -> torch.Tensor:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        own.request.infer([openvino.Tensor(frames.contiguous().numpy(), shared_memory=True)], share_outputs=True)
        return torch.from_numpy(own.request.get_output_tensor(0).data)

    def run_fixed(frames: torch.Tensor) -> torch.Tensor:
        """With memory that the request knows already: handing it over takes 60 microseconds."""
        if not hasattr(own, "request"):
            request = compiled.create_infer_request()
            given = torch.empty(fixed(shape))
            request.set_input_tensor(openvino.Tensor(given.numpy(), shared_memory=True))
            own.request, own.given, own.result = request, given, torch.from_numpy(request.get_output_tensor(0).data)
        own.given.copy_(frames)
        own.request.start_async()
        own.request.wait()
        return own.result

    return run_any if None in shape else run_fixed


register(Backend("openvino", "OpenVINO", _openvino, ("fp32", "bf16"), ("fp32", "bf16"), packages=("onnx", "openvino")))
