"""``posegraph export``."""

from __future__ import annotations

import json
from pathlib import Path

from tyro.conf import Positional

from posegraph.cli.options import open_model
from posegraph.export.model import export as write
from posegraph.export.targets import find

__all__ = ["export"]


def export(
    model: Positional[str | None] = None,
    /,
    *,
    to: str = "onnx",
    out: Path | None = None,
    skeleton: str = "cmu",
) -> None:
    """Write a model as a file for another runtime, with a description beside it.

    Args:
        model: Folder of a checkpoint, weights of the library such as graph-mixer/cmu, a repository OWNER/NAME of the
            Hugging Face Hub, or a model that needs no training; the library's default weights if not given.
        to: What to write: onnx; pt2, a program of torch.export; or aot, a library of AOTInductor, which is compiled for
            a minute.
        out: File to write, .onnx or .pt2; MODEL.onnx or MODEL.pt2 if not given.
        skeleton: Skeleton of a model that needs no training.
    """
    target = find(to)
    opened = open_model(model, skeleton=skeleton, device="cpu")
    name = opened.registry_name or type(opened).__name__
    path = write(opened, out or Path(f"{name}{target.suffix}"), to=to)
    beside = path.with_name(f"{path.name}.json")
    described = json.loads(beside.read_text(encoding="utf-8"))
    shape = described["input"]["shape"]
    error = max(described["parity"]["errors"].values())
    print(f"{name}: ({', '.join(map(str, shape))}) in, {described['output']['shape'][1]} frames out")
    print(f"largest difference from the model: {error:.1e} of the largest coordinate")
    print(f"written to {path} ({path.stat().st_size / 1e6:.1f} MB) and {beside.name}")
