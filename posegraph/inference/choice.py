"""Which backend is the quickest here: measured once for a model, machine and device, then remembered.

The choice lies in the cache folder of `posegraph._support.cache`, one small JSON file for each question. Delete the
files, or set ``POSEGRAPH_CACHE=off``, to measure again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from posegraph._support.cache import cache_folder
from posegraph._support.files import replace_file
from posegraph._version import __version__
from posegraph.models.base import ForecastModel

__all__ = ["describe_machine", "measure", "question", "recall", "remember"]

_Run = Callable[[torch.Tensor], torch.Tensor]
_PACKAGES = ("torch", "triton", "onnx", "onnxruntime", "openvino")
_SECONDS = 0.5  # that each candidate may take: enough for a minimum, little beside what it saves
_MIN_TURNS = 3
_CALLS_ON_GPU = 8  # in a turn, so that the device works on one while the host prepares the next
_CPU = torch.device("cpu")


def describe_machine(device: torch.device = _CPU) -> dict[str, Any]:
    """What the time of a forecast depends on besides the model: processor, threads, versions.

    Args:
        device: Where it is computed. A CUDA device is described too, under ``"gpu"``.

    Examples:
        >>> from posegraph.inference.choice import describe_machine
        >>> sorted(describe_machine())
        ['cores', 'platform', 'processor', 'python', 'threads', 'versions']
    """
    machine = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"posegraph": __version__} | {name: _version(name) for name in _PACKAGES},
    }
    return machine | ({"gpu": _gpu(device)} if device.type == "cuda" else {})


def _gpu(device: torch.device) -> dict[str, Any]:
    properties: Any = torch.cuda.get_device_properties(device)
    return {
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory_bytes": properties.total_memory,
        "driver": _driver(),
        "cuda": torch.version.cuda,
    }


def _driver() -> str | None:
    """Version of NVIDIA's driver, where the system tells it."""
    with contextlib.suppress(OSError):
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
        found = re.search(r"\s(\d+\.\d+(\.\d+)?)\s", text)
        return found[1] if found else None
    return None


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def question(model: ForecastModel, batch_size: int, precision: str, candidates: Sequence[str]) -> str:
    """A key of everything that the choice depends on."""
    parts = {
        "machine": describe_machine(model.device),
        "model": type(model).__qualname__,
        "config": vars(model.config) if dataclasses.is_dataclass(model.config) else model.config,
        "nodes": len(model.skeleton.moving),
        "grouping": [grouping.num_groups for grouping in model.groupings],
        "frames": [model.observed_frames, model.future_frames],
        "batch_size": batch_size,
        "precision": precision,
        "candidates": list(candidates),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


def measure(runs: Mapping[str, _Run], frames: torch.Tensor) -> dict[str, float]:
    """Least time of a call of each candidate, in milliseconds; all take turns, so that load hits them alike."""
    clock = _cuda_milliseconds if frames.device.type == "cuda" else _host_milliseconds
    least = dict.fromkeys(runs, float("inf"))
    end = time.perf_counter() + _SECONDS * len(runs)
    turns = 0
    while turns < _MIN_TURNS or time.perf_counter() < end:
        for name, run in runs.items():
            least[name] = min(least[name], clock(run, frames))
        turns += 1
    return least


def _host_milliseconds(run: _Run, frames: torch.Tensor) -> float:
    start = time.perf_counter()
    run(frames)
    return 1e3 * (time.perf_counter() - start)


def _cuda_milliseconds(run: _Run, frames: torch.Tensor) -> float:
    """Of one of several calls in a row, by the clock of the device; it counts waiting for the host as well."""
    with torch.cuda.device(frames.device):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        run(frames)  # so that the device is at work when the clock starts
        start.record()
        for _ in range(_CALLS_ON_GPU):
            run(frames)
        end.record()
        end.synchronize()
    return start.elapsed_time(end) / _CALLS_ON_GPU


def recall(key: str) -> dict[str, float] | None:
    """The times remembered under a key; None if there are none or their file is damaged."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        times = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))["milliseconds"]
        return {str(name): float(value) for name, value in times.items()} or None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(key: str, milliseconds: Mapping[str, float], device: torch.device = _CPU) -> None:
    """Keep times of a device under a key.

    A cache that cannot be written is no error: they are measured again next time.
    """
    folder = cache_folder()
    if folder is None:
        return
    text = json.dumps({"milliseconds": dict(milliseconds), "machine": describe_machine(device)}, indent=2) + "\n"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / f"{key}.json", lambda file: file.write(text.encode()))
