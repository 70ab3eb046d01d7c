from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from posegraph.inference import recording
from posegraph.inference.recording import CudaRecorder, RecordedForecast, pieces, sizes_to_record
from tests.fake_cuda import FakeCuda
from tests.inference.recorder import CpuRecorder

OBSERVED, FUTURE = (4, 3, 3), (2, 3, 3)


def forecast(observed: torch.Tensor) -> torch.Tensor:
    """Something of which every part of the result depends on one window."""
    return observed.cumsum(1)[:, -2:] + observed.mean(dim=(1, 2, 3), keepdim=True)


def recorded(recorder: CpuRecorder, batch_size: int | None = None, sizes: list[int] | None = None) -> RecordedForecast:
    def forecast_for(size: int) -> Callable[[torch.Tensor], torch.Tensor]:
        (sizes if sizes is not None else []).append(size)
        return forecast

    return RecordedForecast(forecast_for, recorder, observed_shape=OBSERVED, future_shape=FUTURE, batch_size=batch_size)


def windows(batch: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, *OBSERVED, generator=torch.Generator().manual_seed(seed))


def test_sizes_are_powers_of_two_and_the_one_asked_for() -> None:
    powers = tuple(2**exponent for exponent in range(11))
    assert sizes_to_record(None) == sizes_to_record(1) == sizes_to_record(256) == powers
    assert sizes_to_record(100) == (*powers[:7], 100, *powers[7:])
    assert sizes_to_record(5000) == (*powers, 2048, 4096, 5000)


@pytest.mark.parametrize("sizes", [(1, 2, 4, 8), (1, 2, 3, 4), (1,)])
def test_pieces_cover_a_batch_once_and_fit_their_recordings(sizes: tuple[int, ...]) -> None:
    for batch in range(20):
        parts = list(pieces(batch, sizes))
        assert [index for piece, _ in parts for index in range(batch)[piece]] == list(range(batch))
        for piece, size in parts:
            count = piece.stop - piece.start
            assert size == min(size for size in sizes if size >= count)
        assert all(size == sizes[-1] for _, size in parts[:-1])


@pytest.mark.parametrize("device", ["cpu", "cuda:0"], ids=["on the device", "on the host"])
def test_batches_of_all_sizes_are_forecast(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_LARGEST", 8)
    recorder, sizes = CpuRecorder(device), list[int]()
    run = recorded(recorder, 3, sizes)
    assert sizes == [3]
    assert run.recorded == (3,)
    kept = []
    for batch in (3, 1, 21, 0, 6, 3, 8, 2):
        observed = windows(batch, seed=batch)
        kept.append((run(observed), forecast(observed)))
    for result, expected in kept:  # all of them at the end: no call may write what an earlier one returned
        assert result.dtype == torch.float32
        torch.testing.assert_close(result, expected, rtol=0, atol=0)
    assert sizes == [3, 1, 8, 2], "each size is recorded once, when it comes"
    assert run.recorded == (1, 2, 3, 8)
    assert recorder.plays == [3, 1, 8, 8, 8, 8, 3, 8, 2]


def test_the_device_waits_once_for_a_batch_on_the_host_and_never_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_LARGEST", 8)
    here, there = CpuRecorder("cpu"), CpuRecorder("cuda:0")
    for recorder in (here, there):
        run = recorded(recorder)
        for batch in (5, 8, 1):
            run(windows(batch))
    assert here.waits == 0
    assert there.waits == 3
    assert here.begins == there.begins == 3
    assert here.host_memory_taken == []
    assert there.host_memory_taken == [5, 5, 8, 8], "host memory is kept, and grows"
    run(windows(20))
    assert there.waits == 6, "once for as much as is kept of host memory"
    assert there.host_memory_taken == [5, 5, 8, 8]


def test_nothing_of_one_window_reaches_another() -> None:
    """What fills up a batch is left from earlier calls, whatever it was."""
    run = recorded(CpuRecorder("cpu"))
    run(torch.full((8, *OBSERVED), float("nan")))
    observed = windows(5)
    torch.testing.assert_close(run(observed), forecast(observed), rtol=0, atol=0)


def test_other_number_types_are_converted() -> None:
    observed = windows(2).double()
    for device in ("cpu", "cuda:0"):
        result = recorded(CpuRecorder(device))(observed)
        torch.testing.assert_close(result, forecast(observed.float()), rtol=0, atol=0)


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_recordings_of_inference_mode_play_outside_of_it(device: str) -> None:
    run = recorded(CpuRecorder(device))
    with torch.inference_mode():
        run(windows(4))
    with torch.no_grad():
        result = run(windows(4, seed=1))
    torch.testing.assert_close(result, forecast(windows(4, seed=1)), rtol=0, atol=0)


def test_autocast_and_tf32_are_not_recorded() -> None:
    seen: list[tuple[Any, ...]] = []

    def look(observed: torch.Tensor) -> torch.Tensor:
        seen.append((torch.is_autocast_enabled("cuda"), torch.backends.cuda.matmul.allow_tf32, torch.is_grad_enabled()))
        return forecast(observed)

    recorder = CpuRecorder("cuda:0")
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        torch.set_autocast_enabled("cuda", True)
        RecordedForecast(lambda size: look, recorder, observed_shape=OBSERVED, future_shape=FUTURE, batch_size=None)
        assert torch.backends.cuda.matmul.allow_tf32
        assert torch.is_autocast_enabled("cuda")
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_float32_matmul_precision("highest")
    assert set(seen) == {(False, False, False)}


def test_cuda_graphs_are_captured_as_pytorch_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warmed up on a stream aside, captured on one stream into one pool, played on the current stream."""
    cuda = FakeCuda(monkeypatch)
    recorder = CudaRecorder(torch.device("cuda", 0))

    def work(given: torch.Tensor) -> torch.Tensor:
        cuda.log.append(f"work on {cuda.current.name}")
        return given + 1

    plays = []
    for size in (2, 4):
        play, result = recorder.record(work, torch.zeros(size))
        assert torch.equal(result, torch.ones(size))
        plays.append(play)
    expected = []
    for aside in ("s2", "s3"):
        expected += [f"{aside} waits for s0", *[f"work on {aside}"] * 3, f"s0 waits for {aside}"]
        expected += ["capture on s1", "work on s1", "end"]
    assert cuda.log == expected

    cuda.log.clear()
    recorder.begin()
    plays[0]()
    recorder.begin()
    with cuda.stream(cuda.Stream()):
        recorder.begin()
        plays[1]()
    recorder.wait()
    assert cuda.log == ["replay on s0", "s4 waits for s0", "replay on s4", "synchronize s0"]
