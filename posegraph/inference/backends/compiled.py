"""torch.compile."""

from __future__ import annotations

import torch
from torch import nn

from posegraph._support.device import Precision
from posegraph.export.program import to_program
from posegraph.folding.forecast import Shape
from posegraph.folding.tracing import operation_graph
from posegraph.inference.backends.base import Backend, Run, example, fixed, is_layered, register
from posegraph.inference.backends.eager import in_type, with_tf32

__all__: list[str] = []


def _compile(network: nn.Module, shape: Shape, precision: Precision, device: torch.device) -> Run:
    # Traced, each network has code of its own: torch.compile gives up on code that it has compiled eight times.
    if is_layered(network):
        traced: nn.Module = operation_graph(in_type(network, precision))
    else:
        traced = to_program(network, fixed(shape)).module()
    run = _outside_of_inference_mode(with_tf32(torch.compile(traced, dynamic=False), precision))
    run(example(shape, device))  # now rather than in the first forecast
    return run


def _outside_of_inference_mode(run: Run) -> Run:
    """For torch.compile, which compiles again for tensors of inference mode."""

    def outside(frames: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(False), torch.no_grad():
            return run(frames.clone() if frames.is_inference() else frames)

    return outside


register(
    Backend(
        "compile",
        "torch.compile; compiles for up to a minute",
        _compile,
        precisions=("fp32", "tf32", "bf16"),
        model_precisions=("fp32", "tf32"),
        devices=("cpu", "cuda"),
        any_batch=False,
        recorded=True,
        quick=False,
        cuda_packages=("triton",),
        extra="triton",
        needs_compiler=True,
    )
)
