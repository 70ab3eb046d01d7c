"""The tables of the page, in Markdown; each is empty if nothing of its kind was measured."""

from __future__ import annotations

from collections import Counter

from benchmarks.harness.case import Row
from benchmarks.harness.machine import NO_CUDA
from benchmarks.report import chosen
from benchmarks.report.chosen import Choice, Content
from benchmarks.report.markdown import cell, clock, error, ms, rate, table
from benchmarks.suites.inference import HEADLINE
from benchmarks.suites.scaling import BATCH as SCALING_BATCH
from benchmarks.suites.scaling import MIN_CALLS

_NOISE = 0.1  # smaller differences say nothing


def latency(content: Content) -> str:
    """One window, all models."""
    lines = []
    for model in chosen.models(content):
        rows = chosen.forecasts(content, model, 1)
        plain, fastest = chosen.plain(rows), chosen.fastest(rows)
        if plain is None:
            continue
        line = [f"`{model}`", *_clock(plain)]
        if fastest is not None:
            line += [fastest["variant"], *_clock(fastest), f"{fastest['ratio']:.1f}", error(fastest)]
        lines.append(line)
    heads = ["model", "plain, ms", "median", "99 %", "fastest", "ms", "median", "99 %", "ratio", "error"]
    return table(heads, lines, left=(0, 4))


def throughput(content: Content) -> str:
    """Windows a second of the plain model and of the fastest variant in float32."""
    batches = sorted({row["batch"] for row in chosen.of_kind(content, "inference")})
    choices: dict[str, Choice] = {"plain": chosen.plain, "fastest": chosen.fastest}
    lines = []
    for model in chosen.models(content):
        for name, choose in choices.items():
            found = [choose(chosen.forecasts(content, model, batch)) for batch in batches]
            if any(found):
                lines.append([f"`{model}`", name, *map(_rate, found)])
    return table(["windows a second", "", *map(str, batches)], lines, left=(0, 1))


def variants(content: Content) -> str:
    """Every way to forecast with the first of all models, with all that was measured."""
    rows = [row for row in chosen.of_kind(content, "inference") if row["subject"] == HEADLINE[0]]
    rows = [row for row in rows if row["batch"] in (1, 128) and (row["variant"] != "plain" or not row["setting"])]
    on_gpu = any(row["device"] == "cuda" for row in rows)
    heads = ["windows", "variant", "precision", "ms", "median", "99 %", "ratio", "error", "set-up, s", "memory, MiB"]
    heads += ["kernels", "from host, ms"] if on_gpu else ["operations"]
    lines = [
        [
            str(row["batch"]),
            row["variant"],
            row["precision"],
            *_clock(row),
            cell(row, "ratio", ".2f"),
            error(row),
            f"{row['setup_s']:.1f}",
            cell(row, "call_memory_mib", ".3g"),
            *([cell(row, "kernels", "d"), ms(row["host_p50_ms"])] if on_gpu else [cell(row, "operations", "d")]),
            cell(row, "arithmetic_percent", ".0f"),
        ]
        for row in sorted(rows, key=lambda row: (row["batch"], row["precision"] != "fp32", -row.get("ratio", 0)))
    ]
    return table([*heads, "% of products"], lines, left=(1, 2))


def training(content: Content) -> str:
    """Steps of all models, in all ways."""
    lines = [
        [
            f"`{row['subject']}`",
            str(row["batch"]),
            row["variant"],
            row["precision"],
            *_clock(row),
            cell(row, "ratio", ".2f"),
            _rate(row),
            cell(row, "call_memory_mib", ".3g"),
            cell(row, "arithmetic_percent", ".0f"),
        ]
        for row in chosen.of_kind(content, "training")
        if row["variant"] != "plain" or not row["setting"]
    ]
    heads = ["model", "windows", "step", "precision", "ms", "median", "99 %", "ratio", "windows/s", "memory, MiB"]
    return table([*heads, "% of products"], lines, left=(0, 2, 3))


