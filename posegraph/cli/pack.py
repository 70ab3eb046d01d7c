"""``posegraph pack``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from posegraph import checkpoint
from posegraph._support.device import default_device
from posegraph.checkpoint import release
from posegraph.cli.options import read
from posegraph.cli.train import COMMAND_FILE
from posegraph.errors import ConfigError

__all__ = ["pack"]


def pack(
    runs: Positional[tuple[str, ...]],
    /,
    name: str,
    data: str,
    out: Path = Path("weights"),
    dtype: Literal["fp32", "bf16", "fp16"] = "fp16",
    protocols: tuple[str, ...] = ("all",),
    command: tuple[str, ...] = (),
    note: str = "",
    finest_only: bool = False,
    device: str | None = None,
) -> None:
    """Turn a training run into weights to hand on: rounded, measured on the test clips, with a model card.

    Args:
        runs: Folder of a training run, or of several that differ by their seed, or that of a run with several seeds:
            the one with the lowest validation error is packed, the others show how far seeds differ. Any other
            checkpoint that training wrote will do, as for 'evaluate'.
        name: Name of the weights, in lower case with hyphens, as in cmu.
        data: Folder of the data set that they were trained on; 'samples' for the bundled clips.
        out: Where to write; the weights come to OUT/MODEL/NAME.
        dtype: Number type to round the weights to.
        protocols: Window rules or published protocols to measure under; the first is the headline.
        command: The commands that trained the run, for the card; by default the one that 'posegraph train' left in it.
        note: What else the card should say of the training, such as how its recipe was chosen.
        finest_only: Leave out what only training needs, such as the heads of coarser poses.
        device: Where to evaluate; a GPU if there is one.
    """
    members = [member for run in runs for member in _members(run)]
    if not members:
        raise ConfigError("runs: expected at least one folder of a training run, got none.")
    training = checkpoint.read_config(members[0])["record"].get("training") or {}
    trained = list(command) or list(dict.fromkeys(line for member in members for line in _commands(member)))
    motion = read(training.get("dataset", "cmu"), data)
    own = ["posegraph", "pack", *(["RUN"] * len(runs)), "--name", name, "--data", data if data == "samples" else "DIR"]
    own += ["--finest-only"] if finest_only else []
    own += [] if dtype == "fp16" else ["--dtype", dtype]
    own += [] if protocols == ("all",) else ["--protocols", *protocols]
    folder = release.pack(
        members,
        motion,
        out,
        release.Release(
            name=name,
            commands=[*trained, shlex.join(own)],
            note=note,
            finest_only=finest_only,
            dtype=dtype,
            protocols=protocols,
        ),
        device=device or default_device(),
    )
    print(f"card: {folder / 'README.md'}")


def _members(run: str) -> list[str]:
    """The run itself, or those of its seeds."""
    return [run] if checkpoint.is_checkpoint(run) else sorted(map(str, Path(run).glob("seed-*"))) or [run]


def _commands(run: str) -> list[str]:
    try:
        return (Path(run) / COMMAND_FILE).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(
            f"--command: expected the commands that trained the run, because {run} has no {COMMAND_FILE}, got none. "
            "The card states them."
        ) from error
