"""How a model is trained, as data: optimiser, schedule, sampling and augmentation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from posegraph._support.checks import check_choice, check_positive, check_probability
from posegraph.errors import ConfigError, UnknownNameError

__all__ = ["Augmentation", "Optimizer", "Recipe", "Sampling", "Schedule"]


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """What updates the weights."""

    kind: Literal["adam", "sgd"] = "adam"
    """Adam with its default betas, or stochastic gradient descent without momentum."""
    learning_rate: float = 5e-4
    """Learning rate before any decay."""
    weight_decay: float = 0.0
    """L2 penalty, added to the gradient."""
    clip_norm: float | None = None
    """Largest global gradient norm; larger gradients are scaled down to it. None does not clip."""

    def __post_init__(self) -> None:
        check_choice("optimizer", self.kind, ("adam", "sgd"))
        _check_above_zero(learning_rate=self.learning_rate)
        _check_not_negative(weight_decay=self.weight_decay)
        if self.clip_norm is not None:
            _check_above_zero(" or None", clip_norm=self.clip_norm)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long training takes, and how the learning rate changes meanwhile. Epochs count from one."""

    kind: Literal["steps", "cosine"] = "steps"
    """"steps" decays at the start of epochs, by ``decay``. "cosine" lowers the rate step by step along half a cosine,
    to zero at the end of the last epoch."""
    epochs: int = 50
    """Passes over the training windows, or stretches of `Sampling.steps_per_epoch` steps."""
    decay: float = 1.0
    """Factor on the learning rate at the start of every ``decay_every``-th epoch."""
    decay_every: int = 1
    """Epochs between two decays."""
    first_decay: int | None = None
    """Epoch of the first decay; None stands for ``decay_every``."""
    warm_up: float = 0.0
    """Epochs over which the learning rate rises from zero."""

    def __post_init__(self) -> None:
        check_choice("schedule", self.kind, ("steps", "cosine"))
        check_positive(epochs=self.epochs, decay_every=self.decay_every)
        if self.first_decay is not None:
            check_positive(first_decay=self.first_decay)
        _check_above_zero(decay=self.decay)
        _check_not_negative(warm_up=self.warm_up)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the windows of a step are chosen."""

    kind: Literal["windows", "clips"] = "windows"
    """"windows" takes each training window once a pass, in random order. "clips" draws a clip for each window of a
    batch, every clip as likely, and a place in it; so short clips weigh as much as long ones."""
    batch_size: int = 16
    """Windows a step, over all processes."""
    steps_per_epoch: int | None = None
    """Steps of an epoch; None stands for one pass over the windows."""

    def __post_init__(self) -> None:
        check_choice("sampling", self.kind, ("windows", "clips"))
        check_positive(batch_size=self.batch_size)
        if self.steps_per_epoch is not None:
            check_positive(steps_per_epoch=self.steps_per_epoch)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of training windows; none by default. See `posegraph.training.augmentation`."""

    mirror: float = 0.0
    """Probability of replacing a window by its mirror image; see `posegraph.skeleton.mirror_image`."""
    reverse: float = 0.0
    """Probability of playing a window backwards."""
    turn: float = 0.0
    """Spread, in radians, of random turns of each limb of a window; see `posegraph.training.augmentation.Turn`."""
    speed: float = 0.0
    """Play windows faster or slower by a random factor between ``exp(-speed)`` and ``exp(speed)``."""

    def __post_init__(self) -> None:
        check_probability(mirror=self.mirror, reverse=self.reverse)
        _check_not_negative(turn=self.turn, speed=self.speed)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Training settings of a model; the registry holds the authors' for each.

    No two parts have a setting of the same name, so a setting may also be given without its part: see `of`, `replace`.

    Raises:
        ConfigError: A part is not of its class, or ``averaging`` is not in [0, 1).

    Examples:
        >>> from posegraph.recipe import Optimizer, Recipe, Schedule
        >>> recipe = Recipe(optimizer=Optimizer(learning_rate=2e-4), schedule=Schedule(decay=0.98, decay_every=2))
        >>> [round(recipe.learning_rate_at(epoch) / 2e-4, 4) for epoch in (1, 2, 3, 4)]
        [1.0, 0.98, 0.98, 0.9604]
        >>> recipe == Recipe.of(learning_rate=2e-4, decay=0.98, decay_every=2)
        True
    """

    optimizer: Optimizer = field(default_factory=Optimizer)
    """Optimiser, learning rate, clipping."""
    schedule: Schedule = field(default_factory=Schedule)
    """Epochs and the course of the learning rate."""
    sampling: Sampling = field(default_factory=Sampling)
    """Batches."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Random changes of windows."""
    averaging: float = 0.0
    """Validate and keep an exponential moving average of the weights in place of the weights themselves: the share of
    the average that survives a step, as in 0.999; 0 for no averaging."""

    def __post_init__(self) -> None:
        for name, kind in _PARTS.items():
            if not isinstance(part := getattr(self, name), kind):
                raise ConfigError(
                    f"{name}: expected a part of a recipe, {kind.__name__}(...), got {part!r}. Build a recipe from "
                    "plain values with Recipe.of."
                )
        check_probability(averaging=self.averaging)

    @classmethod
    def of(cls, **settings: Any) -> Recipe:
        """A recipe from plain settings, the others as they are by default.

        Args:
            settings: See `replace`.

        Raises:
            UnknownNameError: A recipe has no such setting.
            ConfigError: A value cannot work.

        Examples:
            >>> from posegraph.recipe import Recipe
            >>> Recipe.of(epochs=14, schedule="cosine", batch_size=64).schedule
            Schedule(kind='cosine', epochs=14, decay=1.0, decay_every=1, first_decay=None, warm_up=0.0)
        """
        return cls().replace(**settings)

    def replace(self, **settings: Any) -> Recipe:
        """This recipe with some settings changed.

        Args:
            settings: Values by name, as in ``epochs=14``. The name of a part stands for its kind, as in
                ``schedule="cosine"``, and may have a part as value. Dotted names work too: ``"schedule.epochs"``.

        Raises:
            UnknownNameError: A recipe has no such setting.
            ConfigError: A value cannot work.

        Examples:
            >>> from posegraph.recipe import Recipe
            >>> recipe = Recipe().replace(sampling="clips", batch_size=64, **{"optimizer.clip_norm": 1.0})
            >>> recipe.sampling.kind, recipe.sampling.batch_size, recipe.optimizer.clip_norm
            ('clips', 64, 1.0)
        """
        whole: dict[str, Any] = {}
        parts: dict[str, dict[str, Any]] = {}
        for name, value in settings.items():
            if name in _PARTS and isinstance(value, _PARTS[name]):
                whole[name] = value
            elif name in _PARTS and isinstance(value, Mapping):
                for key, own in value.items():
                    part, setting = _place(f"{name}.{key}")
                    parts.setdefault(part, {})[setting] = own
            else:
                part, setting = _place(name)
                parts.setdefault(part, {})[setting] = value
        whole |= parts.pop("", {})
        for part, changes in parts.items():
            whole[part] = dataclasses.replace(whole.get(part, getattr(self, part)), **changes)
        return dataclasses.replace(self, **whole)

    def to_dict(self) -> dict[str, Any]:
        """All settings by their plain names, a part's kind by the name of the part: what files hold.

        Examples:
            >>> from posegraph.recipe import Recipe
            >>> settings = Recipe().to_dict()
            >>> settings["optimizer"], settings["learning_rate"], settings["epochs"]
            ('adam', 0.0005, 50)
            >>> Recipe.of(**settings) == Recipe()
            True
        """
        settings: dict[str, Any] = {}
        for name in _PARTS:
            for key, value in dataclasses.asdict(getattr(self, name)).items():
                settings[name if key == "kind" else key] = value
        return settings | {"averaging": self.averaging}

    def learning_rate_at(self, epoch: int, part: float = 0.0) -> float:
        """Learning rate in an epoch, counted from one.

        Args:
            epoch: Which one.
            part: Share of its steps that are done.
        """
        rate, schedule = self.optimizer.learning_rate, self.schedule
        done = epoch - 1 + part
        if done < schedule.warm_up:
            return rate * done / schedule.warm_up
        if schedule.kind == "cosine":
            left = max(schedule.epochs - done, 0.0) / max(schedule.epochs - schedule.warm_up, 1e-9)
            return rate * (1 - math.cos(math.pi * left)) / 2
        first = schedule.decay_every if schedule.first_decay is None else schedule.first_decay
        decays = max(0, (epoch - first) // schedule.decay_every + 1)
        return rate * schedule.decay**decays


_PARTS: dict[str, type] = {
    "optimizer": Optimizer,
    "schedule": Schedule,
    "sampling": Sampling,
    "augmentation": Augmentation,
}
_PLACES: dict[str, tuple[str, str]] = {"averaging": ("", "averaging")}  # plain or dotted name to part and setting
for _name, _part in _PARTS.items():
    for _field in dataclasses.fields(_part):
        _plain = _name if _field.name == "kind" else _field.name
        assert _plain not in _PLACES, _plain
        _PLACES[_plain] = _PLACES[f"{_name}.{_field.name}"] = (_name, _field.name)


def _place(name: str) -> tuple[str, str]:
    """Part and setting that a plain or dotted name stands for; "" for the recipe's own."""
    if name not in _PLACES:
        known = [key for key in _PLACES if ("." in key) == ("." in name)]
        raise UnknownNameError("value of the recipe", name, known)
    return _PLACES[name]


def _check_above_zero(other: str = "", /, **values: object) -> None:
    for name, value in values.items():
        if not (_is_number(value) and value > 0):  # pyright: ignore[reportOperatorIssue]
            raise ConfigError(f"{name}: expected a positive number{other}, got {value!r}.")


def _check_not_negative(**values: object) -> None:
    for name, value in values.items():
        if not (_is_number(value) and value >= 0):  # pyright: ignore[reportOperatorIssue]
            raise ConfigError(f"{name}: expected a number of at least 0, got {value!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
