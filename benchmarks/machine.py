"""What the figures of a run depend on besides the code: processor, GPU, threads, versions; and the code's commit."""

from __future__ import annotations

import os
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from posegraph.inference.choice import describe_machine

ROOT = Path(__file__).parents[1]
NO_CUDA = "no CUDA device"


def describe() -> dict[str, Any]:
    device = "cpu" if without_device("cuda") else "cuda"
    machine = {
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "gpu": None,
        **describe_machine(torch.device(device)),
    }
    machine["versions"]["torch-geometric"] = _version("torch-geometric")
    return machine


def processor_name(machine: dict[str, Any]) -> str:
    """The name of a described machine's processor, without marks."""
    return re.sub(r"\((R|TM|C)\)", "", machine["processor"])


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
