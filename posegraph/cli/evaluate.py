"""``posegraph evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from posegraph import evaluation
from posegraph.cli.options import open_model, progress_bar, read

__all__ = ["evaluate"]


def evaluate(
    model: Positional[str | None] = None,
    /,
    *,
    dataset: str,
    data: str,
    protocol: str = "all",
    joints: Literal["full", "used"] | None = None,
    metric: evaluation.Metric | None = None,
    split: str = "test",
    actions: tuple[str, ...] = (),
    frames: tuple[int, ...] = (),
    out: Path | None = None,
    batch_size: int = 128,
    device: str | None = None,
) -> None:
    """Measure the error of a model under a published protocol.

    Args:
        model: Folder of a checkpoint, weights of the library such as graph-mixer/cmu, a repository OWNER/NAME of the
            Hugging Face Hub, or a model that needs no training; the library's default weights if not given.
        dataset: Name of a data set; a wrong one is answered with the list.
        data: Folder of the data set; 'samples' for the bundled clips.
        protocol: Window rule (all, 8, 256, every) or published protocol (msrgcn, pgbig, simlpe, ...) of the data set.
        joints: Compare the full skeleton with copied duplicates, or the joints that models see; full by default.
        metric: Error at a frame, mean up to it, or Euler angles at a frame; at a frame by default.
        split: Split to evaluate on.
        actions: Evaluate these actions only, in place of the protocol's.
        frames: Forecast frames to report, counted from 0, in place of the protocol's.
        out: Also write the result to this JSON file.
        batch_size: Windows a forward pass.
        device: Where to run; a GPU if there is one.
    """
    motion = read(dataset, data, split=split, actions=actions)
    loaded = open_model(model, skeleton=motion.skeleton, device=device)
    wishes = {"joints": joints, "metric": metric, "actions": actions, "frames": frames}
    measured = evaluation.Protocol.named(
        motion,
        protocol,
        split=split,
        observed_frames=loaded.observed_frames,
        future_frames=loaded.future_frames,
        **{key: value for key, value in wishes.items() if value},
    )
    with progress_bar("evaluate") as progress:
        result = evaluation.evaluate(loaded, motion, measured, batch_size=batch_size, progress=progress)
    print(result.table())
    if out is not None:
        result.save(out)
        print(f"written to {out}")
