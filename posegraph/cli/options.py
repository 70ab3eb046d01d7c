"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from posegraph import checkpoint, data, registry, weights
from posegraph._support.device import default_device
from posegraph.data.dataset import MotionDataset
from posegraph.errors import ConfigError
from posegraph.models.base import ForecastModel
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["is_model_name", "open_model", "parse_settings", "progress_bar", "read"]


def parse_settings(settings: Sequence[str], *, option: str = "--set") -> dict[str, Any]:
    """Settings given as ``key=value``, values in JSON or plain text.

    Args:
        settings: What was given.
        option: Option that takes them, for the message.

    Raises:
        ConfigError: One is not of this form.

    Examples:
        >>> from posegraph.cli.options import parse_settings
        >>> parse_settings(["channels=64", "operator=learned", "global_residual=false"])
        {'channels': 64, 'operator': 'learned', 'global_residual': False}
    """
    parsed: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise ConfigError(f"{option}: expected KEY=VALUE, got {setting!r}, as in --set channels=64 dropout=0.2.")
        try:
            parsed[key] = json.loads(value)
        except ValueError:
            parsed[key] = value
    return parsed


def read(dataset: str, folder: str, *, split: str | None = None, actions: Sequence[str] = ()) -> MotionDataset:
    """Read a data set and say what was found."""
    motion = data.load(dataset, folder, split=split, actions=tuple(actions) or None)
    if os.environ.get("RANK", "0") == "0":  # of several training processes, one reports
        bundled = folder == "samples"  # that these are few of a benchmark's files is no news
        print(replace(motion, missing=()).describe() if bundled else motion.describe())
        if motion.missing and not bundled:
            print(f"missing: {', '.join(motion.missing[:4])}{', ...' if len(motion.missing) > 4 else ''}")
    return motion


def open_model(reference: str | None, *, skeleton: str | Skeleton, device: str | None) -> ForecastModel:
    """A trained model, as `posegraph.checkpoint.load` takes it, or one that needs no training by its name.

    Args:
        reference: The default weights of the library if None. A checkpoint folder takes precedence over a model's name.
        skeleton: Skeleton of a model that needs no training.
        device: Where to put the model; by default on a GPU if there is one.

    Raises:
        CheckpointError: There is no such trained model.
        ConfigError: The reference is the name of a model that has to be trained, or it is None and the default weights
            do not come with the library.
    """
    if reference is None:
        reference = weights.default()
        if reference is None:
            raise ConfigError(
                f"model: expected a checkpoint folder or a model, got none, and the default weights {weights.DEFAULT} "
                "do not come with this version. Pass the folder of a checkpoint, which 'posegraph train' writes."
            )
    if not is_model_name(reference):
        return checkpoint.load(reference, device=device or default_device())
    built = registry.build(reference, skeleton=skeleton)
    if built.is_trainable:
        known = ", ".join(f"{reference}/{name}" for name in weights.names(reference))
        raise ConfigError(
            f"model {reference!r} is not trained: its weights are random. Pass the folder of a checkpoint, which "
            f"'posegraph train {reference}' writes{f', or weights of the library: {known}' if known else ''}."
        )
    return built.eval()


def is_model_name(reference: str) -> bool:
    """Whether a text names a model of the registry and no trained one."""
    return reference in registry.names() and not checkpoint.is_checkpoint(reference)


@contextmanager
def progress_bar(label: str) -> Generator[Callable[[int, int], None] | None]:
    """A callback of (done, total) that draws a progress bar on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=label, leave=False, unit="window", dynamic_ncols=True) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update
