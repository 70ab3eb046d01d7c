"""``posegraph forecast``."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import Positional

from posegraph.cli.options import open_model, read
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.forecast.result import forecast_clip

__all__ = ["forecast"]

_SUFFIXES = (".gif", ".png", ".npz")


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
        dataset: Data set: cmu, h36m, cmu-angles or h36m-angles.
        data: Folder of the data set; 'samples' for the bundled CMU clips.
        clip: Name of the clip, as in walking_1; the first of the split if not given.
        out: Files to write: .gif for an animation, .png for a strip of poses, .npz for the numbers; none if not given.
        split: Split that the clip is in.
        start: First frame that the model sees; if not given, the window in the middle of the clip.
        device: Where to run; a GPU if there is one.
    """
    for path in out:
        if path.suffix not in _SUFFIXES:
            raise ConfigError(f"--out: expected files that end in {', '.join(_SUFFIXES)}, got {path.name!r}.")
    motion = read(dataset, data, split=split)
    clips = {own.name: own for own in motion.select(split)}
    if clip is not None and clip not in clips:
        raise UnknownNameError(f"clip of split {split!r}", clip, clips)
    chosen = next(iter(clips.values())) if clip is None else clips[clip]
    loaded = open_model(model, skeleton=motion.skeleton, device=device)
    if start is None:
        start = max(0, chosen.num_frames - loaded.total_frames) // 2
    result = forecast_clip(loaded, chosen, start)
    last = start + loaded.observed_frames - 1
    print(f"{loaded.registry_name}, {chosen.name}: frames {start} to {last} seen, {loaded.future_frames} forecast")
    if result.truth is not None:
        print(f"mean error of this window: {sum(result.mpjpe_mm) / len(result.mpjpe_mm):.1f} mm over all joints")
    if not out:
        print("nothing written: name files with --out, as in --out forecast.gif forecast.npz")
    for path in out:
        if path.suffix == ".npz":
            result.save(path)
        else:
            from posegraph import viz

            title = f"{loaded.registry_name} on {chosen.name} ({motion.name})"
            if path.suffix == ".gif":
                viz.animate({loaded.registry_name or "forecast": result}, path, title=title, root=chosen.root)
            else:
                viz.pose_strip(
                    result.observed,
                    result.forecast,
                    result.truth,
                    skeleton=result.skeleton,
                    path=path,
                    drawing=viz.Drawing(title=title, fps=result.fps, label_fps=motion.label_fps),
                )
        print(f"written to {path}")
