"""Write the documentation's page, its pictures and the headline figures of the how-to, all from the files of results.

python -m benchmarks.report.page
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from benchmarks.harness import results
from benchmarks.harness.machine import ROOT
from benchmarks.report import chosen, pictures, tables
from benchmarks.report.chosen import Content
from benchmarks.suites.inference import HEADLINE
from posegraph._support.files import replace_file

PAGE = ROOT / "docs" / "benchmarks.md"
HOW_TO = ROOT / "docs" / "how-to" / "fast.md"
PICTURES = ROOT / "docs" / "assets"
HEADLINE_RUN = "cpu"
"""File of results whose figures the how-to quotes."""
BEGIN, END = "<!-- figures: python -m benchmarks.report.page -->", "<!-- end of figures -->"
_INTRODUCTION = """\
# Benchmarks

How fast models forecast and train, plain and made faster, and how layers compare with PyTorch Geometric. This page is
written by `python -m benchmarks.report.page` from the files in `benchmarks/results/`, none of which is left out; where
posegraph is slower stands here as well.

How a figure is taken, in short; `benchmarks/README.md` in the repository has all of it:

* Variants take turns in one process, on random inputs. One whose result is off by more than its precision allows gets
  no time.
* A **ratio** is that of windows a second, of the variant to the plain model: above 1 is faster.
* On a CPU the **time** is the least of all calls, since other work on the machine only adds to it; on a GPU it is the
  median between two events. Medians and 99th percentiles stand beside it.
* The **error** is the largest difference from the same model in float64, relative to the largest coordinate.
* **Memory** is what a call allocates through PyTorch at most, **operations** the PyTorch operators that it calls;
  runtimes with memory of their own have neither. **% of products** is the share of the rate that large matrix products
  reach in the same precision and run.

`make bench` measures on your machine in about ten minutes, `make bench BUDGET=60` a part of it in one. On a machine
with a GPU, `python -m benchmarks.run --device cuda --minutes 8 --out FILE` is enough.
"""


def main() -> None:
    runs = load()
    for stem, content in runs.items():
        pictures.draw(stem, content, PICTURES)
    _write(PAGE, render(runs))
    _write(HOW_TO, with_headline(HOW_TO.read_text(encoding="utf-8"), runs[HEADLINE_RUN]))


def load(folder: Path = results.FOLDER) -> dict[str, Content]:
    """All runs by name: one a file of results, or one a device."""
    runs: dict[str, Content] = {}
    for path in sorted(folder.glob("*.json")):
        runs |= chosen.by_device(path.stem, results.read(path))
    return runs


def render(runs: Mapping[str, Content]) -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *(_run(stem, content) for stem, content in runs.items())])


def with_headline(text: str, content: Content) -> str:
    """A text with the headline figures between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{headline(content)}\n{END}{after}"


def headline(content: Content) -> str:
    """The figures that say most, as a list."""
    lines = []
    for batch, windows in ((1, "one window"), (128, "128 windows")):
        for precision in ("fp32", "bf16"):
            row = chosen.fastest(chosen.forecasts(content, HEADLINE[0], batch), precision)
            if row is not None:
                lines.append(
                    f"* {windows} in {precision}: {row['ratio']:.1f} times as fast as the plain model, "
                    f"with {row['variant']} ({chosen.ms(row['time_ms'])} ms, error {chosen.error(row)})\n"
                )
    return "".join(lines)


def _run(stem: str, content: Content) -> str:
    parts = {
        "Latency": (tables.latency(content), _picture(stem, "latency", "Time of a forecast of one window")),
        "Throughput": (tables.throughput(content), _picture(stem, "throughput", "Windows a second by batch size")),
        f"All ways to forecast with {HEADLINE[0]}": (tables.variants(content), ""),
        "Training steps": (tables.training(content), ""),
        "Layers": (
            tables.layers(content),
            "Time of our layer, and how many times longer others take for the same numbers: below 1 they are faster.\n",
        ),
        "Growth with joints, frames and scales": (
            tables.growth(content),
            _picture(stem, "growth", "Time against joints, frames and scales")
            + "\nJoints are those of a chain, whose coarser scales join neighbours. All else is the model's own.\n",
        ),
        "Where posegraph is slower": (tables.losses(content), ""),
        "Not measured": (tables.skipped(content), ""),
    }
    sections = [
        "\n".join(filter(None, [f"### {title}\n", above, table])) for title, (table, above) in parts.items() if table
    ]
    return "\n".join([f"## {chosen.machine_name(content)}\n", _facts(content), *sections])


def _facts(content: Content) -> str:
    """What was measured where, by which command."""
    machine = content["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version is not None)
    paragraphs = [
        f"{content['date']}, commit `{content['commit']}`, {machine['platform']}, {machine['cores']} cores, "
        f"{machine['threads']} of them used, Python {machine['python']}, {versions}. "
        f"Measured in {content['seconds'] / 60:.0f} minutes by `{content['command']}`."
    ]
    if chosen.device(content) == "cuda":
        gpu = machine["gpu"]
        paragraphs.append(
            f"GPU memory {gpu['memory_bytes'] / 2**30:.0f} GiB, CUDA {gpu['cuda']}, driver {gpu['driver']}."
        )
    loads = [row["load"] for row in results.measured(content["rows"]) if "load" in row]
    if loads:
        paragraphs.append(
            f"On average {fmean(loads):.1f} programs computed at a time, this one included: where medians are far "
            "above the least time, others had the processor."
        )
    for device, roof in content["roofs"].items():
        rates = ", ".join(f"{rate:,.0f} GFLOP/s in {precision}" for precision, rate in roof["gflop_per_s"].items())
        paragraphs.append(
            f"What the {'GPU' if device == 'cuda' else 'processor'} reached in the same run: {rates} in products of "
            f"large matrices, {roof['copy_gb_per_s']:,.0f} GB/s in copies, counting bytes read and written."
        )
    return "\n\n".join(paragraphs) + "\n"


def _picture(stem: str, what: str, meaning: str) -> str:
    return f"![{meaning}](assets/{pictures.name(stem, what)})\n"


def _write(path: Path, text: str) -> None:
    replace_file(path, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
