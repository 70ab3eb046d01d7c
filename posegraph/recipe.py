"""How a model is trained: the authors' optimiser, schedule and batch, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from posegraph._support.checks import check_choice, check_positive, check_probability
from posegraph.errors import ConfigError

__all__ = ["Optimizer", "Recipe", "Sampling", "Schedule"]

Optimizer = Literal["adam", "sgd"]
"""Adam with its default betas, or stochastic gradient descent without momentum."""
Sampling = Literal["windows", "clips"]
"""How the windows of a step are chosen; see `Recipe.sampling`."""
Schedule = Literal["steps", "cosine"]
"""How the learning rate falls; see `Recipe.schedule`."""


@dataclass(frozen=True)
class Recipe:
    """Training settings of a model; the registry holds the authors' for each.

    Epochs count from one.

    Examples:
        >>> from posegraph.recipe import Recipe
        >>> recipe = Recipe(learning_rate=2e-4, decay=0.98, decay_every=2)
        >>> [round(recipe.learning_rate_at(epoch) / 2e-4, 4) for epoch in (1, 2, 3, 4)]
        [1.0, 0.98, 0.98, 0.9604]
    """

    learning_rate: float = 5e-4
    """Learning rate before any decay."""
    decay: float = 1.0
    """Factor on the learning rate at the start of every ``decay_every``-th epoch."""
    decay_every: int = 1
    """Epochs between two decays."""
    first_decay: int | None = None
    """Epoch of the first decay; None stands for ``decay_every``."""
    batch_size: int = 16
    """Windows a step, over all processes."""
    epochs: int = 50
    """Passes over the training windows, or stretches of ``steps_per_epoch`` steps."""
    clip_norm: float | None = None
    """Largest global gradient norm; larger gradients are scaled down to it. None does not clip."""
    weight_decay: float = 0.0
    """L2 penalty, added to the gradient."""
    optimizer: Optimizer = "adam"
    """Optimiser."""
    sampling: Sampling = "windows"
    """"windows" takes each training window once a pass, in random order. "clips" draws a clip for each window of a
    batch, every clip as likely, and a place in it; so short clips weigh as much as long ones."""
    steps_per_epoch: int | None = None
    """Steps of an epoch; None stands for one pass over the windows."""
    reverse: float = 0.0
    """Probability of playing a training window backwards."""
    mirror: float = 0.0
    """Probability of replacing a training window by its mirror image; see `posegraph.skeleton.mirror_image`."""
    turn: float = 0.0
    """Spread, in radians, of random turns of each limb of a window; see `posegraph.training.augmentation.Turn`."""
    speed: float = 0.0
    """Play windows faster or slower by a random factor between ``exp(-speed)`` and ``exp(speed)``."""
    schedule: Schedule = "steps"
    """"steps" decays at the start of epochs, by ``decay``. "cosine" lowers the rate step by step along half a cosine,
    to zero at the end of the last epoch."""
    warm_up: float = 0.0
    """Epochs over which the learning rate rises from zero."""
    averaging: float = 0.0
    """Validate and keep an exponential moving average of the weights in place of the weights themselves: the share of
    the average that survives a step, as in 0.999; 0 for no averaging."""

    def __post_init__(self) -> None:
        check_positive(decay_every=self.decay_every, batch_size=self.batch_size, epochs=self.epochs)
        for name in ("first_decay", "steps_per_epoch"):
            if getattr(self, name) is not None:
                check_positive(**{name: getattr(self, name)})
        for name in ("learning_rate", "decay"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}: expected a positive number, got {getattr(self, name)!r}.")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ConfigError(f"clip_norm: expected a positive number or None, got {self.clip_norm!r}.")
        check_choice("optimizer", self.optimizer, get_args(Optimizer))
        check_choice("sampling", self.sampling, get_args(Sampling))
        check_choice("schedule", self.schedule, get_args(Schedule))
        check_probability(reverse=self.reverse, mirror=self.mirror, averaging=self.averaging)
        for name in ("weight_decay", "warm_up", "turn", "speed"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name}: expected a number of at least 0, got {getattr(self, name)!r}.")

    def learning_rate_at(self, epoch: int, part: float = 0.0) -> float:
        """Learning rate in an epoch, counted from one.

        Args:
            epoch: Which one.
            part: Share of its steps that are done.
        """
        done = epoch - 1 + part
        if done < self.warm_up:
            return self.learning_rate * done / self.warm_up
        if self.schedule == "cosine":
            left = max(self.epochs - done, 0.0) / max(self.epochs - self.warm_up, 1e-9)
            return self.learning_rate * (1 - math.cos(math.pi * left)) / 2
        first = self.decay_every if self.first_decay is None else self.first_decay
        decays = max(0, (epoch - first) // self.decay_every + 1)
        return self.learning_rate * self.decay**decays
