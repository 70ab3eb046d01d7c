"""Write the documentation's page, its pictures and the headline figures of the how-to, all from the files of results.

python -m benchmarks.page
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import plots, results
from benchmarks.compare import Row
from benchmarks.inference import BATCHES, HEADLINE
from benchmarks.machine import NO_CUDA, ROOT
from benchmarks.scaling import BATCH as SCALING_BATCH
from posegraph._files import replace_file

PAGE = ROOT / "docs" / "benchmarks.md"
HOW_TO = ROOT / "docs" / "how-to" / "fast.md"
PICTURES = ROOT / "docs" / "assets"
HEADLINE_RUN = "cpu"
"""File of results whose figures the how-to quotes."""
BEGIN, END = "<!-- figures: python -m benchmarks.page -->", "<!-- end of figures -->"
_MARGIN = 0.05  # a smaller difference is noise
_INTRODUCTION = """\
# Benchmarks

How fast models forecast and train, plain and made faster, and how layers compare with PyTorch Geometric. This page is
written by `python -m benchmarks.page` from the files in `benchmarks/results/`, of which none is left out; where
posegraph is slower stands here as well.

How a figure is taken, in short (`benchmarks/README.md` in the repository has all of it): variants take turns in one
process, on random inputs; a variant whose result is off by more than its precision allows gets no time; a ratio is the
time of the plain model over that of the variant, so above 1 is faster. On a CPU, which others use too, the time is the
least of all calls; on a GPU the median between two events. The error is the largest difference from the same model in
float64, relative to the largest coordinate.

`make bench` measures on your machine in about ten minutes, `make bench BUDGET=60` a part of it in one. On a machine with
a GPU, `python -m benchmarks.run --device cuda --minutes 8 --out FILE` is enough.
"""


def main() -> None:
    runs = load()
    for stem, content in runs.items():
        draw(stem, content)
    _replace_text(PAGE, render(runs))
    _replace_text(HOW_TO, with_headline(HOW_TO.read_text(encoding="utf-8"), runs[HEADLINE_RUN]))


def load(folder: Path = results.FOLDER) -> dict[str, dict[str, Any]]:
    """All files of results, by name."""
    return {path.stem: results.read(path) for path in sorted(folder.glob("*.json"))}


def render(runs: Mapping[str, dict[str, Any]]) -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *(_run(stem, content) for stem, content in runs.items())])


def with_headline(text: str, content: dict[str, Any]) -> str:
    """A text with the headline figures between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{headline(content)}\n{END}{after}"


def headline(content: dict[str, Any]) -> str:
    """The figures that say most, as a list."""
    lines = []
    for batch in (1, 128):
        for precision in ("fp32", "bf16"):
            row = _fastest(_forecasts(content, HEADLINE[0], batch), precision)
            if row is not None:
                windows = "one window" if batch == 1 else f"{batch} windows"
                lines.append(
                    f"* `{HEADLINE[0]}`, {windows}, {precision}: {row['ratio']:.1f} times faster than the plain model, "
                    f"by {row['variant']} ({_ms(row['time_ms'])} ms, error {row['error']:.0e})"
                )
    return "\n".join(lines)


def _run(stem: str, content: dict[str, Any]) -> str:
    rows = results.measured(content["rows"])
    parts = [
        f"## {machine_name(content)}\n",
        _facts(content),
        _part("Latency", _latency(content), _picture(stem, "latency", "Time of a forecast of one window")),
        _part("Throughput", _sweep(content), _picture(stem, "throughput", "Windows a second against the batch size")),
        _part(f"All ways to forecast with `{HEADLINE[0]}`", _variants(content)),
        _part("Training steps", _training(rows)),
        _part("Layers", _layers(rows)),
        _part("Growth", _growth(rows), _picture(stem, "growth", "Time against joints, frames and scales")),
        _part("Where posegraph is slower", _losses(rows)),
        _part("Not measured", _skipped(content)),
    ]
    return "\n".join(part for part in parts if part)


def machine_name(content: dict[str, Any]) -> str:
    """What a run is called: its device, and the threads if that is a processor."""
    machine = content["machine"]
    if machine["gpu"] is not None:
        return machine["gpu"]["name"]
    name = re.sub(r"\((R|TM|C)\)", "", machine["processor"])
    return f"{name}, {machine['threads']} {'thread' if machine['threads'] == 1 else 'threads'}"


