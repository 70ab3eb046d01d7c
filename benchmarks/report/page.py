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
from benchmarks.report.chosen import FALL, Content
from benchmarks.report.markdown import error, folded, ms
from benchmarks.suites.inference import HEADLINE
from benchmarks.suites.scaling import MIN_CALLS

PAGE = ROOT / "docs" / "benchmarks.md"
HOW_TO = ROOT / "docs" / "how-to" / "fast.md"
PICTURES = ROOT / "docs" / "assets"
MAIN_RUN = "cpu"
"""File of results that stands first, and whose figures the how-to quotes."""
BEGIN, END = "<!-- figures: python -m benchmarks.report.page -->", "<!-- end of figures -->"
_INTRODUCTION = f"""\
# Benchmarks

How fast models forecast and train, plain and made faster, and how layers compare with PyTorch Geometric. A **ratio** is
that of windows a second to the plain model: above 1 is faster. A time in *slanted* figures comes from fewer than
{MIN_CALLS} calls: its 99th percentile says little. `make bench` measures on your machine.
"""
_METHOD = f"""\
This page is written by `python -m benchmarks.report.page` from the files in `benchmarks/results/`, none of which is
left out; where posegraph is slower stands here as well. `benchmarks/README.md` in the repository has the method whole.

* Variants take turns in one process, on random inputs. One whose result is off by more than its precision allows gets
  no time.
* On a CPU the **time** is the least of all calls, since other work on the machine only adds to it; on a GPU it is the
  median between two events. Medians and 99th percentiles stand beside it.
* The **error** is the largest difference from the same model in float64, relative to the largest coordinate.
* **Memory** is what a call allocates through PyTorch at most, **operations** the PyTorch operators that it calls;
  runtimes with memory of their own have neither. **% of products** is the share of the rate that large matrix products
  reach in the same precision and run. It is empty where it would be above 100: then the ceiling was not reached.
* **A fallback is no result.** Where products in bf16 are slower than in fp32, the processor has no instructions for
  them and nothing is timed in bf16. A backend whose bf16 is as exact as fp32 computes in fp32, and gets no time either.
  An earlier file of an AMD processor said 1 GFLOP/s in bf16. It could not be reproduced on a processor of the same
  name, and was removed; why it said so is not known.
* **Growth** is shown where all points have {MIN_CALLS} calls or more and no time is more than {100 * FALL:.0f} % below
  that of a smaller size; otherwise the curve is named without its figures.
* Variants of one case took turns and can be compared. **Cases** (another model or size) were measured one after
  another, under whatever load the machine had then: small differences between them say nothing.

To measure as this page does, with ratios of variants that take turns:

```bash
OMP_NUM_THREADS=1 taskset -c 1 python -m benchmarks.run --device cpu --minutes 20 --out benchmarks/results/cpu.json
python -m benchmarks.run --device cuda --minutes 8 --out benchmarks/results/NAME.json
python -m benchmarks.report.page
```
"""


def main() -> None:
    runs = load()
    for stem, content in runs.items():
        pictures.draw(stem, content, PICTURES)
    results.write_text(PAGE, render(runs))
    results.write_text(HOW_TO, with_headline(HOW_TO.read_text(encoding="utf-8"), runs[MAIN_RUN]))


def load(folder: Path = results.FOLDER) -> dict[str, Content]:
    """All runs by name, the main one first: one a file of results, or one a device."""
    runs: dict[str, Content] = {}
    for path in sorted(folder.glob("*.json"), key=lambda path: (path.stem != MAIN_RUN, path.stem)):
        runs |= chosen.by_device(path.stem, results.read(path))
    return runs


