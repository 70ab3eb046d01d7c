"""Packed weights that stand in for real ones: a narrow network, trained for a moment on the bundled clips."""

from __future__ import annotations

from pathlib import Path

from posegraph import data, registry, training
from posegraph.checkpoint import release
from posegraph.recipe import Recipe

MODEL, NAME = "traj-gcn", "tiny"
REFERENCE = f"{MODEL}/{NAME}"
COMMANDS = ["posegraph train traj-gcn --dataset cmu --data samples --actions running walking --out RUN"]
SETTINGS = {"channels": 8, "num_blocks": 1}
_ACTIONS = ["running", "walking"]


def train(folder: Path, seed: int, *, validation: list[str] | None = None) -> Path:
    """A run of a few steps."""
    training.seed_everything(seed)
    model = registry.build(MODEL, skeleton="cmu", **SETTINGS)
    clips = data.load("cmu", "samples", actions=_ACTIONS)
    recipe = Recipe.of(learning_rate=3e-3, epochs=1, steps_per_epoch=20)
    options = training.Options(seed=seed, validation=validation, device="cpu", report=lambda line: None)
    training.train(model, clips, folder, recipe=recipe, options=options)
    return folder


def pack(runs: list[Path], out: Path) -> Path:
    """Pack runs as `REFERENCE` below a folder."""
    clips = data.load("cmu", "samples")
    return release.pack(runs, clips, out, release.Release(name=NAME, commands=COMMANDS), report=lambda line: None)
