"""The page and the how-to say what the committed results say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.report import chosen, markdown, page, pictures, plots, tables
from tests.benchmarks import toys

RUNS = page.load()


def test_the_committed_page_is_that_of_the_committed_results() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.render(RUNS), "run: python -m benchmarks.report.page"


def test_the_how_to_quotes_the_committed_results() -> None:
    text = page.HOW_TO.read_text(encoding="utf-8")
    assert text == page.with_headline(text, RUNS[page.MAIN_RUN]), "run: python -m benchmarks.report.page"
    assert page.headline(RUNS[page.MAIN_RUN]) in text


def test_the_committed_pictures_are_those_of_the_committed_results() -> None:
    text = page.render(RUNS)
    drawn = sorted(page.PICTURES.glob("benchmarks-*.png"))
    assert drawn
    assert [path.name for path in drawn if f"(assets/{path.name})" not in text] == []
    assert text.count("](assets/") == len(drawn)
    for path in drawn:
        stem = path.stem.removeprefix("benchmarks-").rpartition("-")[0]
        with Image.open(path) as picture:
            assert picture.info["Description"] == plots.digest(RUNS[stem]), "run: python -m benchmarks.report.page"


def results() -> dict:
    return toys.facts(
        [
            toys.row(),
            toys.row("eager", 2.0),
            toys.row("onnx", 1.0),
            toys.row("plain", 8.0, precision="bf16"),
            toys.row("eager", 0.5, precision="bf16", error=4e-3),
            toys.row(batch=128, milliseconds=400.0, ratio=1.0),
            toys.row("onnx", batch=128, milliseconds=160.0, ratio=2.5),
            toys.row("plain", 90.0, kind="training", batch=16, ratio=1.0),
            toys.row("fused", 60.0, kind="training", batch=16, ratio=1.5),
            toys.row("GraphConv", 2.0, kind="layers", subject="GraphConv", setting="forward", ratio=1.0),
            toys.row("einsum", 1.0, kind="layers", subject="GraphConv", setting="forward", ratio=2.0),
            toys.row("GCNConv", 16.0, kind="layers", subject="GraphConv", setting="forward", ratio=0.125),
            *(
                toys.row(name, time, kind="scaling", setting=f"joints={joints}", batch=16, ratio=ratio, calls=20)
                for joints in (10, 20)
                for name, time, ratio in (("plain", 0.4 * joints, 1.0), ("onnx", 0.1 * joints, 4.0))
            ),
            {**{key: toys.row()[key] for key in ("kind", "device", "setting")}, "subject": "dmgnn", "batch": 4096,
             "variant": "all", "precision": "all", "skipped": "needs about 90 s, more than the 6 s that are its share"},
        ]
    )  # fmt: skip


def test_the_fastest_variant_is_chosen() -> None:
    rows = chosen.forecasts(results(), "msrgcn-released", 1)
    assert chosen.fastest(rows)["variant"] == "onnx"
    assert chosen.fastest_bf16(rows)["variant"] == "eager"
    assert chosen.plain(rows)["time_ms"] == 4.0
    assert chosen.fastest([]) is None


def test_tables_hold_the_figures() -> None:
    content = results()
    assert "| `msrgcn-released` | 4 | 6 | 8 | onnx | 1 | 1.5 | 2 | 4.0 | 3·10⁻⁷ |" in tables.latency(content)
    assert tables.throughput(content).splitlines()[2:] == [
        "| `msrgcn-released` | plain | 250 | 2 |",
        "| `msrgcn-released` | fastest | 1,000 | 6 |",
    ]
    assert tables.variants(content).count("\n") == 2 + 7
    assert "| `msrgcn-released` | 16 | fused | fp32 | 60 | 90 | 120 | 1.50 |" in tables.training(content)
    assert "| GraphConv | forward | 1 | 2 | 0.50 | GCNConv 8.00 |" in tables.layers(content)
    assert "| `msrgcn-released` | joints | 20 | 200 | 8 | onnx | 2 | 4.0 |" in tables.growth(content)


def test_times_of_few_calls_are_slanted() -> None:
    content = results()
    for row in content["rows"]:
        if row["variant"] in ("onnx", "fused", "GraphConv"):
            row["calls"] = 19
    assert "| 4 | 6 | 8 | onnx | *1* | *1.5* | *2* | 4.0 |" in tables.latency(content)
    assert "| `msrgcn-released` | fastest | *1,000* | *6* |" in tables.throughput(content)
    assert "| fused | fp32 | *60* | *90* | *120* | 1.50 |" in tables.training(content)
    assert "| GraphConv | forward | 1 | *2* | 0.50 |" in tables.layers(content)


@pytest.mark.parametrize(
    ("variant", "changes", "doubt"),
    [
        ("plain", {"time_ms": 3.5}, "a time is more than 10 % below that of a smaller size"),
        ("onnx", {"time_ms": 0.8}, "a time is more than 10 % below that of a smaller size"),
        ("plain", {"calls": 3}, "3 calls of some points, too few; 20 are needed"),
    ],
)
def test_growth_that_cannot_be_believed_is_left_out(variant: str, changes: dict, doubt: str) -> None:
    content = results()
    rows = [row for row in content["rows"] if row["setting"] == "joints=20" and row["variant"] == variant]
    rows[0].update(changes)
    assert tables.growth(content) == f"* Left out, `msrgcn-released` along joints: {doubt}.\n"
    assert chosen.growth(content)[0] == {}


def test_one_table_and_one_picture_stand_open() -> None:
    text = page.render(RUNS)
    shown = re.sub(r"^\?\?\? note .*\n(\n|    .*\n)*", "", text, flags=re.MULTILINE)
    assert "    |" not in shown
    assert len(re.findall(r"^\| ---", shown, flags=re.MULTILINE)) == 1
    assert shown.count("](assets/") == 1


def test_instruction_sets_are_shown() -> None:
    content = results()
    assert "Processor family not recorded; instruction sets: not recorded." in page.render({"cpu": content})
    content["machine"] |= {"family": "family 25 model 17", "instructions": ["avx2", "avx512_bf16"]}
    assert "Processor family 25 model 17; instruction sets: avx2, avx512_bf16." in page.render({"cpu": content})


def test_load_is_shown() -> None:
    content = results()
    content["rows"][0]["load"], content["rows"][1]["load"] = 2.0, 5.0
    assert "On average 3.5 programs computed at a time" in page.render({"cpu": content})
    assert "programs computed" not in page.render({"cpu": results()})


def test_losses_are_shown() -> None:
    assert tables.losses(results()).splitlines()[2:] == [
        "| inference | msrgcn-released |  | 1 | plain in bf16 takes 2.00 times as long as plain in fp32 |",
        "| layers | GraphConv | forward | 1 | einsum is 2.00 times as fast as our layer |",
    ]


def test_what_was_not_measured_is_shown() -> None:
    assert tables.skipped(results()).splitlines() == [
        "* 1 row: too large for the time that the run had",
        "* backend onnx on the CPU: 'onnx' not installed",
    ]


def test_headline_figures() -> None:
    assert page.headline(results()).splitlines() == [
        "* one window in fp32: 4.0 times as fast as the plain model, with onnx (1 ms, error 3·10⁻⁷)",
        "* one window in bf16: 8.0 times as fast as the plain model, with eager (0.5 ms, error 4·10⁻³)",
        "* 128 windows in fp32: 2.5 times as fast as the plain model, with onnx (160 ms, error 3·10⁻⁷)",
    ]
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    assert (
        page.with_headline(text, results())
        == f"before\n{page.BEGIN}\n\n{page.headline(results())}\n{page.END}\nafter\n"
    )


def test_a_run_of_two_devices_is_shown_as_two() -> None:
    content = results()
    times = {f"device_{name}_ms": content["rows"][0][f"host_{name}_ms"] for name in ("min", "p50", "p99")}
    content["rows"].append(toys.row(device="cuda", kernels=86, held_memory_mib=25.0, **times))
    content["machine"]["gpu"] = {"name": "Example GPU", "memory_bytes": 80 * 2**30, "cuda": "13.0", "driver": "580"}
    content["roofs"]["cuda"], content["backends"]["cuda"] = content["roofs"]["cpu"], {}
    runs = chosen.by_device("big", content)
    assert list(runs) == ["big-cpu", "big-cuda"]
    text = page.render(runs)
    assert "## Example Processor, 1 thread\n" in text
    assert "## Example GPU\n" in text
    assert "GPU memory 80 GiB, CUDA 13.0, driver 580." in text
    assert "| 1 | plain | fp32 | 4 | 6 | 8 | 1.00 | 3·10⁻⁷ | 0.1 |  | 86 | 6 |" in text
    assert chosen.by_device("cpu", results()) == {"cpu": results()}


def test_pictures_are_drawn_of_what_there_is(tmp_path: Path) -> None:
    drawn = pictures.draw("toy", results(), tmp_path)
    assert [path.name for path in drawn] == [
        f"benchmarks-toy-{name}.png" for name in ("latency", "throughput", "growth")
    ]
    for path in drawn:
        with Image.open(path) as picture:
            assert picture.width == 1600
            assert len(picture.convert("L").getcolors(256)) > 20, "an empty picture"
    assert pictures.draw("none", toys.facts([]), tmp_path) == []


def test_a_page_without_results_has_no_tables() -> None:
    assert "|" not in page.render({"none": toys.facts([])}).replace(page.render({}), "")


@pytest.mark.parametrize(("value", "text"), [(0.01234, "0.0123"), (12.34, "12.3"), (1234.5, "1,234")])
def test_milliseconds(value: float, text: str) -> None:
    assert markdown.ms(value) == text
