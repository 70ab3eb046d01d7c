"""Other views of a PyTorch module: what a wrapper holds, and the module in evaluation mode."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)

_SHARED = [key for key, value in vars(nn.Module()).items() if isinstance(value, dict) and key != "_modules"]
"""Of a module and its view: the dictionaries of parameters, of buffers, and of hooks."""


def unwrap(module: Any) -> Any:
    """The module inside of `torch.compile`, `torch.nn.DataParallel` or DistributedDataParallel; else the module itself.

    Examples:
        >>> from torch import nn
        >>> from posegraph._support.modules import unwrap
        >>> unwrap(nn.DataParallel(nn.Linear(2, 3)))
        Linear(in_features=2, out_features=3, bias=True)
    """
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(module, parallel):
            module = module.module
        elif isinstance(module, nn.Module) and "_orig_mod" in (inside := module.__dict__["_modules"]):
            module = inside["_orig_mod"]
        else:
            return module


def evaluation_view(module: M) -> M:
    """The module in evaluation mode, with the same parameters and buffers; the module itself is left as it is.

    Only the modules are copied. The view and the module share the dictionaries of parameters, buffers and hooks, so the
    view follows optimiser steps, running statistics, ``load_state_dict`` and ``to(device)``, and needs hardly any
    memory. It does not follow submodules and settings that are replaced later, and what `forward` notes in attributes
    stays with the view. The view never sees or changes a mode of the module: other threads may train it meanwhile; what
    the view computes then may mix weights of two steps.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from posegraph._support.modules import evaluation_view
        >>> network = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
        >>> view = evaluation_view(network)
        >>> view[0].weight is network[0].weight, view.training, network.training
        (True, False, True)
    """
    shared: dict[int, Any] = {}
    for own in module.modules():
        shared |= {id(own.__dict__[key]): own.__dict__[key] for key in _SHARED}
        tensors = (*own.__dict__["_parameters"].values(), *own.__dict__["_buffers"].values())
        shared |= {id(tensor): tensor for tensor in tensors if tensor is not None}  # attributes may name them as well
    return copy.deepcopy(module, shared).eval()


def tensor_bytes(tensors: Iterable[tuple[str, torch.Tensor]]) -> Iterator[bytes]:
    """Names, types, shapes and numbers of tensors on the CPU, for a digest.

    Examples:
        >>> import torch
        >>> from posegraph._support.modules import tensor_bytes
        >>> list(tensor_bytes([("x", torch.tensor([65], dtype=torch.int8))]))
        [b'x torch.int8 (1,)', b'A']
    """
    for name, tensor in tensors:
        yield f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode()
        yield tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def live_tensor(module: nn.Module) -> Callable[[], torch.Tensor]:
    """What gives a floating-point parameter or buffer as it is when it is asked for, without a walk over the modules.

    It tells the device and number type of a module whose tensors have the same. Of a module without any it gives an
    empty tensor on the CPU.

    Examples:
        >>> from torch import nn
        >>> from posegraph._support.modules import live_tensor
        >>> network = nn.Linear(2, 2)
        >>> tensor = live_tensor(network)
        >>> _ = network.double()
        >>> tensor().dtype
        torch.float64
    """
    for kind in ("_parameters", "_buffers"):
        for own in module.modules():
            table: dict[str, torch.Tensor | None] = own.__dict__[kind]
            for key, tensor in table.items():
                if tensor is not None and tensor.is_floating_point():
                    return partial(table.__getitem__, key)  # pyright: ignore[reportReturnType]
    return partial(torch.empty, 0)
