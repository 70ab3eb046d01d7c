"""Triton kernels: one for each layer, or one for the network."""

from __future__ import annotations

from typing import Any

import torch

from posegraph._support.device import Precision
from posegraph.folding.forecast import Shape
from posegraph.inference.backends.base import Backend, Run, register

__all__: list[str] = []


def _layers(network: Any, shape: Shape, precision: Precision, device: torch.device) -> Run:
    from posegraph.inference.triton.network import prepare_layers

    return prepare_layers(network, shape, precision, device)


def _whole(network: Any, shape: Shape, precision: Precision, device: torch.device) -> Run:
    from posegraph.inference.triton.network import prepare_whole

    return prepare_whole(network, shape, precision, device)


for _name, _summary, _prepare in (
    ("triton", "Triton kernels, one for each layer", _layers),
    ("triton-whole", "one Triton kernel for the network", _whole),
):
    register(
        Backend(
            _name,
            _summary,
            _prepare,
            precisions=("fp32", "tf32", "bf16"),
            model_precisions=(),
            devices=("cuda",),
            any_batch=False,
            recorded=True,
            packages=("triton",),
            extra="triton",
        )
    )
