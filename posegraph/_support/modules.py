"""Other views of a PyTorch module: what a wrapper holds, and the module in evaluation mode."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

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
