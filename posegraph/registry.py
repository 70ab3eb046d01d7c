"""Models by name: built-in ones, those that a program registers, and those of installed plugins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file

from posegraph import weights as shipped
from posegraph._support import checkpoint_files
from posegraph._support.registry import Registry
from posegraph.errors import CheckpointError, ConfigError, UnknownNameError
from posegraph.recipe import Recipe
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton
from posegraph.weights.reference import TrainedWeights, resolve

if TYPE_CHECKING:
    from posegraph.models.base import ForecastModel

__all__ = ["ModelSpec", "build", "config", "info", "names", "recipe_of", "register", "unregister"]

M = TypeVar("M", bound="type[ForecastModel]")


@dataclass(frozen=True)
class ModelSpec:
    """What the registry knows about a model."""

    name: str
    """Registry name."""
    cls: type[ForecastModel]
    """Class that `build` instantiates."""
    config: Any
    """Default settings, a frozen dataclass."""
    recipe: Recipe
    """Default training settings."""
    summary: str
    """One line."""
    observed_frames: int
    """Default number of observed frames."""
    future_frames: int
    """Default number of frames to forecast."""

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the trained weights that come with the library, for `build`."""
        return tuple(shipped.names(self.name))


_REGISTRY: Registry[ModelSpec] = Registry("model", group="posegraph.models", package="posegraph.models")


def register(
    name: str,
    *,
    config: Any = None,
    recipe: Recipe | None = None,
    summary: str = "",
    observed_frames: int = 10,
    future_frames: int = 25,
) -> Callable[[M], M]:
    """Class decorator that adds a model to the registry; a class may be registered under several names.

    Args:
        name: Registry name, in lower case with hyphens.
        config: Default settings, a frozen dataclass; the class's ``default_config`` if None.
        recipe: Default training settings.
        summary: One line for listings; the first line of the class's docstring if empty.
        observed_frames: Default number of observed frames.
        future_frames: Default number of frames to forecast.

    Returns:
        The decorator, which returns the class unchanged.

    Raises:
        ConfigError: The name is taken, or the settings are not a frozen dataclass.

    Examples:
        >>> from dataclasses import dataclass
        >>> from posegraph import registry
        >>> from posegraph.models import ForecastModel
        >>> @dataclass(frozen=True)
        ... class StillConfig:
        ...     frames_back: int = 1
        >>> @registry.register("still", config=StillConfig())
        ... class Still(ForecastModel):
        ...     '''Repeats an earlier pose.'''
        >>> registry.info("still").summary
        'Repeats an earlier pose.'
        >>> registry.unregister("still")
    """

    def decorate(cls: M) -> M:
        settings = cls.default_config if config is None else config
        if not dataclasses.is_dataclass(settings) or isinstance(settings, type) or not _is_frozen(settings):
            raise ConfigError(
                f"model {name!r}: expected its settings to be an instance of a frozen dataclass, got {settings!r}. "
                "Set default_config on the class or pass config=..."
            )
        line = summary or (cls.__doc__ or "").strip().partition("\n")[0]
        spec = ModelSpec(name, cls, settings, recipe or Recipe(), line, observed_frames, future_frames)
        _REGISTRY.add(name, spec, owner=cls.__module__)
        return cls

    return decorate


def unregister(name: str) -> None:
    """Remove a model, so that a test or a notebook can register its name anew.

    Raises:
        UnknownNameError: There is no model of this name.
    """
    _REGISTRY.remove(name)


def names(pattern: str = "*") -> list[str]:
    """Names of all models, sorted.

    Args:
        pattern: Shell-style pattern.

    Examples:
        >>> from posegraph import registry
        >>> registry.names("msrgcn-?l")
        ['msrgcn-1l', 'msrgcn-2l', 'msrgcn-3l']
    """
    return _REGISTRY.names(pattern)


def info(name: str) -> ModelSpec:
    """What is known about a model.

    Raises:
        UnknownNameError: There is no model of this name; the message lists all and the nearest.
    """
    return _REGISTRY.get(name)


def config(name: str, **changes: Any) -> Any:
    """The default settings of a model, with changes.

    Args:
        name: Registry name.
        changes: Fields to change.

    Returns:
        The model's frozen dataclass.

    Raises:
        UnknownNameError: There is no model, or no field, of this name.
        ConfigError: A value is not valid.

    Examples:
        >>> from posegraph import registry
        >>> registry.config("traj-gcn", channels=64).channels
        64
    """
    return _change(name, info(name).config, changes)


def _change(name: str, settings: Any, changes: dict[str, Any]) -> Any:
    fields = [field.name for field in dataclasses.fields(settings)]
    for key in changes:
        if key not in fields:
            raise UnknownNameError(f"setting of model {name!r}", key, fields)
    return dataclasses.replace(settings, **changes)


