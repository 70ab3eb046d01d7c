from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from posegraph.inference import choice
from tests.inference.models import trained

TIMES = {"eager": 2.5, "onnx": 1.0}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSEGRAPH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_remembered_is_recalled(cache: Path) -> None:
    assert choice.recall("key") is None
    choice.remember("key", TIMES)
    assert choice.recall("key") == TIMES
    assert choice.recall("other") is None
    assert json.loads((cache / "key.json").read_text())["machine"] == choice.describe_machine()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"milliseconds": []}', '{"milliseconds": {"eager": "fast"}}'])
def test_damaged_files_are_no_answer(cache: Path, content: str) -> None:
    cache.mkdir()
    (cache / "key.json").write_text(content)
    assert choice.recall("key") is None


def test_without_a_cache_nothing_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEGRAPH_CACHE", "off")
    choice.remember("key", TIMES)
    assert choice.recall("key") is None
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POSEGRAPH_CACHE", str(tmp_path / "file"))
    choice.remember("key", TIMES)
    assert choice.recall("key") is None


def test_questions_differ_where_the_answer_may(monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained("traj-gcn")
    keys = {
        choice.question(model, 1, "fp32", ["eager"]),
        choice.question(model, 2, "fp32", ["eager"]),
        choice.question(model, 1, "bf16", ["eager"]),
        choice.question(trained("traj-gcn", skeleton="cmu"), 1, "fp32", ["eager"]),
        choice.question(trained("traj-gcn", future_frames=4), 1, "fp32", ["eager"]),
        choice.question(trained("traj-gcn", channels=14), 1, "fp32", ["eager"]),
        choice.question(trained("msrgcn-1l"), 1, "fp32", ["eager"]),
        choice.question(model, 1, "fp32", ["eager", "onnx"]),
    }
    assert len(keys) == 8
    assert choice.question(trained("traj-gcn"), 1, "fp32", ["eager"]) in keys, "weights do not matter"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    assert choice.question(model, 1, "fp32", ["eager"]) not in keys


def test_the_least_time_of_each_candidate_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(n) for n in range(10_000))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    calls: list[str] = []

    def candidate(name: str, cost: list[int]):
        def run(frames: torch.Tensor) -> torch.Tensor:
            calls.append(name)
            for _ in range(cost.pop(0)):
                next(clock)
            return frames

        return run

    runs = {"slow": candidate("slow", [9, 5, 7]), "fast": candidate("fast", [8, 1, 3])}
    assert choice.measure(runs, torch.zeros(1)) == {"slow": 6000.0, "fast": 2000.0}
    assert calls == ["slow", "fast"] * 3


def test_the_machine_names_processor_threads_and_versions() -> None:
    machine = choice.describe_machine()
    assert machine["threads"] == torch.get_num_threads()
    assert machine["versions"]["torch"] == torch.__version__
    assert json.loads(json.dumps(machine)) == machine


def test_machines_that_do_not_tell_their_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text

    def unreadable(path: Path, *arguments: str, **settings: str) -> str:
        if path.name == "cpuinfo":
            raise OSError
        return read(path, *arguments, **settings)

    monkeypatch.setattr(Path, "read_text", unreadable)
    monkeypatch.setattr(choice.platform, "processor", lambda: "abacus")
    assert choice.describe_machine()["processor"] == "abacus"


def test_the_gpu_counts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(name="Fast 1", major=9, minor=0, multi_processor_count=132, total_memory=1 << 37)
    asked: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: asked.append(device) or properties)
    gpu = torch.device("cuda", 1)
    machine = choice.describe_machine(gpu)
    assert asked == [gpu]
    assert {key: machine["gpu"][key] for key in ("name", "capability", "multiprocessors", "memory_bytes")} == {
        "name": "Fast 1",
        "capability": "9.0",
        "multiprocessors": 132,
        "memory_bytes": 137438953472,
    }
    assert {key: value for key, value in machine.items() if key != "gpu"} == choice.describe_machine()
    assert json.loads(json.dumps(machine)) == machine


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.86.10  Wed Jul 26\nGCC version:",
            "535.86.10",
        ),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.15  Release Build\n", "570.15"),
        ("NVRM version: unknown", None),
        (None, None),
    ],
)
def test_the_driver_tells_its_version(text: str | None, version: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path, **settings: str) -> str:
        if text is None:
            raise FileNotFoundError
        return text

    monkeypatch.setattr(Path, "read_text", read)
    assert choice._driver() == version


def test_calls_on_a_gpu_are_timed_by_its_own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []

    class Event:
        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            log.append("record")

        def synchronize(self) -> None:
            log.append("wait")

        def elapsed_time(self, end: Event) -> float:
            return 4.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    assert choice._cuda_milliseconds(lambda frames: log.append("run") or frames, torch.zeros(1)) == 0.5
    assert log == ["run", "record", *["run"] * 8, "record", "wait"]
