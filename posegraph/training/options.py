"""How a training run is carried out: everything that is not the model, the data, the folder or the recipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from posegraph._support.checks import check_choice, import_optional
from posegraph._support.device import Precision, default_device
from posegraph.errors import ConfigError

__all__ = ["Acceleration", "Options"]

Acceleration = Literal["auto", "none", "compile"]
"""What makes steps fast; see `Options.acceleration`."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How `posegraph.training.train` and `train_seeds` carry out a run.

    Raises:
        ConfigError: A value is not one of those listed.
        MissingDependencyError: TensorBoard is asked for and not installed.

    Examples:
        >>> from posegraph.training import Options
        >>> Options(seed=3, precision="bf16").validation is None
        True
    """

    validation: Sequence[str] | None = None
    """Names of the training clips to hold out. By default the shortest clip of each action that has several. An empty
    list trains on all clips and keeps the last epoch's weights."""
    seed: int = 0
    """Seed of the order of windows and of dropout. Initial weights are the model's: see `seed_everything`."""
    device: torch.device | str | None = None
    """Where to train; by default a GPU if there is one."""
    precision: Precision = "fp32"
    """``"fp32"``, or mixed precision with ``"bf16"`` or (GPU only) ``"fp16"``; ``"tf32"`` (GPU only) rounds the factors
    of float32 products."""
    acceleration: Acceleration = "auto"
    """``"auto"`` updates all parameters in one kernel and, on a GPU, records a step as a CUDA graph and replays it; the
    last batch of an epoch, several processes and "fp16" do without a graph. ``"compile"`` compiles the network with
    torch.compile as well, for up to a few minutes. ``"none"`` is the plain loop with PyTorch's default optimisers. All
    follow the same course, to rounding."""
    resume: bool = False
    """Continue the run in the folder, or start it if there is none."""
    time_limit: float | None = None
    """Finish the run after so many seconds, in the middle of an epoch if need be; validation counts, but for that of a
    first epoch."""
    tensorboard: bool | None = None
    """Write TensorBoard curves beside ``log.csv``; by default where the package is installed."""
    report: Callable[[str], object] = print
    """Called with a line of text after each epoch."""

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, get_args(Precision))
        check_choice("acceleration", self.acceleration, get_args(Acceleration))
        if self.tensorboard:
            import_optional("tensorboard", extra="log", purpose="training with TensorBoard")

    @property
    def place(self) -> torch.device:
        """The device; of several processes on one machine, each has its own.

        Raises:
            ConfigError: The precision is not of this device.
        """
        place = torch.device(self.device or default_device())
        if self.precision in ("fp16", "tf32") and place.type != "cuda":
            raise ConfigError(
                f"precision {self.precision!r} needs a GPU, but the device is {place}. Use 'bf16' or 'fp32'."
            )
        if place == torch.device("cuda"):
            return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        return place