def _facts(content: dict[str, Any]) -> str:
    machine = content["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version is not None)
    lines = [
        f"{content['date']}, commit `{content['commit']}`, {machine['platform']}, {machine['cores']} cores, "
        f"{machine['threads']} of them used, Python {machine['python']}, {versions}. "
        f"Measuring took {content['seconds'] / 60:.0f} minutes: `{content['command']}`",
    ]
    if machine["gpu"] is not None:
        gpu = machine["gpu"]
        lines.append(f"GPU: {gpu['memory_gib']} GiB, CUDA {gpu['cuda']}, driver {gpu['driver']}.")
    for device, roof in content["roofs"].items():
        rates = ", ".join(f"{rate:,.0f} GFLOP/s in {precision}" for precision, rate in roof["gflop_per_s"].items())
        lines.append(
            f"What this {'GPU' if device == 'cuda' else 'processor'} reached in the same run, as percentages below "
            f"count it: {rates} in products of large matrices, {roof['copy_gb_per_s']:,.0f} GB/s in copies."
        )
    return "\n\n".join(lines) + "\n"


def _latency(content: dict[str, Any]) -> str:
    """One window, all models."""
    lines = []
    for model in _subjects(content, "inference"):
        rows = _forecasts(content, model, 1)
        plain, fastest = _reference(rows), _fastest(rows, "fp32")
        if plain is None:
            continue
        cells = [f"`{model}`", *_clock(plain)]
        if fastest is not None:
            cells += [fastest["variant"], *_clock(fastest), f"{fastest['ratio']:.1f}", f"{fastest['error']:.0e}"]
        lines.append([*cells, *[""] * (9 - len(cells))])
    heads = ["model", "plain, ms", "median", "99 %", "fastest", "ms", "median", "99 %", "ratio", "error"]
    return _table(heads, [line if len(line) == 10 else [*line, ""] for line in lines], left=(0, 4))


def _sweep(content: dict[str, Any]) -> str:
    """Windows a second of the plain model and of the fastest variant in float32."""
    present = {row["batch"] for row in results.measured(content["rows"]) if row["kind"] == "inference"}
    batches = sorted(present & {*BATCHES, 128})
    lines = []
    for model in _subjects(content, "inference"):
        chosen: dict[str, Callable[[Sequence[Row]], Row | None]] = {
            "plain": _reference,
            "fastest": lambda rows: _fastest(rows, "fp32"),
        }
        for name, choose in chosen.items():
            found = [choose(_forecasts(content, model, batch)) for batch in batches]
            if any(found):
                lines.append([f"`{model}`", name, *(_rate(row) for row in found)])
    return _table(["windows a second", "", *map(str, batches)], lines, left=(0, 1))


def _variants(content: dict[str, Any]) -> str:
    rows = [
        row
        for row in results.measured(content["rows"])
        if row["kind"] == "inference" and row["subject"] == HEADLINE[0] and row["batch"] in (1, 128)
        if not (row["setting"] and row["variant"] == "plain")
    ]
    device = any(row["device"] == "cuda" for row in rows)
    heads = ["windows", "variant", "precision", "ms", "median", "99 %", "ratio", "error", "set-up, s", "memory, MiB"]
    heads += ["kernels", "from host, ms"] if device else ["operations"]
    lines = [
        [
            str(row["batch"]),
            row["variant"],
            row["precision"],
            *_clock(row),
            _optional(row, "ratio", ".2f"),
            f"{row['error']:.0e}",
            f"{row['setup_s']:.2g}",
            _optional(row, "call_memory_mib", ".3g"),
            *(
                [_optional(row, "kernels", "d"), _ms(row["host_p50_ms"])]
                if device
                else [_optional(row, "operations", "d")]
            ),
            _optional(row, "arithmetic_percent", ".0f"),
        ]
        for row in sorted(rows, key=lambda row: (row["batch"], row["precision"] != "fp32", -row.get("ratio", 0)))
    ]
    return _table([*heads, "% of products"], lines, left=(1, 2))


def _training(rows: Sequence[Row]) -> str:
    lines = [
        [
            f"`{row['subject']}`",
            str(row["batch"]),
            row["variant"],
            *_clock(row),
            _optional(row, "ratio", ".2f"),
            _rate(row),
            _optional(row, "call_memory_mib", ".3g"),
            _optional(row, "arithmetic_percent", ".0f"),
        ]
        for row in rows
        if row["kind"] == "training"
    ]
    heads = ["model", "windows", "step", "ms", "median", "99 %", "ratio", "windows/s", "memory, MiB", "% of products"]
    return _table(heads, lines, left=(0, 2))


def _layers(rows: Sequence[Row]) -> str:
    """Each layer's own time, and how many times longer the others take."""
    chosen = [row for row in rows if row["kind"] == "layers"]
    others = sorted({row["variant"] for row in chosen if row["ratio"] != 1.0} - {row["subject"] for row in chosen})
    cases: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in chosen:
        cases.setdefault((row["subject"], row["setting"], row["batch"]), {})[row["variant"]] = row
    lines = []
    for (subject, setting, batch), variants in cases.items():
        ours = next((row for row in variants.values() if row["ratio"] == 1.0), None)
        if ours is not None:
            relative = (f"{1 / variants[name]['ratio']:.2f}" if name in variants else "" for name in others)
            own = subject.partition(",")[0]
            others_shown = [cell if name != own else "" for name, cell in zip(others, relative, strict=True)]
            lines.append([subject, setting, str(batch), _ms(ours["time_ms"]), *others_shown])
    text = "Time of the layer, and how many times longer others take for the same numbers (below 1: they are faster).\n"
    table = _table(["layer", "", "batch", "ms", *others], lines, left=(0, 1))
    return f"{text}\n{table}" if lines else ""


def _growth(rows: Sequence[Row]) -> str:
    lines = []
    for subject, setting in dict.fromkeys((r["subject"], r["setting"]) for r in rows if r["kind"] == "scaling"):
        same = [r for r in rows if (r["kind"], r["subject"], r["setting"]) == ("scaling", subject, setting)]
        plain, fastest = _reference(same), _fastest(same, "fp32")
        axis, _, value = setting.partition("=")
        if plain is not None and fastest is not None:
            name, ratio = fastest["variant"], fastest["ratio"]
            mflop = _optional(plain, "mflop_per_window", ".0f")
            times = [_ms(plain["time_ms"]), name, _ms(fastest["time_ms"]), f"{ratio:.1f}"]
            lines.append([f"`{subject}`", axis.replace("_", " "), value, mflop, *times])
    heads = ["model", "", "", "MFLOP a window", "plain, ms", "fastest", "ms", "ratio"]
    text = (
        f"{SCALING_BATCH} windows, float32. Joints are those of a chain, whose scales join neighbours; everything else is "
        "as in the model's own settings.\n"
    )
    return f"{text}\n{_table(heads, lines, left=(0, 1, 5))}" if lines else ""


def _losses(rows: Sequence[Row]) -> str:
    """Every figure that speaks against using what this library offers."""
    lines = []
    for row in rows:
        layer = row["kind"] == "layers"
        ratio = row.get("ratio", 1.0)
        if layer and ratio > 1 + _MARGIN and row["variant"] != "folded":
            what = f"{row['variant']} is {ratio:.2f} times as fast as our layer"
        elif not layer and ratio < 1 - _MARGIN:
            what = f"{row['variant']} in {row['precision']} is {1 / ratio:.2f} times as slow as plain in fp32"
        else:
            continue
        lines.append([row["kind"], f"`{row['subject']}`", row["setting"], str(row["batch"]), what])
    if not lines:
        return "Nowhere in this run, as far as it was measured.\n" if rows else ""
    return _table(["", "", "", "batch", ""], lines, left=(0, 1, 2, 4))


def _skipped(content: dict[str, Any]) -> str:
    """Reasons, with what they kept from being measured."""
    reasons = Counter(
        _general(row["skipped"])
        for row in content["rows"]
        if "skipped" in row and not (row["skipped"] == NO_CUDA and content["machine"]["gpu"] is None)
    )
    lines = [f"* {count} rows: {reason}" for reason, count in reasons.most_common()]
    lines += [
        f"* backend {name} on {device}: {why}"
        for device, missing in content["backends"].items()
        for name, why in missing.items()
    ]
    if any(row.get("skipped") == NO_CUDA for row in content["rows"]):
        lines.append(f"* everything on a GPU: {NO_CUDA}")
    return "\n".join(lines) + "\n" if lines else ""


def _general(reason: str) -> str:
    """A reason without the numbers that differ from row to row."""
    for beginning, general in (
        ("needs about", "too large for the time that the run had"),
        ("a call takes", "too slow for the time that the run had"),
    ):
        if reason.startswith(beginning):
            return general
    if "folded form" in reason:
        return "the model has no folded form, so only the plain one runs"
    return reason


# Pictures.


def pictures(stem: str, content: dict[str, Any]) -> list[Path]:
    """The pictures that the page shows of a run."""
    shown = re.findall(r"\(assets/(benchmarks-\S+\.png)\)", _run(stem, content))
    return [PICTURES / name for name in shown]


def draw(stem: str, content: dict[str, Any], folder: Path = PICTURES) -> None:
    """Draw the pictures of a run."""
    common = {"notes": [f"{machine_name(content)}, {content['date']}"], "mark": plots.digest(content)}
    rows = results.measured(content["rows"])
    latencies: dict[str, dict[str, float]] = {}
    for model in _subjects(content, "inference"):
        one = _forecasts(content, model, 1)
        chosen = {"plain": _reference(one), "fastest in fp32": _fastest(one, "fp32")}
        latencies[model] = {name: row["time_ms"] for name, row in chosen.items() if row is not None}
    plots.bars(
        folder / _picture_name(stem, "latency"),
        {model: group for model, group in latencies.items() if group},
        title="Time of a forecast of one window",
        x_label="milliseconds",
        **common,
    )
    panels = [plots.Panel(model, "windows a call", _throughput(content, model)) for model in HEADLINE]
    plots.curves(
        folder / _picture_name(stem, "throughput"),
        [panel for panel in panels if panel.curves],
        title="Throughput against batch size",
        y_label="windows a second",
        **common,
    )
    scaling = [row for row in rows if row["kind"] == "scaling"]
    labels = {"joints": "joints", "future_frames": "frames to forecast", "scales": "scales"}
    panels = [plots.Panel(label, label, _curves_along(scaling, axis)) for axis, label in labels.items()]
    plots.curves(
        folder / _picture_name(stem, "growth"),
        [panel for panel in panels if panel.curves],
        title=f"Time of a forecast of {SCALING_BATCH} windows",
        y_label="milliseconds",
        **common,
    )


def _throughput(content: dict[str, Any], model: str) -> dict[str, plots.Points]:
    kinds: dict[str, Callable[[Sequence[Row]], Row | None]] = {
        "plain, fp32": _reference,
        "fastest, fp32": lambda rows: _fastest(rows, "fp32"),
        "fastest, bf16": lambda rows: _fastest(rows, "bf16"),
    }
    found: dict[str, plots.Points] = {}
    for name, choose in kinds.items():
        rows = [choose(_forecasts(content, model, batch)) for batch in sorted({*BATCHES, 128})]
        points = [(row["batch"], row["windows_per_s"]) for row in rows if row is not None]
        if points:
            found[name] = points
    return found


def _curves_along(rows: Sequence[Row], axis: str) -> dict[str, plots.Points]:
    found: dict[str, plots.Points] = {}
    for model in dict.fromkeys(row["subject"] for row in rows):
        for name, choose in (("plain", _reference), ("fastest", lambda same: _fastest(same, "fp32"))):
            points = []
            for setting in dict.fromkeys(row["setting"] for row in rows):
                row = choose([row for row in rows if (row["subject"], row["setting"]) == (model, setting)])
                if setting.startswith(f"{axis}=") and row is not None:
                    points.append((float(setting.partition("=")[2]), row["time_ms"]))
            if points:
                found[f"{model}, {name}"] = sorted(points)
    return found


def _picture_name(stem: str, what: str) -> str:
    return f"benchmarks-{stem}-{what}.png"


def _picture(stem: str, what: str, meaning: str) -> str:
    return f"![{meaning}](assets/{_picture_name(stem, what)})\n"


# Rows and cells.


def _subjects(content: dict[str, Any], kind: str) -> list[str]:
    """What was measured of a kind, the most important first."""
    names = {row["subject"] for row in results.measured(content["rows"]) if row["kind"] == kind}
    return sorted(names, key=lambda name: (HEADLINE.index(name) if name in HEADLINE else len(HEADLINE), name))


def _forecasts(content: dict[str, Any], model: str, batch: int) -> list[Row]:
    return [
        row
        for row in results.measured(content["rows"])
        if (row["kind"], row["subject"], row["batch"]) == ("inference", model, batch)
    ]


def _reference(rows: Iterable[Row]) -> Row | None:
    """The plain model in float32; of several, that which was compared with most variants."""
    return next((r for r in rows if (r["variant"], r["precision"], r["setting"].partition("=")[0] in _NO_SETTING)
                 == ("plain", "fp32", True)), None)  # fmt: skip


_NO_SETTING = ("", "joints", "future_frames", "scales")


def _fastest(rows: Iterable[Row], precision: str) -> Row | None:
    """The optimised variant of a precision with the highest ratio."""
    others = [row for row in rows if row["precision"] == precision and row["variant"] != "plain" and "ratio" in row]
    return max(others, key=lambda row: row["ratio"], default=None)


def _clock(row: Row) -> list[str]:
    clock = "device" if row["device"] == "cuda" else "host"
    return [_ms(row["time_ms"]), _ms(row[f"{clock}_p50_ms"]), _ms(row[f"{clock}_p99_ms"])]


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rate(row: Row | None) -> str:
    return "" if row is None else f"{float(f'{row["windows_per_s"]:.3g}'):,.0f}"


def _optional(row: Row, key: str, form: str) -> str:
    return format(row[key], form) if key in row else ""


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)) -> str:
    if not lines:
        return ""
    rule = ["---" if number in left else "--:" for number in range(len(heads))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, rule, *lines))


def _part(title: str, text: str, picture: str = "") -> str:
    if not text:
        return ""
    return "\n".join(filter(None, [f"### {title}\n", picture, text]))


def _replace_text(path: Path, text: str) -> None:
    replace_file(path, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
