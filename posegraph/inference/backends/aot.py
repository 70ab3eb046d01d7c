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
from torch.fx import symbolic_trace

from posegraph._support.cache import cache_folder
from posegraph._support.files import replace_file
from posegraph.inference.choice import describe_machine

__all__ = ["is_kept", "load_or_compile"]


def load_or_compile(network: nn.Module, example: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """A network compiled for contiguous inputs on the CPU of one shape; from the cache folder if it is there.

    A cache that cannot be written is no error: the network is compiled again next time.

    Args:
        network: A module of matrix products, sums and activations.
        example: An input.
    """
    kept = _file(network, example)
    if kept is not None and _is_whole(kept):
        return _load(kept, example)
    with tempfile.TemporaryDirectory() as folder:
        compiled = _compile(network, example, Path(folder) / "network.pt2")
        if kept is not None:
            with contextlib.suppress(OSError):
                kept.parent.mkdir(parents=True, exist_ok=True)
                replace_file(kept, lambda file: file.write(compiled.read_bytes()))
        return _load(compiled, example)


def is_kept(network: nn.Module, example: torch.Tensor) -> bool:
    """Whether a network lies compiled in the cache folder."""
    folder = cache_folder()
    if folder is None or next(folder.glob("aot-*.pt2"), None) is None:  # most have none, and hashing weights takes time
        return False
    kept = _file(network, example)
    return kept is not None and _is_whole(kept)


def _file(network: nn.Module, example: torch.Tensor) -> Path | None:
    folder = cache_folder()
    if folder is None:
        return None
    traced = symbolic_trace(network)
    key = hashlib.sha256(json.dumps(describe_machine(), sort_keys=True).encode())
    key.update(f"{traced.code} {network} {tuple(example.shape)}".encode())
    for name, tensor in network.state_dict().items():
        key.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        key.update(tensor.contiguous().view(torch.uint8).numpy())
    return folder / f"aot-{key.hexdigest()[:24]}.pt2"


def _is_whole(path: Path) -> bool:
    """Whether the file is there and undamaged; a loader that is given half a library may end the process."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def _compile(network: nn.Module, example: torch.Tensor, path: Path) -> Path:
    from torch._inductor import aoti_compile_and_package

    exported = torch.export.export(network, (example,))
    aoti_compile_and_package(exported, package_path=str(path))
    return path


def _load(path: Path, example: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    from torch._inductor import aoti_load_package

    run = aoti_load_package(str(path))
    run(example)
    return run
