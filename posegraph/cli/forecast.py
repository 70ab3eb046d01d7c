"""``posegraph forecast``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from tyro.conf import Positional

from posegraph._support.checks import import_optional
from posegraph.cli.options import open_model, read
from posegraph.data import formats
from posegraph.data.clip import Clip
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.forecast.body import fitted
from posegraph.forecast.result import ForecastResult, forecast_clip, forecaster_of
from posegraph.skeleton.root import RootMotion

__all__ = ["forecast"]

_PICTURES = (".gif", ".png")
_CLIP = "running_1"  # of the bundled clips the one with most to see


def forecast(
    model: Positional[str | None] = None,
    /,
    *,
    dataset: str = "cmu",
    data: str = "samples",
    clip: str | None = None,
    out: tuple[Path, ...] = (),
    split: str = "test",
    start: int | None = None,
    device: str | None = None,
) -> None:
    """Forecast from one place in a clip, and draw or save it.

    Args:
        model: Folder of a checkpoint, weights of the library such as graph-mixer/cmu, a repository OWNER/NAME of the
            Hugging Face Hub, or a model that needs no training; the library's default weights if not given.
        dataset: Name of a data set; a wrong one is answered with the list.
        data: Folder of the data set, 'samples' for the bundled clips, or a motion file of any known format.
        clip: Name of the clip, as in walking_1; if not given, running_1 of the bundled clips, else the first.
        out: Files to write: .gif for an animation, .png for a strip of poses, .npz for the numbers, .bvh for the motion
            with the forecast after it; none if not given.
        split: Split that the clip is in.
        start: First frame that the model sees; if not given, the window in the middle of the clip, or the last frames
            of a motion file.
        device: Where to run; a GPU if there is one.
    """
    for path in out:
        _check_out(path)
    given = formats.read(data) if Path(data).is_file() else _choose(dataset, data, clip, split)
    loaded = open_model(model, skeleton=given.skeleton, device=device)
    chosen, factor = fitted(given, loaded.skeleton)
    for note in chosen.notes:
        print(note)
    if start is None:
        forecaster = forecaster_of(loaded, chosen)
        room = chosen.num_frames - forecaster.observed_frames
        start = max(0, room if Path(data).is_file() else (room - forecaster.future_frames) // 2)
    result = forecast_clip(loaded, chosen, start)
    last = start + len(result.observed) - 1
    ahead = 1000 * len(result.forecast) / result.fps
    print(
        f"{loaded.registry_name}, {chosen.name}: frames {start} to {last} seen, {len(result.forecast)} forecast, "
        f"{ahead:.0f} ms ahead"
    )
    if result.truth is not None:
        print(f"mean error of this window: {sum(result.mpjpe_mm) / len(result.mpjpe_mm):.1f} mm over all joints")
    if not out:
        print("nothing written: name files with --out, as in --out forecast.gif forecast.npz")
    for path in out:
        if path.suffix in (*_PICTURES, ".npz"):
            _draw(path, result, chosen, loaded.registry_name or "forecast")
        else:
            formats.write(_with_forecast(result, given, factor), path)
        print(f"written to {path}")


def _check_out(path: Path) -> None:
    """Refuse before anything is computed what cannot be written."""
    if path.suffix in _PICTURES:
        import_optional("matplotlib", extra="viz", purpose=f"Drawing {path.name}")
    elif path.suffix not in (".npz", ".bvh"):
        raise ConfigError(f"--out: expected files that end in .gif, .png, .npz or .bvh, got {path.name!r}.")


def _choose(dataset: str, data: str, clip: str | None, split: str) -> Clip:
    motion = read(dataset, data, split=split)
    clips = {own.name: own for own in motion.select(split)}
    if clip is not None and clip not in clips:
        raise UnknownNameError(f"clip of split {split!r}", clip, clips)
    return clips[clip] if clip is not None else clips.get(_CLIP) or next(iter(clips.values()))


def _draw(path: Path, result: ForecastResult, clip: Clip, name: str) -> None:
    if path.suffix == ".npz":
        result.save(path)
        return
    from posegraph import viz

    title = f"{name} on {clip.name}"
    if path.suffix == ".gif":
        viz.animate({name: result}, path, title=title, root=clip.root)
    else:
        viz.pose_strip(
            result.observed,
            result.forecast,
            result.truth,
            skeleton=result.skeleton,
            path=path,
            drawing=viz.Drawing(title=title, fps=result.fps),
        )


def _with_forecast(result: ForecastResult, clip: Clip, factor: float) -> Clip:
    """The clip up to the last pose seen, and the forecast after it; the root goes on as it went last."""
    end, ahead = result.start + len(result.observed), len(result.forecast)
    root = None
    if clip.root is not None:
        seen = clip.root[:end]
        step = seen.positions[-1] - seen.positions[-2] if end > 1 else torch.zeros(3)
        further = seen.positions[-1] + step * torch.arange(1, ahead + 1).unsqueeze(1)
        turns = None if seen.rotations is None else torch.cat([seen.rotations, seen.rotations[-1:].expand(ahead, 3, 3)])
        root = RootMotion(torch.cat([seen.positions, further]), turns)
    poses = torch.cat([clip.poses[:end], result.forecast.to(clip.poses) / factor])
    return replace(clip, poses=poses, root=root, notes=())
