"""``posegraph view``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tyro.conf import Positional

from posegraph import data
from posegraph.cli.options import open_model
from posegraph.data import formats
from posegraph.data.clip import Clip
from posegraph.data.formats.npz import read_arrays
from posegraph.errors import ConfigError, DataError, PosegraphError
from posegraph.forecast.body import fitted
from posegraph.forecast.result import ForecastResult, forecast_clip, forecaster_of
from posegraph.skeleton import presets
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.skeleton import Skeleton
from posegraph.viz._timeline import Motion
from posegraph.viz.html import write_page

__all__ = ["view"]

_DEFAULT = ("test", "running", "running_1")  # split, action and name of the clip that is shown without a file
_SMALLEST_BODY = 100.0  # mm: a pose that is smaller holds angles or metres


@dataclass(frozen=True)
class _Shown:
    """What a page is written of."""

    motion: Motion
    title: str
    root: RootMotion | None = None


def view(
    file: Positional[Path | None] = None,
    /,
    *,
    out: Path = Path("page.html"),
    model: tuple[str, ...] = (),
    skeleton: str | None = None,
    fps: float | None = None,
    title: str | None = None,
) -> None:
    """Write a page that shows motion and forecasts in a browser, without a network.

    Args:
        file: Motion file of any known format, or an .npz file that 'posegraph forecast' wrote; if not given, the
            bundled running clip with forecasts of the library's default weights.
        out: Page to write: .html.
        model: Models that forecast the motion again and again, side by side: folders of checkpoints, or weights of the
            library.
        skeleton: Name of a built-in skeleton, where the file does not say what its joints are.
        fps: Frames a second, where the file does not say it.
        title: Name of the page.
    """
    if out.suffix != ".html":
        raise ConfigError(f"--out: expected a file that ends in .html, got {out.name!r}.")
    if file is None:
        shown = _forecasts(_default_clip(skeleton, fps), model or (None,))
    elif (arrays := _saved_forecast(file)) is not None:
        if model:
            raise ConfigError(f"--model: expected with a motion file, got it with the forecast {file}. Leave it out.")
        shown = _Shown({file.stem: _result(file, arrays, skeleton, fps)}, file.stem)
    else:
        clip = formats.read(file, skeleton=skeleton, fps=fps)
        if model:
            shown = _forecasts(clip, model)
        else:
            _print_notes(clip)
            shown = _Shown(clip, clip.name or file.stem)
    page = write_page(shown.motion, out, title=title or shown.title, root=shown.root)
    print(f"written to {page} ({page.stat().st_size / 1000:.0f} kB)")
    print(f"open it in a browser: {page.resolve().as_uri()}")


def _default_clip(skeleton: str | None, fps: float | None) -> Clip:
    given = "--skeleton" if skeleton is not None else "--fps" if fps is not None else None
    if given:
        raise ConfigError(f"{given}: expected with a motion file, got it for the bundled clip. Name a file.")
    split, action, name = _DEFAULT
    clips = data.load("cmu", "samples", split=split, actions=[action]).select(split)
    return next(clip for clip in clips if clip.name == name)


def _print_notes(clip: Clip) -> None:
    for note in clip.notes:
        print(f"note: {note}")


def _forecasts(clip: Clip, names: tuple[str | None, ...]) -> _Shown:
    """Forecasts from all over a clip, each from where the one before ends."""
    models = [open_model(name, skeleton=clip.skeleton, device=None) for name in names]
    clip, _ = fitted(clip, models[0].skeleton)
    _print_notes(clip)
    for model in models:
        model.check_skeleton(clip.skeleton, clip.label)
    seen = [forecaster_of(model, clip) for model in models]  # they count frames at the clip's rate
    observed, future = max(own.observed_frames for own in seen), min(own.future_frames for own in seen)
    if clip.num_frames < observed + future:
        raise DataError(
            f"{clip.label}: expected at least {observed + future} frames, which the models see and forecast, got "
            f"{clip.num_frames}. Choose a longer clip, or leave out --model."
        )
    last = clip.num_frames - future
    places = sorted({*range(observed, last + 1, future), last})  # the last one ends with the clip
    results: dict[str, list[ForecastResult]] = {}
    for name, model, forecaster in zip(names, models, seen, strict=True):
        label = model.registry_name or type(model).__name__ if name is None else str(name)
        own = [forecast_clip(model, clip, now - forecaster.observed_frames) for now in places]
        results[label] = [_cut(result, future) for result in own]
        if own[0].truth is not None:
            errors = [error for result in results[label] for error in result.mpjpe_mm]
            print(f"{label}: {len(own)} forecasts of {clip.name}, mean error {sum(errors) / len(errors):.1f} mm")
    return _Shown(results, clip.name, clip.root)


def _cut(result: ForecastResult, frames: int) -> ForecastResult:
    """A forecast of so many frames."""
    truth = None if result.truth is None else result.truth[:frames]
    return replace(result, forecast=result.forecast[:frames], truth=truth)


def _saved_forecast(file: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a file that `ForecastResult.save` wrote; None for all others."""
    if file.suffix != ".npz":
        return None
    arrays = read_arrays(file)
    return arrays if "forecast" in arrays else None


def _result(file: Path, arrays: dict[str, np.ndarray], skeleton: str | None, fps: float | None) -> ForecastResult:
    try:
        names, parents = tuple(map(str, arrays["joint_names"])), tuple(map(int, arrays["parents"]))
        body = _body(names, parents) if skeleton is None else presets.get(skeleton)
        parts = {name: torch.from_numpy(arrays[name]) for name in ("observed", "forecast", "truth") if name in arrays}
        result = ForecastResult(
            parts["observed"],
            parts["forecast"],
            parts.get("truth"),
            body,
            float(arrays["fps"]) if fps is None else fps,
            int(arrays["start"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, PosegraphError):
            raise
        raise DataError(f"{file}: expected a forecast that 'posegraph forecast' wrote, got {error}.") from error
    reach = float(result.observed.abs().max()) if result.observed.numel() else _SMALLEST_BODY
    if body.holds == "positions" and reach < _SMALLEST_BODY:
        raise DataError(
            f"{file}: expected positions in mm, got a body within {reach:.3g} of its root. "
            "For rotations pass their skeleton, as in --skeleton cmu-angles; convert metres first."
        )
    return result


def _body(names: tuple[str, ...], parents: tuple[int, ...]) -> Skeleton:
    """The built-in skeleton of these joints, which knows left and right; or one of joints and bones alone."""
    for name in presets.names():
        known = presets.get(name)
        if known.holds == "positions" and (known.joint_names, known.parents) == (names, parents):
            return known
    return Skeleton("forecast", names, parents)
