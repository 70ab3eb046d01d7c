"""``posegraph live``."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tyro.conf import Positional

from posegraph.cli.options import open_model
from posegraph.data import formats
from posegraph.data.clip import Clip
from posegraph.errors import ConfigError, DataError
from posegraph.forecast.body import fitted
from posegraph.forecast.live import LiveForecast
from posegraph.forecast.motion_buffer import Gaps
from posegraph.forecast.result import ForecastResult
from posegraph.forecast.streaming import Stream
from posegraph.viz.html import write_page

__all__ = ["live"]


def live(
    file: Positional[Path | None] = None,
    /,
    *,
    stdin: bool = False,
    model: str | None = None,
    speed: float = 1.0,
    out: Path | None = None,
    skeleton: str | None = None,
    fps: float | None = None,
    unit: str = "mm",
    gaps: Gaps = "hold",
) -> None:
    """Forecast poses as they come: a recording played at its speed, or lines of JSON.

    Args:
        file: Motion file of any known format, which is played.
        stdin: Read lines {"t": SECONDS, "pose": [[x, y, z], ...]} and write a line for each forecast. A joint that is
            missing is null; "person" may say whose pose it is.
        model: Folder of a checkpoint, weights of the library such as graph-mixer/cmu, a repository OWNER/NAME of the
            Hugging Face Hub, or a model that needs no training; the library's default weights if not given.
        speed: Times as fast as it was recorded; 0 for as fast as possible.
        out: Page to write that shows the recording and the forecasts: .html.
        skeleton: Name of a built-in skeleton, where the file does not say what its joints are, or of the lines' poses
            for a model that needs no training.
        fps: Frames a second of the recording, where the file does not say it.
        unit: Unit of the lines' poses: mm, cm, m or inch.
        gaps: What happens to missing joints of the lines: hold, linear or refuse.
    """
    if (file is None) != stdin:
        raise ConfigError(f"live: expected a file or --stdin, got {'both' if stdin else 'neither'}. Give one of them.")
    if not 0 <= speed < math.inf:
        raise ConfigError(f"--speed: expected 0 or more, got {speed:g}.")
    if out is not None and (stdin or out.suffix != ".html"):
        raise ConfigError(f"--out: expected with a file, and to end in .html, got {out.name!r}.")
    if file is None:
        opened = open_model(model, skeleton=skeleton or "cmu", device="cpu")
        with Stream(opened, unit=unit, gaps=gaps) as stream:
            _answer(stream, sys.stdin)
        print(stream.latency, file=sys.stderr)
        return
    clip = formats.read(file, skeleton=skeleton, fps=fps)
    opened = open_model(model, skeleton=clip.skeleton, device="cpu")
    clip, _ = fitted(clip, opened.skeleton)
    for note in clip.notes:
        print(f"note: {note}")
    opened.check_skeleton(clip.skeleton, clip.label)
    with Stream(opened, fps=opened.trained_fps or clip.fps) as stream:
        forecasts = _play(stream, clip, speed)
    name = opened.registry_name or type(opened).__name__
    print(f"{name}, {clip.name}: {clip.num_frames} poses at {clip.fps:g} a second, model at {stream.fps:g}")
    print(stream.latency)
    if out is not None:
        if not forecasts:
            raise DataError(
                f"{clip.label}: expected a recording longer than the {opened.observed_frames} frames that the model "
                f"sees, got {clip.seconds:.2f} s. Leave out --out."
            )
        page = write_page({name: _results(forecasts, clip, opened.observed_frames)}, out, title=name, root=clip.root)
        print(f"written to {page} ({page.stat().st_size / 1000:.0f} kB)")


def _play(stream: Stream, clip: Clip, speed: float) -> dict[int, LiveForecast]:
    """The forecasts by frame."""
    started, made = time.perf_counter(), {}
    for frame, pose in enumerate(clip.poses.numpy()):
        if speed:
            time.sleep(max(0.0, started + frame / clip.fps / speed - time.perf_counter()))
        forecast = stream.push(pose, frame / clip.fps)
        if forecast is not None:
            made[frame] = forecast
    return made


def _results(forecasts: dict[int, LiveForecast], clip: Clip, observed_frames: int) -> list[ForecastResult]:
    """Forecasts that follow one another, at the frame rate of the recording."""
    first = next(iter(forecasts.values()))
    length = max(1, int((first.times[-1] - first.t) * clip.fps + 1e-6))
    results: list[ForecastResult] = []
    for frame in list(forecasts)[::length]:
        own = forecasts[frame]
        ahead = np.minimum(own.t + np.arange(1, length + 1) / clip.fps, own.times[-1])
        truth = clip.poses[frame + 1 : frame + 1 + length]
        results.append(
            ForecastResult(
                observed=clip.poses[: frame + 1][-observed_frames:],
                forecast=torch.from_numpy(np.stack([own.at(float(moment)) for moment in ahead])),
                truth=truth if len(truth) == length else None,
                skeleton=clip.skeleton,
                fps=clip.fps,
                start=max(0, frame + 1 - observed_frames),
            )
        )
    return results


def _answer(stream: Stream, lines: Iterable[str]) -> None:
    """A line of JSON for each forecast."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            given: Any = json.loads(line)
            pose, moment, person = given["pose"], given["t"], given.get("person", 0)
            known = np.array([[math.nan] * 3 if joint is None else joint for joint in pose], dtype=np.float64)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f'line {number}: expected {{"t": SECONDS, "pose": [[x, y, z], ...]}}, got {line.strip()[:60]!r} '
                f"({type(error).__name__}: {error})."
            ) from error
        if not isinstance(person, str | int):
            raise DataError(f'line {number}: expected a text or whole number as "person", got {person!r}.')
        try:
            forecast = stream.push(known, moment, person)
        except (DataError, ValueError) as error:
            raise DataError(f"line {number}: {error}") from error
        if forecast is not None:
            answer = {
                "person": person,
                "t": forecast.t,
                "times": forecast.times.round(6).tolist(),
                "poses": forecast.poses.round(4).astype(float).round(4).tolist(),
            }
            print(json.dumps(answer, separators=(",", ":")), flush=True)
