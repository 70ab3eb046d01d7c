"""Draw the pictures of the documentation: ``python -m benchmarks.report.gallery``.

They show the library's default weights beside zero velocity on the bundled test clips, and are written to
``docs/assets``. It takes about a minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image

from posegraph import checkpoint, data, registry, viz, weights
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.joints import evaluate_joints
from posegraph.evaluation.protocol import Protocol
from posegraph.forecast.result import forecast_clip
from posegraph.models.base import ForecastModel

REFERENCE = "graph-mixer/cmu"
CLIP, WINDOWS, START = "walking_1", range(0, 101, 25), 60  # an animation of every 25th frame on; one window of a strip


def models() -> dict[str, ForecastModel]:
    """What the pictures compare."""
    return {
        "zero velocity": registry.build("zero-velocity", skeleton="cmu"),
        REFERENCE: checkpoint.load(weights.folder(REFERENCE)),
    }


def animations(folder: Path, clip: data.Clip, model: ForecastModel) -> None:
    """Forecasts of a walk, for light and for dark pages."""
    results = [forecast_clip(model, clip, start) for start in WINDOWS]
    for name, dark in (("forecast.gif", False), ("forecast-dark.gif", True)):
        options = viz.AnimationOptions(dark=dark, height=420)
        viz.animate({REFERENCE: results}, folder / name, root=clip.root, options=options)


def errors(folder: Path, clips: data.MotionDataset, compared: Mapping[str, ForecastModel]) -> None:
    """Errors against the frame, and by joint."""
    protocol = Protocol.named(clips, "8", actions=tuple(clip.action for clip in clips.select("test")))
    viz.error_panels(
        {name: evaluate(model, clips, protocol) for name, model in compared.items()}, folder / "error-curves.png"
    )
    protocol = Protocol.named(clips, "8", actions=protocol.actions, frames=(24,))
    by_joint = {name: evaluate_joints(model, clips, protocol) for name, model in compared.items()}
    viz.joint_error_map(
        {name: result.errors for name, result in by_joint.items()},
        folder / "joint-errors.png",
        skeleton=clips.skeleton,
        frames=[24],
        protocol=by_joint[REFERENCE].protocol.describe(),
        poses=torch.cat([clip.poses for clip in clips.select("test")]),
        drawing=viz.Drawing(fps=clips.fps, label_fps=clips.label_fps),
    )


def strips(folder: Path, clip: data.Clip, compared: Mapping[str, ForecastModel]) -> None:
    """Poses of one window."""
    results = {name: forecast_clip(model, clip, START) for name, model in compared.items()}
    truth = results[REFERENCE].truth
    assert truth is not None
    viz.compare_strips(
        {name: result.forecast for name, result in results.items()},
        truth,
        skeleton=clip.skeleton,
        path=folder / "pose-strips.png",
        window=f"cmu test, {clip.name}, forecast from frame {START + 10}",
        drawing=viz.Drawing(fps=clip.fps),
    )


def shrink(path: Path) -> None:
    """Write a picture with a palette, a third of the size."""
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/assets"), help="folder to write")
    folder = parser.parse_args().out
    clips = data.load("cmu", "samples", split="test")
    clip = next(own for own in clips.select("test") if own.name == CLIP)
    compared = models()
    animations(folder, clip, compared[REFERENCE])
    errors(folder, clips, compared)
    strips(folder, clip, compared)
    for name in ("error-curves", "joint-errors", "pose-strips"):
        shrink(folder / f"{name}.png")


if __name__ == "__main__":
    main()
