"""Plain against optimised forecasts, taking turns in one process; writes ratios and errors as JSON.

    python -m benchmarks.compare --models msrgcn-released traj-gcn msrgcn --batches 1 128

Each takes turns of some calls, so that load on the machine hits all alike: read minima and ratios. A variant
whose forecasts differ from float64 beyond its tolerance gets no time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import posegraph
from posegraph import registry
from posegraph._files import replace_file
from posegraph.inference.backends import BACKENDS
from posegraph.inference.choice import describe_machine
from posegraph.models.base import ForecastModel

ROOT = Path(__file__).parents[1]
FORMAT_VERSION = 1
TOLERANCE = {"fp32": 1e-6, "bf16": 5e-2}


def trained(name: str, skeleton: str) -> ForecastModel:
    """A model with norms and statistics unlike those of a new one, so that folding has something to fold."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = registry.build(name, skeleton=skeleton).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.5, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    if hasattr(model, "normalizer"):
        model.normalizer.set_values(-900.0, 1150.0)
    return model


def quantile(values: Sequence[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def compare(
    model: ForecastModel, batch: int, variants: Sequence[tuple[str, str]], seconds: float
) -> list[dict[str, Any]]:
    """Rows of one model and batch size: the plain model first, then each backend with each precision."""
    generator = torch.Generator().manual_seed(1)
    shape = (batch, model.observed_frames, model.num_joints, 3)
    inputs = [300 * torch.randn(shape, generator=generator) for _ in range(4)]
    with torch.no_grad():
        truth = model.double().predict(inputs[0].double())
        model.float()
    runs: dict[tuple[str, str], Callable[[torch.Tensor], torch.Tensor]] = {("plain", "fp32"): model.predict}
    setup: dict[tuple[str, str], float] = {("plain", "fp32"): 0.0}
    for backend, precision in variants:
        start = time.perf_counter()
        runs[backend, precision] = posegraph.optimize(
            model,
            batch_size=batch,
            backend=backend,
            precision=precision,  # type: ignore[arg-type]
        )
        setup[backend, precision] = time.perf_counter() - start
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    times: dict[tuple[str, str], list[float]] = {}
    with torch.inference_mode():
        for key, run in runs.items():
            error = float((run(inputs[0]).double() - truth).abs().max() / truth.abs().max())
            rows[key] = {"backend": key[0], "precision": key[1], "error": error, "setup_s": round(setup[key], 2)}
            if error <= TOLERANCE[key[1]]:
                times[key] = []
        end, calls, turns, turn = time.perf_counter() + seconds, 0, 0, max(1, 16 // batch)
        while time.perf_counter() < end or turns < 5:
            for key, series in times.items():
                for _ in range(turn):  # several in a row find their own weights in the processor's caches
                    poses = inputs[calls % len(inputs)]
                    start = time.perf_counter()
                    runs[key](poses)
                    series.append(1e3 * (time.perf_counter() - start))
                    calls += 1
            turns += 1
    plain = times["plain", "fp32"]
    for key, series in times.items():
        rows[key] |= {
            "calls": len(series),
            "min_ms": round(min(series), 4),
            "p50_ms": round(quantile(series, 0.5), 4),
            "p99_ms": round(quantile(series, 0.99), 4),
            "ratio_min": round(min(plain) / min(series), 3),
            "ratio_p50": round(quantile(plain, 0.5) / quantile(series, 0.5), 3),
            "windows_per_second": round(1e3 * batch / min(series), 1),
        }
    return list(rows.values())


def commit() -> str:
    """The commit of the code that ran, with a mark if files were changed since."""
    try:
        command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def run(models: Sequence[str], batches: Sequence[int], backends: Sequence[str], *, bf16: bool, seconds: float,
        skeleton: str) -> dict[str, Any]:  # fmt: skip
    """The whole comparison as one JSON-ready dictionary."""
    results, version = [], commit()
    for name in models:
        model = trained(name, skeleton)
        for batch in batches:
            variants = [
                (backend, precision)
                for backend in backends
                for precision in BACKENDS[backend].precisions_on()
                if precision == "fp32" or bf16
            ]
            rows = compare(model, batch, variants, seconds)
            results.append({"model": name, "skeleton": skeleton, "batch": batch, "rows": rows})
            for row in rows:
                print(name, batch, *(f"{key}={value}" for key, value in row.items()), flush=True)
    return {
        "format_version": FORMAT_VERSION,
        "what": "predict, plain against optimised",
        "commit": version,
        "machine": describe_machine(),
        "seconds": seconds,
        "results": results,
    }


def table(content: dict[str, Any]) -> str:
    """A result as the Markdown table of the documentation."""
    lines = [
        "| model | windows | plain, ms | backend | precision | ms | ratio | error |",
        "|---|--:|--:|---|---|--:|--:|--:|",
    ]
    for result in content["results"]:
        plain, *others = result["rows"]
        lines += [
            f"| `{result['model']}` | {result['batch']} | {plain['min_ms']:.1f} | {row['backend']} "
            f"| {row['precision']} | {row['min_ms']:.1f} | {row['ratio_min']:.1f} | {row['error']:.0e} |"
            for row in others
            if "min_ms" in row
        ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> Path:
    usable = [name for name, backend in BACKENDS.items() if backend.missing() is None]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["msrgcn-released", "traj-gcn", "msrgcn"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 128])
    parser.add_argument("--backends", nargs="+", choices=usable, default=[n for n in usable if BACKENDS[n].quick])
    parser.add_argument("--skeleton", default="h36m")
    parser.add_argument("--bf16", action="store_true", help="also bfloat16")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each model and batch size")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "cpu.json")
    parser.add_argument("--table", type=Path, help="only print this result as a table")
    chosen = parser.parse_args(arguments)
    if chosen.table is not None:
        print(table(json.loads(chosen.table.read_text(encoding="utf-8"))), end="")
        return chosen.table
    content = run(chosen.models, chosen.batches, chosen.backends, bf16=chosen.bf16, seconds=chosen.seconds,
                  skeleton=chosen.skeleton)  # fmt: skip
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(chosen.out, lambda file: file.write((json.dumps(content, indent=1) + "\n").encode()))
    return chosen.out


if __name__ == "__main__":
    print(main())