def recipe_of(model: ForecastModel) -> Recipe:
    """The recipe that a model is trained with unless told otherwise: that of its name, or the general one.

    Args:
        model: A model, built by name or not.

    Examples:
        >>> from posegraph import registry
        >>> registry.recipe_of(registry.build("msrgcn-1l", channels=8)) == registry.info("msrgcn-1l").recipe
        True
    """
    return Recipe() if model.registry_name is None else info(model.registry_name).recipe


def build(
    name: str,
    *,
    skeleton: str | Skeleton | None = None,
    observed_frames: int | None = None,
    future_frames: int | None = None,
    weights: str | Path | TrainedWeights | None = None,
    **settings: Any,
) -> ForecastModel:
    """Build a model.

    Args:
        name: Registry name.
        skeleton: Name of a built-in skeleton, or any `Skeleton`; by default that of the weights, else ``"h36m"``.
        observed_frames: Number of observed poses; by default that of the weights, else the model's, which is 10 for
            the published ones.
        future_frames: Number of poses to forecast; by default that of the weights, else the model's, mostly 25.
        weights: Trained weights: a name of those that come with the library (``info(name).weights``), or any other
            reference of `posegraph.weights.reference.resolve`. The model gets the skeleton, frames and settings that
            they were trained with. Only a bare safetensors file goes into a model of the settings given here.
        settings: Fields of the model's settings to change.

    Returns:
        The model, on the CPU; in training mode without weights, in evaluation mode with them.

    Raises:
        UnknownNameError: There is no model, skeleton or setting of this name.
        ConfigError: A value is not valid, or is not that of the weights.
        CheckpointError: There are no such weights, or they cannot be read, or are those of another model.

    Examples:
        >>> from posegraph import registry
        >>> model = registry.build("msrgcn", skeleton="cmu", channels=16)
        >>> model.skeleton.name, model.observed_frames, model.future_frames
        ('cmu', 10, 25)
    """
    spec = info(name)
    found = None if weights is None else resolve(weights, model=name)
    if found is not None and found.kind != "file":
        frames = {"observed_frames": observed_frames, "future_frames": future_frames}
        return _build_checkpoint(spec, found, skeleton, frames, settings)
    model = _new(
        spec,
        config(name, **settings),
        presets.get("h36m" if skeleton is None else skeleton),
        spec.observed_frames if observed_frames is None else observed_frames,
        spec.future_frames if future_frames is None else future_frames,
    )
    if found is not None:
        _load_file(model.eval(), found.path)
    return model


def _new(spec: ModelSpec, settings: Any, skeleton: Skeleton, observed_frames: int, future_frames: int) -> ForecastModel:
    model = spec.cls(settings, skeleton=skeleton, observed_frames=observed_frames, future_frames=future_frames)
    model.registry_name = spec.name
    return model


def _build_checkpoint(
    spec: ModelSpec,
    found: TrainedWeights,
    skeleton: str | Skeleton | None,
    frames: dict[str, int | None],
    settings: dict[str, Any],
) -> ForecastModel:
    """The model of a checkpoint, if it agrees with the skeleton, frames and settings that were asked for."""
    data, tensors = checkpoint_files.read(found.path)
    with checkpoint_files.reporting_damage(found.path):
        owner = data["model"]
        if owner != spec.name:
            raise CheckpointError(
                f"weights: expected those of model {spec.name!r}, got those of {owner!r} in {found.label}. Build that "
                "model."
            )
        model = _new(
            spec,
            config(owner, **data["config"]),
            Skeleton.from_dict(data["skeleton"]),
            data["observed_frames"],
            data["future_frames"],
        )
        model.record = dict(data["record"])
        model.load_state_dict(tensors)
    if skeleton is not None and not model.skeleton.matches(other := presets.get(skeleton)):
        need, got = (f"{s.name!r} ({s.num_joints} joints, {s.num_used} used)" for s in (model.skeleton, other))
        raise _contradiction("skeleton", need, got, found)
    changed = _change(owner, model.config, settings)
    wishes = {key: (getattr(model, key), value) for key, value in frames.items() if value is not None}
    wishes |= {key: (getattr(model.config, key), getattr(changed, key)) for key in settings}
    for key, (need, got) in wishes.items():
        if need != got:
            raise _contradiction(key, repr(need), repr(got), found)
    return model.eval()


def _contradiction(key: str, need: str, got: str, found: TrainedWeights) -> ConfigError:
    return ConfigError(
        f"{key}: expected {need}, which the weights in {found.label} were trained with, got {got}. Leave it out, or "
        "build without weights."
    )


def _load_file(model: ForecastModel, file: Path) -> None:
    try:
        state = load_file(file)
        for wrapper in ("module.", "_orig_mod."):  # of torch.nn.DataParallel and torch.compile
            if all(key.startswith(wrapper) for key in state):
                state = {key.removeprefix(wrapper): tensor for key, tensor in state.items()}
        model.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise CheckpointError(
            f"weights in {file} do not fit {type(model).__name__} with these settings: {error} "
            "posegraph.checkpoint.load builds the model with the settings it was saved with."
        ) from error


def _is_frozen(settings: Any) -> bool:
    return bool(settings.__dataclass_params__.frozen)
