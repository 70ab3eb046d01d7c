"""Every trainable model, as it is and through `posegraph.optimize`, in turns in one process.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python -m benchmarks.suites.fast

prints a Markdown table and writes ``benchmarks/results/fast/cpu.json``. Times are the least of a few seconds, in
turns of 50 ms; ratios are of these. "Ready" is what `optimize` takes with an empty cache: exporting and measuring.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness.timing import Run, statistics, take_turns, timed
from posegraph import optimize, registry
from posegraph.inference.choice import describe_machine
from posegraph.models.base import ForecastModel

RESULTS = Path(__file__).parents[1] / "results" / "fast" / "cpu.json"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="registry names; by default every trainable model")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=6.0, help="for each model")
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ["POSEGRAPH_CACHE"] = cache
        for name in options.names or registry.names():
            model = trained(name)
            if model.is_trainable:
                rows.append(measure(name, model, options.batch_size, options.seconds, options.repetitions))
                print(line(rows[-1]), flush=True)
    print("\n".join(["", *HEAD, *map(line, rows)]))
    result = {"batch_size": options.batch_size, "machine": describe_machine(), "rows": rows}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def trained(name: str) -> ForecastModel:
    """A model with random weights and statistics unlike those of a new one, which may have nothing to compute."""
    torch.manual_seed(0)
    model = registry.build(name)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
        for key, buffer in model.named_buffers():
            if key.endswith("running_mean"):
                buffer.normal_(0, 0.3)
            elif key.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    model.fit_statistics(iter([300 * torch.randn(64, model.total_frames, model.num_joints, 3)]))
    return model.eval()


def measure(name: str, model: ForecastModel, batch_size: int, seconds: float, repetitions: int) -> dict[str, Any]:
    """Least times of a model and of its optimised form; each repetition takes turns for its share of the time."""
    start = time.perf_counter()
    fast = optimize(model, batch_size=batch_size)
    ready = time.perf_counter() - start
    observed = 300 * torch.randn(batch_size, model.observed_frames, model.num_joints, 3)
    with torch.inference_mode():
        expected, forecast = model.predict(observed), fast.predict(observed)
        error = float((forecast - expected).abs().max() / expected.abs().max())
        runs: dict[str, Run] = {"plain": model.predict, "fast": fast.predict}
        least = [in_turns(runs, observed, seconds / repetitions) for _ in range(repetitions)]
    plain, quick = (min(times[key] for times in least) for key in runs)
    return {
        "model": name,
        "plain_ms": plain,
        "fast_ms": quick,
        "ratio": plain / quick,
        "ratios": [times["plain"] / times["fast"] for times in least],
        "backend": fast.backend,
        "milliseconds": dict(fast.milliseconds),
        "error": error,
        "ready_s": ready,
    }


def in_turns(runs: dict[str, Run], observed: torch.Tensor, seconds: float) -> dict[str, float]:
    """Least milliseconds of a call of each."""
    calls = {key: timed(run, [observed], "cpu", from_host=True) for key, run in runs.items()}
    samples = take_turns(calls, seconds=seconds, min_calls=1)
    return {key: statistics([sample.host_s for sample in own]).min_ms for key, own in samples.items()}


HEAD = (
    "| model | plain, ms | fast, ms | times faster | backend | largest error | ready after, s |",
    "|---|---:|---:|---:|---|---:|---:|",
)


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    return (
        f"| {row['model']} | {row['plain_ms']:.2f} | {row['fast_ms']:.2f} | {row['ratio']:.2f} | {row['backend']} | "
        f"{row['error']:.0e} | {row['ready_s']:.0f} |"
    )


if __name__ == "__main__":
    main()
