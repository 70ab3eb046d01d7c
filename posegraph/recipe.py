"""How a model is trained: the authors' optimiser, schedule and batch, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from posegraph._checks import check_choice, check_positive, check_probability
from posegraph.errors import ConfigError

__all__ = ["Optimizer", "Recipe", "Sampling"]

Optimizer = Literal["adam", "sgd"]
"""Adam with its default betas, or stochastic gradient descent without momentum."""
Sampling = Literal["windows", "clips"]
"""How the windows of a step are chosen; see `Recipe.sampling`."""


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
        if not self.weight_decay >= 0:
            raise ConfigError(f"weight_decay: expected a number of at least 0, got {self.weight_decay!r}.")
        check_choice("optimizer", self.optimizer, get_args(Optimizer))
        check_choice("sampling", self.sampling, get_args(Sampling))
        check_probability(reverse=self.reverse)

    def learning_rate_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from one."""
        first = self.decay_every if self.first_decay is None else self.first_decay
        decays = max(0, (epoch - first) // self.decay_every + 1)
        return self.learning_rate * self.decay**decays