def render(runs: Mapping[str, Content]) -> str:
    """The page: one table and one picture of the first run, all else folded."""
    parts = [_INTRODUCTION]
    for number, (stem, content) in enumerate(runs.items()):
        (first, text), *others = _sections(stem, content)
        name = chosen.machine_name(content["machine"], chosen.device(content))
        parts += [f"## {name}\n", _machine(content), text if number == 0 else folded(first, text) if text else ""]
        parts += [folded(title, text) for title, text in others if text]
    parts += ["## How a figure is taken\n", folded("The rules, and the commands", _METHOD)]
    return "\n".join(filter(None, parts))


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
                    f"with {row['variant']} ({ms(row['time_ms'])} ms, error {error(row)})\n"
                )
    return "".join(lines)


def _sections(stem: str, content: Content) -> list[tuple[str, str]]:
    """Titles and texts; those without figures are empty."""
    return [
        ("Latency", _with_picture(tables.latency(content), stem, "latency", "Time of a forecast of one window")),
        (
            "Throughput",
            _throughput(stem, content),
        ),
        (f"All ways to forecast with {HEADLINE[0]}", tables.variants(content)),
        ("Training steps", tables.training(content)),
        (
            "Layers",
            _below(
                "Time of our layer, and how many times longer others take for the same numbers: below 1 they are "
                "faster.\n",
                tables.layers(content),
            ),
        ),
        ("Growth with joints, frames and scales", _growth(stem, content)),
        ("Where posegraph is slower", tables.losses(content)),
        ("Not measured", tables.skipped(content)),
        ("The run", _run(content) if results.measured(content["rows"]) else ""),
    ]


def _throughput(stem: str, content: Content) -> str:
    note = (
        "Each size was measured at a time of its own: compare plain and fastest of one size. A rate that falls at a "
        "larger size may be load of the machine or the model's own.\n"
    )
    text = _below(note, tables.throughput(content))
    return _with_picture(text, stem, "throughput", "Windows a second by batch size")


def _growth(stem: str, content: Content) -> str:
    text = tables.growth(content)
    curves, _ = chosen.growth(content)
    if not curves:
        return text
    note = "Joints are those of a chain, whose coarser scales join neighbours. All else is the model's own.\n"
    return _with_picture(_below(note, text), stem, "growth", "Time against joints, frames and scales")


def _machine(content: Content) -> str:
    """What computed, in a line or two."""
    machine = content["machine"]
    if chosen.device(content) == "cuda":
        gpu = machine["gpu"]
        facts = f"GPU memory {gpu['memory_bytes'] / 2**30:.0f} GiB, CUDA {gpu['cuda']}, driver {gpu['driver']}."
    else:
        sets = ", ".join(machine.get("instructions", ())) or "not recorded"
        facts = f"Processor {machine.get('family') or 'family not recorded'}; instruction sets: {sets}."
    lines = [facts]
    for roof in content["roofs"].values():
        rates = ", ".join(f"{rate:,.0f} GFLOP/s in {precision}" for precision, rate in roof["gflop_per_s"].items())
        lines.append(f"Large matrix products reach {rates}; copies {roof['copy_gb_per_s']:,.0f} GB/s.")
    lines.append(f"Measured on {content['date']}; float32 unless said.")
    loads = [row["load"] for row in results.measured(content["rows"]) if "load" in row]
    if loads:
        lines.append(
            f"On average {fmean(loads):.1f} programs computed at a time, this one included: where the median is far "
            "above the least time, others had the processor."
        )
    return " ".join(lines) + "\n"


def _run(content: Content) -> str:
    """Which code was measured how."""
    machine = content["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version is not None)
    return (
        f"Commit `{content['commit']}`, {machine['platform']}, {machine['cores']} cores, {machine['threads']} of them "
        f"used, Python {machine['python']}, {versions}. Measured in {content['seconds'] / 60:.0f} minutes by "
        f"`{content['command']}`.\n"
    )


def _with_picture(text: str, stem: str, what: str, meaning: str) -> str:
    return _below(text, f"![{meaning}](assets/{pictures.file_name(stem, what)})\n") if text else ""


def _below(above: str, text: str) -> str:
    """Two paragraphs; nothing if the second is empty."""
    return f"{above}\n{text}" if text else ""


if __name__ == "__main__":
    main()
