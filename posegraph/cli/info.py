"""``posegraph info``."""

from __future__ import annotations

import dataclasses

from tyro.conf import Positional

from posegraph import registry

__all__ = ["info"]


def info(name: Positional[str], /, skeleton: str = "h36m") -> None:
    """Describe a model: settings, sizes, training recipe.

    Args:
        name: Registry name of the model.
        skeleton: Skeleton to count parameters for.
    """
    spec = registry.info(name)
    model = registry.build(name, skeleton=skeleton)
    scales = [model.num_joints, *(level.num_groups for level in model.groupings)]
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{name}: {spec.summary}")
    print(f"class       {spec.cls.__module__}.{spec.cls.__qualname__}")
    print(f"skeleton    {model.skeleton.name}, joints at each scale: {', '.join(map(str, scales))}")
    print(f"frames      {model.observed_frames} observed, {model.future_frames} forecast")
    print(f"parameters  {parameters:,}")
    print(f"weights     {', '.join(spec.weights) or 'none'}")
    _print_fields("settings", spec.config)
    if model.is_trainable:
        _print_fields("recipe", spec.recipe)


def _print_fields(title: str, settings: object) -> None:
    fields = dataclasses.asdict(settings) if dataclasses.is_dataclass(settings) else {}  # pyright: ignore[reportArgumentType]
    if fields:
        print(title)
    for key, value in fields.items():
        print(f"  {key} = {value}")