def layers(content: Content) -> str:
    """Each layer's own time, and how many times longer the others take."""
    cases: dict[tuple[str, str, int], list[Row]] = {}
    for row in chosen.of_kind(content, "layers"):
        cases.setdefault((row["subject"], row["setting"], row["batch"]), []).append(row)
    lines = []
    for (subject, setting, batch), (ours, *rest) in cases.items():  # the first is ours
        longer = {row["variant"]: f"{1 / row['ratio']:.2f}" for row in rest if "ratio" in row}
        einsum = longer.pop("einsum", "")
        others = ", ".join(f"{name} {times}" for name, times in longer.items())
        lines.append([subject, setting, str(batch), _marked(ms(ours["time_ms"]), ours), einsum, others])
    return table(["layer", "", "batch", "ms", "einsum", "others"], lines, left=(0, 1, 5))


def growth(content: Content) -> str:
    """Time along each axis; curves that cannot be believed are named below, without their figures."""
    curves, doubts = chosen.growth(content)
    lines = []
    for (model, axis), curve in curves.items():
        for value, rows in curve.items():
            plain, fastest = chosen.plain(rows), chosen.fastest(rows)
            if plain is None:
                continue
            line = [f"`{model}`", axis.replace("_", " "), f"{value:g}", cell(plain, "mflop_per_window", ".0f")]
            line.append(ms(plain["time_ms"]))
            if fastest is not None:
                line += [fastest["variant"], ms(fastest["time_ms"]), f"{fastest['ratio']:.1f}"]
            lines.append(line)
    heads = ["model", "", "", "MFLOP a window", f"plain, ms for {SCALING_BATCH}", "fastest", "ms", "ratio"]
    left_out = "".join(f"* Left out, {doubt}.\n" for doubt in doubts)
    return "\n".join(filter(None, [table(heads, lines, left=(0, 1, 5)), left_out]))


def losses(content: Content) -> str:
    """Every figure that speaks against something that this library offers."""
    lines = []
    for row in content["rows"]:
        ratio = row.get("ratio", 1.0)
        if row["kind"] == "layers" and ratio > 1 + _NOISE and row["variant"] != "folded":
            what = f"{row['variant']} is {ratio:.2f} times as fast as our layer"
        elif row["kind"] != "layers" and ratio < 1 - _NOISE:
            what = f"{row['variant']} in {row['precision']} takes {1 / ratio:.2f} times as long as plain in fp32"
        else:
            continue
        lines.append([row["kind"], row["subject"], row["setting"], str(row["batch"]), what])
    return table(["", "", "", "batch", ""], lines, left=(0, 1, 2, 4))


def skipped(content: Content) -> str:
    """Why rows have no time, and how many have none for each reason."""
    reasons = Counter(_general(row["skipped"]) for row in content["rows"] if row.get("skipped", NO_CUDA) != NO_CUDA)
    lines = [f"* {count} {'row' if count == 1 else 'rows'}: {reason}" for reason, count in reasons.most_common()]
    for device, missing in content["backends"].items():
        where = "the GPU" if device == "cuda" else "the CPU"
        lines += [f"* backend {name} on {where}: {why}" for name, why in missing.items()]
    if any(row.get("skipped") == NO_CUDA for row in content["rows"]):
        lines.append(f"* everything on a GPU: {NO_CUDA}")
    return "".join(f"{line}\n" for line in lines)


def _general(reason: str) -> str:
    """A reason without what differs from row to row."""
    for part, general in (
        ("needs about", "too large for the time that the run had"),
        ("a call takes", "too slow for the time that the run had"),
        ("folded form", "the model has no folded form, so only the plain one runs"),
        ("no fast bf16", "bf16 on a processor that computes it more slowly than fp32"),
        ("it computes in fp32", "asked for a narrower precision, the backend computes in fp32"),
    ):
        if part in reason:
            return general
    return reason


def _clock(row: Row) -> list[str]:
    return [_marked(text, row) for text in clock(row)]


def _rate(row: Row | None) -> str:
    return "" if row is None else _marked(rate(row), row)


def _marked(text: str, row: Row) -> str:
    """Slanted where few calls were made."""
    return f"*{text}*" if row["calls"] < MIN_CALLS else text
