"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from posegraph import checkpoint, data, registry, weights
from posegraph._support.device import default_device
from posegraph.data.dataset import MotionDataset
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.models.base import ForecastModel
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["open_model", "parse_settings", "progress_bar", "read"]


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
        print(motion.describe())
        if motion.missing:
            print(f"missing: {', '.join(motion.missing[:4])}{', ...' if len(motion.missing) > 4 else ''}")
    return motion


def open_model(model: str | None, *, skeleton: str | Skeleton, device: str | None) -> ForecastModel:
    """A checkpoint by its folder, weights of the library by their name, or a model that needs no training by its name.

    Without any of these, the default weights of the library.
    """
    if model is None:
        model = weights.default()
        if model is None:
            raise ConfigError(
                f"model: expected a checkpoint folder or a model, got none, and the default weights {weights.DEFAULT} "
                "do not come with this version. Pass the folder of a checkpoint, which 'posegraph train' writes."
            )
    if checkpoint.is_checkpoint(model) or (model not in registry.names() and Path(model).exists()):
        return checkpoint.load(model, device=device or default_device())
    if model in weights.references():
        return checkpoint.load(weights.folder(model), device=device or default_device())
    if model not in registry.names():
        raise UnknownNameError("checkpoint folder or model", model, [*registry.names(), *weights.references()])
    built = registry.build(model, skeleton=skeleton)
    if built.is_trainable:
        known = ", ".join(f"{model}/{name}" for name in weights.names(model))
        raise ConfigError(
            f"model {model!r} is not trained: its weights are random. Pass the folder of a checkpoint, which "
            f"'posegraph train {model}' writes{f', or weights of the library: {known}' if known else ''}."
        )
    return built.eval()


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
