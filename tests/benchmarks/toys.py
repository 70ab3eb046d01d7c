"""Small cases that are measured in milliseconds."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.harness.case import TOLERANCE, Case, Comparison, Variant, relative_error
from benchmarks.harness.roof import Roof
from benchmarks.harness.timing import Run

ROOF = Roof({"fp32": 100.0, "bf16": 200.0}, 10.0)
NARROW = (("channels", 8), ("num_blocks", 1))


def doubling(**variants: Run) -> Comparison:
    """Ways to double a tensor of three numbers."""
    inputs = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, -5.0, 6.0])]
    return Comparison(
        variants=[
            Variant(name, "fp32", lambda run=run: run, TOLERANCE["fp32"], flop=6, copies=2 if name == "twice" else 1)
            for name, run in variants.items()
        ],
        inputs=inputs,
        error=lambda _, run: max(relative_error(run(x), 2 * x) for x in inputs),
        windows=3,
        least_bytes=24,
    )


def case(subject: str, *, device: str = "cpu", weight: float = 1.0, **variants: Run) -> Case:
    """A case of `doubling`."""
    variants = variants or {"plain": lambda x: x + x}
    return Case(
        kind="inference",
        device=device,
        subject=subject,
        batch=3,
        variants=[(name, "fp32") for name in variants],
        prepare=lambda: doubling(**variants),
        weight=weight,
    )


def facts(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Results with these rows."""
    return {
        "format_version": 2,
        "command": "python -m benchmarks.run",
        "commit": "0123456789ab",
        "date": "2026-01-31",
        "seconds": 90.0,
        "machine": {
            "processor": "Example(R) Processor",
            "cores": 2,
            "threads": 1,
            "platform": "Linux x86_64",
            "python": "3.12.0",
            "versions": {"torch": "2.11.0", "onnx": None},
            "omp_wait_policy": None,
            "gpu": None,
        },
        "roofs": {"cpu": ROOF.to_json()},
        "backends": {"cpu": {"onnx": "'onnx' not installed"}},
        "rows": rows,
    }


def row(variant: str = "plain", milliseconds: float = 4.0, **changes: Any) -> dict[str, Any]:
    """A row with figures."""
    return {
        "kind": "inference",
        "device": "cpu",
        "subject": "msrgcn-released",
        "setting": "",
        "batch": 1,
        "variant": variant,
        "precision": "fp32",
        "setup_s": 0.1,
        "error": 3e-7,
        "calls": 20,
        "host_min_ms": milliseconds,
        "host_p50_ms": 1.5 * milliseconds,
        "host_p99_ms": 2 * milliseconds,
        "time_ms": milliseconds,
        "windows_per_s": 1000 / milliseconds,
        "ratio": 4.0 / milliseconds,
        "operations": 3,
        "mflop_per_window": 200.0,
        **changes,
    }
