"""Networks compiled by AOTInductor, kept in the cache folder so that they are compiled once.

A compiled network is one file, named by a hash of its code, its weights, the shape of its input, the machine and the
versions. The files may be deleted at any time; with ``POSEGRAPH_CACHE=off`` every process compiles.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from posegraph._support.cache import cache_folder
from posegraph._support.device import Precision
from posegraph._support.files import replace_file
from posegraph._support.modules import tensor_bytes
from posegraph.folding.forecast import Shape
from posegraph.folding.tracing import operation_graph
from posegraph.inference.backends.base import Backend, Run, example, is_layered, register
from posegraph.inference.backends.eager import in_type
from posegraph.inference.choice import describe_machine

__all__ = ["is_kept", "load_or_compile"]


def load_or_compile(network: nn.Module, given: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """A network compiled for contiguous inputs on the CPU of one shape; from the cache folder if it is there.

    A cache that cannot be written is no error: the network is compiled again next time.

    Args:
        network: Any module.
        given: An input.
    """
    kept = _file(network, given)
    if kept is not None and _is_whole(kept):
        return _load(kept, given)
    with tempfile.TemporaryDirectory() as folder:
        compiled = _compile(network, given, Path(folder) / "network.pt2")
        if kept is not None:
            with contextlib.suppress(OSError):
                kept.parent.mkdir(parents=True, exist_ok=True)
                replace_file(kept, lambda file: file.write(compiled.read_bytes()))
        return _load(compiled, given)


def is_kept(network: nn.Module, given: torch.Tensor) -> bool:
    """Whether a network lies compiled in the cache folder."""
    folder = cache_folder()
    if folder is None or next(folder.glob(f"{_kind(network)}-*.pt2"), None) is None:
        return False  # as mostly: hashing weights takes time, exporting takes more
    kept = _file(network, given)
    return kept is not None and _is_whole(kept)


def _file(network: nn.Module, given: torch.Tensor) -> Path | None:
    folder = cache_folder()
    if folder is None:
        return None
    kind = _kind(network)
    traced = operation_graph(network) if kind == _LAYERED else _export(network, given).graph_module
    key = hashlib.sha256(json.dumps(describe_machine(), sort_keys=True).encode())
    key.update(f"{traced.code} {network} {tuple(given.shape)}".encode())
    for part in tensor_bytes((*network.named_parameters(), *network.named_buffers())):
        key.update(part)
    return folder / f"{kind}-{key.hexdigest()[:24]}.pt2"


_LAYERED, _MODEL = "aot", "aot-model"


def _kind(network: nn.Module) -> str:
    """Beginning of the file's name."""
    inner = network.get_submodule("network") if hasattr(network, "network") else network
    return _LAYERED if is_layered(network) or is_layered(inner) else _MODEL


def _export(network: nn.Module, given: torch.Tensor) -> torch.export.ExportedProgram:
    with torch.inference_mode(False), torch.no_grad():
        return torch.export.export(network, (given,))


def _is_whole(path: Path) -> bool:
    """Whether the file is there and undamaged; a loader that is given half a library may end the process."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def _compile(network: nn.Module, given: torch.Tensor, path: Path) -> Path:
    from torch._inductor import aoti_compile_and_package

    aoti_compile_and_package(_export(network, given), package_path=str(path))
    return path


def _load(path: Path, given: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    from torch._inductor import aoti_load_package

    run = aoti_load_package(str(path))
    run(given)
    return run


def _aot(network: nn.Module, shape: Shape, precision: Precision, device: torch.device) -> Run:
    run = load_or_compile(in_type(network, precision), example(shape, device))
    return lambda frames: run(frames.contiguous())  # it does not look at strides


def _is_aot_kept(network: nn.Module, shape: Shape, precision: Precision, device: torch.device) -> bool:
    return is_kept(in_type(network, precision), example(shape, device))


register(
    Backend(
        "aot",
        "AOTInductor; compiles for a minute, once for a network",
        _aot,
        precisions=("fp32", "bf16"),
        any_batch=False,
        quick=False,
        is_kept=_is_aot_kept,
        needs_compiler=True,
    )
)
