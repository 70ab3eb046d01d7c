"""What the figures of a run depend on besides the code: processor, GPU, threads, versions, backends; and the commit."""

from __future__ import annotations

import os
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from posegraph.inference.backends import BACKENDS
from posegraph.inference.choice import describe_machine

ROOT = Path(__file__).parents[2]
INSTRUCTIONS = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16", "amx_fp16")
"""Instruction sets that decide how fast products are, as PyTorch names them."""
NO_CUDA = "no CUDA device"


def describe() -> dict[str, Any]:
    device = "cpu" if without_device("cuda") else "cuda"
    machine = {
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "gpu": None,
        "family": _family(),
        "instructions": instructions(),
        **describe_machine(torch.device(device)),
    }
    machine["versions"]["torch-geometric"] = _version("torch-geometric")
    return machine


def processor_name(machine: dict[str, Any]) -> str:
    """The name of a described machine's processor, without marks."""
    return re.sub(r"\((R|TM|C)\)", "", machine["processor"])


def instructions() -> list[str]:
    """Instruction sets of this processor that matter to products; none where PyTorch does not tell."""
    able = getattr(torch.cpu, "get_capabilities", dict)()
    return [name for name, has in sorted(able.items()) if has is True and (name in INSTRUCTIONS or "bf16" in name)]


def _family() -> str | None:
    """Family and model number of the processor, which tell generations of one name apart; None where unknown."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return None
    found = [re.search(rf"^{key}\s*: (\d+)$", text, flags=re.MULTILINE) for key in ("cpu family", "model")]
    return " ".join(f"{key} {match[1]}" for key, match in zip(("family", "model"), found, strict=True) if match) or None


def missing_backends(device: str) -> dict[str, str]:
    """Backends of `posegraph.optimize` that cannot be used on a device here, and why."""
    reasons = {name: backend.missing(torch.device(device)) for name, backend in BACKENDS.items()}
    return {name: why for name, why in reasons.items() if why is not None}


def without_device(device: str) -> str | None:
    """Why nothing can run on a kind of device here; None if it can."""
    return NO_CUDA if device == "cuda" and not torch.cuda.is_available() else None


def load() -> dict[str, float]:
    """Programs that computed at a time over the last minute, this one included; nothing where it is not known."""
    return {"load": round(os.getloadavg()[0], 1)} if hasattr(os, "getloadavg") else {}


def commit() -> str:
    """The commit of the code that runs, with a mark if files were changed since."""
    return _output("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*") or "unknown"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _output(*command: str) -> str:
    """What a command prints; nothing if it fails or does not exist."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def default_device() -> str:
    """A GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"
